"""Ranges of activations, from batches of values."""
from __future__ import annotations

import ctypes
import enum
from typing import TYPE_CHECKING, Any, Callable, Iterator, Mapping, NamedTuple, Optional, Union

import numpy as np

from . import _abi, registry
from . import context as contexts
from ._arrays import ArrayArgument, DTypeLike, borrow, pointer
from ._handles import Handle, StrPath, create, decode, encode, encode_path, unsigned
from ._loader import library
from ._options import Optioned, OptionValue, as_number
from ._values import Values, read_values
from .config import Config, ConfigLike, as_role_config
from .errors import NotFoundError
from .files import write_flags
from .progress import Progress, reporting


class CalibrationMethod(str, enum.Enum):
    """How a calibrator finds the range. The members are the texts that the option
    `method` takes; `calibration_options()` has those of the loaded library."""

    #: The minimum and the maximum.
    MINMAX = "minmax"
    #: Those of each batch, averaged; depends on the order of batches.
    MOVING_AVERAGE = "moving_average"
    #: The range of a percentile of the values.
    PERCENTILE = "percentile"
    #: The least Kullback-Leibler divergence of the quantized values, on a histogram.
    KL = "kl"
    #: The least mean squared error, on a histogram.
    MSE = "mse"
    #: An average whose steps are bounded; depends on the order of batches.
    ADAPTIVE = "adaptive"


class Range(NamedTuple):
    """The ends of the range of each channel (one, where all values share it):
    float32, finite, lo <= hi, and lo = -hi for the symmetric scheme."""

    lo: np.ndarray[Any, Any]
    hi: np.ndarray[Any, Any]


class Histogram(NamedTuple):
    """Counts, uint64, and the edges of the bins, float64, one more: as
    numpy.histogram gives them. A value on an edge counts in the bin above."""

    counts: np.ndarray[Any, Any]
    edges: np.ndarray[Any, Any]


class QuantizationParams(NamedTuple):
    """What values are quantized with when that is not found from the values
    themselves: quantize_static(values, *params)."""

    #: float32, one for each channel.
    scales: np.ndarray[Any, Any]
    #: int8, as many; empty for symmetric schemes.
    zero_points: np.ndarray[Any, Any]
    #: What they were made for.
    config: Config
    #: float32, as many; empty unless the scheme is "offset".
    offsets: np.ndarray[Any, Any] = np.empty(0, np.float32)


class Statistics(Values):
    """The statistics of what a calibrator has seen by name, which are also
    attributes. NaN stands for what is not known; what needs the option `moments`
    (which outliers="deviations" implies) is marked with an m.

    count: finite values.
    min, max, absmax: the least and the greatest value, and the greatest absolute one.
    mean, variance: (m) of the whole population: the variance is divided by count.
    absmean: (m) mean of the absolute values.
    skewness: (m) third central moment over variance ** 1.5.
    kurtosis: (m) fourth central moment over variance ** 2: 3 for Gaussian values.
    zero_share: share of the values that are 0, in 0..1.
    non_finite: number of values that were skipped.
    outliers: number of values beyond the limits of the option outliers.

    A newer library may have more.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        count: float
        min: float
        max: float
        mean: float
        variance: float
        absmax: float
        absmean: float
        skewness: float
        kurtosis: float
        zero_share: float
        non_finite: float
        outliers: float


class Calibrator(Optioned):
    """Watches batches of values go by, and finds the range in which to quantize such
    values: Calibrator(method="kl", granularity="channel"), where channels are the last
    dimension (`axis`).

        calibrator = Calibrator(method="mse", scheme="asymmetric")
        for batch in batches:
            calibrator.observe(batch)
        params = calibrator.params("int8_asymmetric")
        params.scales, params.zero_points

    Options are keywords, as for a Config; `calibration_options()` lists them with
    bounds and defaults. Memory is that of the bins of each channel, whatever goes by.

    Except with the methods that follow the order of batches ("moving_average",
    "adaptive"), the state depends only on which batches were observed: calibrators
    that shared the work and are merged are equal to one that did it all, byte by
    byte. It can be pickled. For one thread at a time.
    """

    __slots__ = ()

    _prefix, _kind = "bnq_calibrator", registry.CALIBRATOR

    def __init__(self, **options: OptionValue) -> None:
        self._handle = create(_abi.bnq_calibrator, library().bnq_calibrator_create,
                              destroy="bnq_calibrator_destroy")
        self._set(options)

    @classmethod
    def for_config(cls, config: Optional[ConfigLike] = None, **options: OptionValue) -> Calibrator:
        """A calibrator of values that are to be quantized into `config` (default:
        "int8_symmetric"): with its scheme, the bits of its codes, and its channels and
        their axis. `options` are the calibrator's, such as the method.

        InvalidArgumentError where the config's granularity is neither "tensor" nor
        "channel".
        """
        calibrator = cls._own(create(
            _abi.bnq_calibrator, library().bnq_calibrator_create_for,
            as_activations(config, {})._handle, destroy="bnq_calibrator_destroy"))
        calibrator._set(options)
        return calibrator

    @classmethod
    def _own(cls, handle: Handle) -> Calibrator:
        calibrator = object.__new__(cls)
        calibrator._handle = handle
        return calibrator

    @classmethod
    def _clone(cls, handle: Any, context: Optional[contexts.Context]) -> Calibrator:
        return cls._own(create(_abi.bnq_calibrator, library().bnq_calibrator_clone,
                               contexts.handle(context), handle,
                               destroy="bnq_calibrator_destroy"))

    @property
    def options(self) -> dict[str, OptionValue]:
        """Every option by name: Calibrator(**calibrator.options) is one like this
        without data."""
        return self._all()

    @property
    def method(self) -> str:
        """The option `method`."""
        return str(self._get(registry.option("method", self._kind)))

    def set(self, **options: OptionValue) -> None:
        """Changes options, one after the other. Once there are data only those can be that
        look for the range in another way: method, scheme, bits, levels, percentile,
        kl_variant and mse_variant; not to a method that follows the order of batches, and to
        one that needs a histogram only where one was kept (InvalidArgumentError)."""
        self._set(options)

    @property
    def channels(self) -> int:
        """The number of channels: 1 where all values share a range; 0 before there are
        data."""
        return int(library().bnq_calibrator_channels(self._handle))

    @property
    def batches(self) -> int:
        """The number of batches observed that had elements."""
        return int(library().bnq_calibrator_batches(self._handle))

    def observe(self, values: np.ndarray[Any, Any], *, dtype: Optional[DTypeLike] = None,
                copy: bool = False, context: Optional[contexts.Context] = None) -> None:
        """Observes a batch: an array as `quantize` takes it, with channels, if any, along
        the option axis. An empty one does nothing.

        NonFiniteError names the index of the first NaN or infinity, unless the option
        non_finite is "skip". InvalidArgumentError for another number of channels than in
        the first batch. If it fails, the calibrator is as it was.
        """
        array = ArrayArgument(values, "values", dtype=dtype, copy=copy)
        library().bnq_calibrator_observe(contexts.handle(context), self._handle, array)

    def observe_file(self, path: StrPath, name: Optional[str] = None, *,
                     progress: Optional[Progress] = None,
                     context: Optional[contexts.Context] = None) -> None:
        """Observes the floating-point arrays of a .npy, .safetensors or .bnq file, or of
        all *.npy and *.safetensors files of a directory, in the order of their names, a
        batch each, without holding them in memory.

        name: only the arrays of that name; that of a .npy file has the file's, without
            the suffix.
        progress: as in quantize_file.

        MissingFileError where there is nothing of the kind. If it fails or is cancelled,
        the calibrator is as it was.
        """
        where, location = contexts.handle(context), encode_path(path, "path")
        wanted = None if name is None else encode(name, "name")
        reporting(progress, lambda callback: library().bnq_calibrator_observe_file(
            where, self._handle, location, wanted, callback, None))

    def range(self, *, context: Optional[contexts.Context] = None) -> Range:
        """The range of each channel. The calibrator may go on observing. NoDataError
        before there are data, or where a channel has had no finite value."""
        lo, hi = (np.empty(self.channels, np.float32) for _ in range(2))
        library().bnq_calibrator_range(contexts.handle(context), self._handle,
                                       pointer(lo, ctypes.c_float), pointer(hi, ctypes.c_float),
                                       lo.size)
        return Range(lo, hi)

    def params(self, config: Optional[ConfigLike] = None, *,
               context: Optional[contexts.Context] = None, **options: OptionValue
               ) -> QuantizationParams:
        """The scale, and zero point or offset, of each channel, for quantizing values of its range
        into `config` (default: "int8_symmetric"), whose options `options` change.
        UnsupportedError for a format without scales; NoDataError as `range`."""
        config = as_activations(config, options)
        scales = np.empty(self.channels, np.float32)
        zero_points = np.empty(scales.size if config.scheme == "asymmetric" else 0, np.int8)
        offsets = np.empty(scales.size if config.scheme == "offset" else 0, np.float32)
        library().bnq_calibrator_params(
            contexts.handle(context), self._handle, config._handle,
            pointer(scales, ctypes.c_float), pointer(zero_points, ctypes.c_int8),
            pointer(offsets, ctypes.c_float), scales.size)
        return QuantizationParams(scales, zero_points, config, offsets)

    def statistics(self, channel: Optional[int] = None, *,
                   context: Optional[contexts.Context] = None) -> Statistics:
        """The statistics of a channel; without one, of all together. NoDataError."""
        number = _abi.ALL_CHANNELS if channel is None else unsigned(channel, "channel", 64)
        return read_values(Statistics, registry.statistics(), library().bnq_calibrator_statistics,
                           contexts.handle(context), self._handle, number)

    def histogram(self, channel: int = 0) -> Histogram:
        """The histogram of a channel; without bins where it has had no finite value.
        UnsupportedError where none is kept: the option `histogram` keeps one for every
        method. NoDataError."""
        call, number = library().bnq_calibrator_histogram, unsigned(channel, "channel", 64)
        bins, first, width = ctypes.c_uint64(), ctypes.c_double(), ctypes.c_double()
        call(self._handle, number, None, 0, ctypes.byref(bins), ctypes.byref(first),
             ctypes.byref(width))
        counts = np.empty(bins.value, np.uint64)
        call(self._handle, number, pointer(counts, ctypes.c_uint64), counts.size,
             ctypes.byref(bins), None, None)
        edges = first.value + width.value * np.arange(counts.size + 1 if counts.size else 0)
        return Histogram(counts, edges)

    def reset(self) -> None:
        """Forgets the data, not the options."""
        library().bnq_calibrator_reset(self._handle)

    def merge(self, other: Calibrator, *, context: Optional[contexts.Context] = None) -> None:
        """Adds what `other` has observed. Both must have the same options and, where both
        have data, as many channels (InvalidArgumentError). UnsupportedError for methods
        whose result depends on the order of batches."""
        library().bnq_calibrator_merge(contexts.handle(context), self._handle,
                                       as_calibrator(other)._handle)

    def copy(self, *, context: Optional[contexts.Context] = None) -> Calibrator:
        """Another calibrator with the same options and data."""
        return self._clone(self._handle, context)

    def to_bytes(self, *, context: Optional[contexts.Context] = None) -> bytes:
        """Options and data, as the same bytes on every machine."""
        return _bytes(library().bnq_calibrator_serialize, contexts.handle(context), self._handle)

    @classmethod
    def from_bytes(cls, data: Union[bytes, bytearray, memoryview], *,
                   context: Optional[contexts.Context] = None) -> Calibrator:
        """The reverse of to_bytes. CorruptFileError for bytes that are no calibrator,
        UnsupportedError for those of a later library."""
        buffer = borrow(data, "data", native=np.uint8)
        return cls._own(create(_abi.bnq_calibrator, library().bnq_calibrator_deserialize,
                               contexts.handle(context), buffer.ctypes.data, buffer.size,
                               destroy="bnq_calibrator_destroy"))

    def __reduce__(self) -> tuple[Any, ...]:
        return Calibrator.from_bytes, (self.to_bytes(),)

    def __repr__(self) -> str:
        shown: dict[str, OptionValue] = {"method": self.method, **self._changed()}
        options = ", ".join(f"{name}={value!r}" for name, value in shown.items())
        return f"<Calibrator {options}: {self.batches} batches, {self.channels} channels>"


class Calibration(Mapping[str, Calibrator]):
    """Calibrators by name: of a model's activations, one for each place where they
    are watched. Calibration(method="kl") makes each with these options when its name
    is first observed.

    A mapping: calibration[name] is a copy of that name's calibrator, with its data,
    to be asked for ranges, parameters and statistics. It can be pickled. For one
    thread at a time.
    """

    __slots__ = ("_handle", "__weakref__")

    _handle: Handle

    def __init__(self, **options: OptionValue) -> None:
        self._handle = _empty_set(Calibrator(**options))

    @classmethod
    def for_config(cls, config: Optional[ConfigLike] = None, **options: OptionValue
                   ) -> Calibration:
        """A set whose calibrators are each Calibrator.for_config(config, **options)."""
        return cls._own(_empty_set(Calibrator.for_config(config, **options)))

    @classmethod
    def _own(cls, handle: Handle) -> Calibration:
        calibration = object.__new__(cls)
        calibration._handle = handle
        return calibration

    def set(self, *, context: Optional[contexts.Context] = None, **options: OptionValue) -> None:
        """Changes options of every calibrator, as Calibrator.set, and of those to come:
        one after the other, each in all of them or in none."""
        for name, value in options.items():
            if not isinstance(value, str):
                option = registry.option(name, registry.CALIBRATOR)
                value = repr(as_number(option, value))  # as the library reads numbers
            library().bnq_calibration_set_text(contexts.handle(context), self._handle,
                                               encode(name, "option"), encode(value, name))

    def observe(self, name: str, values: np.ndarray[Any, Any], *,
                dtype: Optional[DTypeLike] = None, copy: bool = False,
                context: Optional[contexts.Context] = None) -> None:
        """Observes a batch of the activations `name`, as Calibrator.observe."""
        array = ArrayArgument(values, f"the values of {name!r}", dtype=dtype, copy=copy)
        library().bnq_calibration_observe(contexts.handle(context), self._handle,
                                          encode(name, "name"), array)

    def observe_file(self, path: StrPath, *, as_name: Optional[str] = None,
                     progress: Optional[Progress] = None,
                     context: Optional[contexts.Context] = None) -> None:
        """Observes the arrays of a file or directory, as Calibrator.observe_file, each
        with the calibrator of its name, or all with that of `as_name`: batches of one
        activation in several files. If it fails or is cancelled, no calibrator has
        observed anything of it."""
        where, location = contexts.handle(context), encode_path(path, "path")
        given = None if as_name is None else encode(as_name, "as_name")
        reporting(progress, lambda callback: library().bnq_calibration_observe_file(
            where, self._handle, location, given, callback, None))

    def params(self, config: Optional[ConfigLike] = None, *,
               context: Optional[contexts.Context] = None, **options: OptionValue
               ) -> dict[str, QuantizationParams]:
        """Calibrator.params of each name."""
        config = as_activations(config, options)
        return {name: calibrator.params(config, context=context)
                for name, calibrator in self.items()}

    def merge(self, other: Calibration, *, context: Optional[contexts.Context] = None) -> None:
        """Adds what another set has observed, name by name, as Calibrator.merge."""
        library().bnq_calibration_merge(contexts.handle(context), self._handle,
                                        as_calibration(other)._handle)

    def save(self, path: StrPath, *, overwrite: bool = False,
             context: Optional[contexts.Context] = None) -> None:
        """Writes the set to a file, with the same bytes on every machine. ExistsError
        where there is one already, unless `overwrite`."""
        library().bnq_calibration_save(contexts.handle(context), self._handle,
                                       encode_path(path, "path"), write_flags(overwrite))

    @classmethod
    def load(cls, path: StrPath, *, context: Optional[contexts.Context] = None) -> Calibration:
        """A set that was saved. MissingFileError, CorruptFileError."""
        return cls._own(create(
            _abi.bnq_calibration, library().bnq_calibration_load, contexts.handle(context),
            encode_path(path, "path"), destroy="bnq_calibration_destroy"))

    def __getitem__(self, name: str) -> Calibrator:
        # Names are sorted as bytes.
        wanted = encode(name, "name")
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self._name(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        if low == len(self) or self._name(low) != wanted:
            raise NotFoundError(f"there are no activations {name!r}")
        return Calibrator._clone(library().bnq_calibration_at(self._handle, low), None)

    def __iter__(self) -> Iterator[str]:
        return iter([decode(self._name(index)) for index in range(len(self))])

    def __len__(self) -> int:
        return int(library().bnq_calibration_count(self._handle))

    def _name(self, index: int) -> bytes:
        name: bytes = library().bnq_calibration_name(self._handle, index)
        return name

    # By identity, as the calibrators in it: every look at one is another copy.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def to_bytes(self, *, context: Optional[contexts.Context] = None) -> bytes:
        """The bytes of the file that `save` writes."""
        return _bytes(library().bnq_calibration_serialize, contexts.handle(context), self._handle)

    @classmethod
    def from_bytes(cls, data: Union[bytes, bytearray, memoryview], *,
                   context: Optional[contexts.Context] = None) -> Calibration:
        """The reverse of to_bytes. CorruptFileError for bytes that are no set."""
        buffer = borrow(data, "data", native=np.uint8)
        return cls._own(create(_abi.bnq_calibration, library().bnq_calibration_deserialize,
                               contexts.handle(context), buffer.ctypes.data, buffer.size,
                               destroy="bnq_calibration_destroy"))

    def __reduce__(self) -> tuple[Any, ...]:
        return Calibration.from_bytes, (self.to_bytes(),)

    def __repr__(self) -> str:
        return f"<Calibration: {', '.join(self) or 'empty'}>"


def _empty_set(prototype: Calibrator) -> Handle:
    return create(_abi.bnq_calibration, library().bnq_calibration_create, prototype._handle,
                  destroy="bnq_calibration_destroy")


def _bytes(serialize: Callable[..., int], *arguments: Any) -> bytes:
    """What a function writes that is first asked for the size."""
    size = ctypes.c_uint64()
    serialize(*arguments, None, 0, ctypes.byref(size))
    data = np.empty(size.value, np.uint8)
    serialize(*arguments, data.ctypes.data, data.size, ctypes.byref(size))
    return data.tobytes()


def as_activations(config: Optional[ConfigLike], options: Mapping[str, OptionValue]) -> Config:
    """as_config, where None stands for what activations get by default."""
    return as_role_config(config, _abi.ROLE_ACTIVATIONS, options)


def as_calibrator(value: Any) -> Calibrator:
    """`value`, having made sure that it is a Calibrator."""
    if not isinstance(value, Calibrator):
        raise TypeError(f"a Calibrator is needed, got {type(value).__name__}")
    return value


def as_calibration(value: Any) -> Calibration:
    """`value`, having made sure that it is a Calibration."""
    if not isinstance(value, Calibration):
        raise TypeError(f"a Calibration is needed, got {type(value).__name__}")
    return value
