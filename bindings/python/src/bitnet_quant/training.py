"""Training with quantization: fake quantization, its gradient, and schedules.

    fake = bq.fake_quantize(w, "ternary")             # w as it will be decoded
    ... the network runs with fake.values and gives dy, the gradient by them ...
    dw = bq.fake_quantize_gradient(w, dy, fake).x

numpy arrays in and out; `bitnet_quant.torch` has modules of it.
"""
from __future__ import annotations

import ctypes
import math
from typing import Any, Mapping, NamedTuple, Optional, Sequence, Union

import numpy as np

from . import _abi, registry
from . import context as contexts
from ._arrays import (ArrayArgument, DTypeLike, dtype_id, holder_of, new_or, pointer,
                      shape_argument)
from ._handles import Handle, create, serialized, unsigned
from ._loader import library
from ._options import Optioned, OptionValue
from ._values import Values, read_values
from .calibration import QuantizationParams
from .comparison import Metrics
from .config import Config, ConfigLike, as_config
from .tensor import overflow_id
from .training_statistics import TrainingStatistics


class Training(Optioned):
    """How training quantizes: Training(estimator="slope", slope=0.2).

    options: `training_options()` lists them: how gradients pass (estimator, slope, width,
    gradient_factor), noise in place of rounding (noise, noise_amount), values that are
    quantized in part (temperature) or at random (probability, probability_of), and the
    seed of all draws. It does not change once made; `replace` makes another.
    """

    __slots__ = ()

    _prefix, _kind = "bnq_training", registry.TRAINING

    def __init__(self, **options: OptionValue) -> None:
        self._handle = create(_abi.bnq_training, library().bnq_training_create,
                              destroy="bnq_training_destroy")
        self._set(options)

    def replace(self, **options: OptionValue) -> Training:
        """This one with some options changed."""
        return Training(**{**self._changed(), **options})

    @property
    def options(self) -> dict[str, OptionValue]:
        """Every option by name."""
        return self._all()

    def __repr__(self) -> str:
        return f"Training({', '.join(f'{n}={v!r}' for n, v in self._changed().items())})"

    def __reduce__(self) -> Any:
        return _training, (self._changed(),)


def _training(options: Mapping[str, OptionValue]) -> Training:
    return Training(**options)


class FakeQuantized(NamedTuple):
    """What fake quantization makes of an array."""

    #: The values, in the array's shape.
    values: np.ndarray[Any, Any]
    #: What they were decoded with: what the gradient is of. Without any where the format
    #: has no scales.
    params: QuantizationParams
    #: Of each value whether its code would lie beyond those there are; None unless asked.
    clipped: Optional[np.ndarray[Any, Any]]
    #: The number of those; None unless asked for `clipped` or `metrics`.
    clipped_count: Optional[int]
    #: Between the array and what quantization makes of it; None unless asked.
    metrics: Optional[Metrics]


class Gradients(NamedTuple):
    """The gradients of fake quantization, float32 unless dtype said otherwise."""

    #: By the array, in its shape.
    x: np.ndarray[Any, Any]
    #: By each scale (LSQ).
    scales: np.ndarray[Any, Any]
    #: By each zero point or offset; None for symmetric schemes.
    shifts: Optional[np.ndarray[Any, Any]]
    #: By the values of the least and the greatest code, [scales, 2] (PACT).
    ends: np.ndarray[Any, Any]
    #: By the estimator's slope.
    slope: float


def param_count(config: ConfigLike, shape: Sequence[int]) -> int:
    """The scales that an array of this shape has, quantized as config says."""
    count, extents = ctypes.c_uint64(), tuple(shape)
    library().bnq_param_count(as_config(config, {})._handle, len(extents),
                              shape_argument(extents), ctypes.byref(count))
    return count.value


def range_params(lo: float, hi: float, config: Optional[ConfigLike] = None,
                 **options: OptionValue) -> QuantizationParams:
    """The scale, and zero point or offset, for values from lo to hi: of a range that is
    learned (PACT's is 0 to its clipping level)."""
    config = as_config(config, options)
    params = _params(config, 1)
    library().bnq_range_params(config._handle, lo, hi, *_pointers(params)[:3])
    return params


def fake_quantize(source: np.ndarray[Any, Any], config: Optional[ConfigLike] = None, *,
                  params: Optional[QuantizationParams] = None,
                  training: Optional[Training] = None, dtype: Optional[DTypeLike] = None,
                  out: Optional[np.ndarray[Any, Any]] = None, out_dtype: DTypeLike = "float32",
                  overflow: str = "error", clipped: bool = False, metrics: bool = False,
                  statistics: Optional[TrainingStatistics] = None, copy: bool = False,
                  context: Optional[contexts.Context] = None,
                  **options: OptionValue) -> FakeQuantized:
    """The values that quantizing an array and dequantizing it gives, bit for bit; then
    what `training` makes of them: noise, values quantized in part or at random.

    source, dtype, copy, config, options: as in `quantize`.
    params: what to quantize with (those that are learned, say); found as config says
        without.
    out: where the values go, of out_dtype; may be `source` itself.
    overflow: as in `QuantizedTensor.dequantize`.
    clipped, metrics: whether those are wanted, too.
    statistics: of the layer; this array is added as a step.
    """
    config = as_config(config, options)
    array = ArrayArgument(source, "source", dtype=dtype, copy=copy)
    values = new_or(out, array.shape, holder_of(out_dtype))
    given = params is not None
    used = params if params is not None else _params(config, param_count(config, array.shape))
    mask = np.empty(array.shape, bool) if clipped else None
    count = ctypes.c_uint64() if clipped or metrics else None
    found = (ctypes.c_double * len(registry.metrics()))() if metrics else None
    library().bnq_fake_quantize(
        contexts.handle(context), config._handle, _handle(training), array, int(given),
        *_pointers(used), dtype_id(out_dtype), overflow_id(overflow), values.ctypes.data,
        values.nbytes, pointer(mask, ctypes.c_uint8), 0 if mask is None else mask.nbytes,
        None if count is None else ctypes.byref(count), found, 0 if found is None else len(found),
        None if statistics is None else statistics._handle)
    return FakeQuantized(
        values, used._replace(config=config), mask, None if count is None else count.value,
        None if found is None else Metrics(dict(zip(registry.metrics(), found))))


def fake_quantize_gradient(source: np.ndarray[Any, Any], dy: np.ndarray[Any, Any],
                           params: Union[QuantizationParams, FakeQuantized], *,
                           training: Optional[Training] = None,
                           dtype: Optional[DTypeLike] = None, copy: bool = False,
                           out: Optional[np.ndarray[Any, Any]] = None,
                           out_dtype: DTypeLike = "float32", of_params: bool = True,
                           context: Optional[contexts.Context] = None) -> Gradients:
    """The gradients of `fake_quantize(source, params.config, training=training)` whose
    values have the gradient dy.

    params: what it returned, or the parameters that it was given, with their config.
    dtype, copy: of source, as in `quantize`; dy is copied where it has to be.
    out: where the gradient by source goes, of out_dtype; may be `dy` itself.
    of_params: whether those by parameters are wanted, too, which takes longer; 0 without.
    """
    if isinstance(params, FakeQuantized):
        params = params.params
    array = ArrayArgument(source, "source", dtype=dtype, copy=copy)
    given = ArrayArgument(dy, "dy", copy=out is not dy)
    dx = new_or(out, array.shape, holder_of(out_dtype))
    scales = np.zeros(params.scales.size, np.float32)
    shifts = np.zeros(params.scales.size, np.float32)
    ends = np.zeros((params.scales.size, 2), np.float32)
    slope = ctypes.c_float()
    library().bnq_fake_quantize_gradient(
        contexts.handle(context), params.config._handle, _handle(training), array, given,
        *_pointers(params), dtype_id(out_dtype), dx.ctypes.data, dx.nbytes,
        *((pointer(scales, ctypes.c_float), pointer(shifts, ctypes.c_float),
           pointer(ends, ctypes.c_float), ctypes.byref(slope)) if of_params else (None,) * 4))
    shifted = params.zero_points.size or params.offsets.size
    return Gradients(dx, scales, shifts if shifted else None, ends, slope.value)


def _handle(training: Optional[Training]) -> Optional[Handle]:
    if training is None or isinstance(training, Training):
        return None if training is None else training._handle
    raise TypeError(f"training must be a Training, got {type(training).__name__}")


def _params(config: Config, count: int) -> QuantizationParams:
    """Room for as many."""
    return QuantizationParams(
        np.zeros(count, np.float32),
        np.zeros(count if config.scheme == "asymmetric" else 0, np.int8), config,
        np.zeros(count if config.scheme == "offset" else 0, np.float32))


def _pointers(params: QuantizationParams) -> tuple[Any, ...]:
    """As the library takes them, with their number."""
    for name, array, native in (("scales", params.scales, np.float32),
                                ("zero_points", params.zero_points, np.int8),
                                ("offsets", params.offsets, np.float32)):
        if array.dtype != native or not array.flags.c_contiguous:
            raise TypeError(f"{name} has dtype {array.dtype}; a contiguous array of "
                            f"{np.dtype(native)} is needed")
    for name, array in (("zero_points", params.zero_points), ("offsets", params.offsets)):
        if array.size not in (0, params.scales.size):
            raise ValueError(f"{name} are {array.size}; none, or {params.scales.size} as scales, "
                             "are accepted")
    return (pointer(params.scales, ctypes.c_float),
            pointer(params.zero_points if params.zero_points.size else None, ctypes.c_int8),
            pointer(params.offsets if params.offsets.size else None, ctypes.c_float),
            params.scales.size)


class Phase(Optioned):
    """A phase of a Schedule: Phase(bits=4, steps=500, temperature_begin=1).

    options: `phase_options()` lists them: the bits, what ends it (steps, patience and
    improvement of losses, max_error), and from its begin to its end the temperature, the
    share of elements and the share of layers that are quantized.
    """

    __slots__ = ()

    _prefix, _kind = "bnq_phase", registry.PHASE

    def __init__(self, **options: OptionValue) -> None:
        self._handle = create(_abi.bnq_phase, library().bnq_phase_create,
                              destroy="bnq_phase_destroy")
        self._set(options)

    @property
    def options(self) -> dict[str, OptionValue]:
        """Every option by name."""
        return self._all()

    def __repr__(self) -> str:
        return f"Phase({', '.join(f'{n}={v!r}' for n, v in self._changed().items())})"


#: BNQ_SCHEDULE_*, in their order.
_STATE = ("phase", "phase_step", "step", "bits", "temperature", "share", "layers", "best_loss",
          "since_best", "done")


class ScheduleState(Values):
    """Where a schedule stands, by name, and as attributes.

    phase: the number of the phase, from 0.
    phase_step, step: steps that are done, of the phase and of all.
    bits, temperature: of the next step.
    share, layers: of the elements and of the layers, those that are quantized in it.
    best_loss, since_best: of the phase (NaN: none yet), and losses since then.
    done: 1 once the last phase has ended, else 0.
    """

    __slots__ = ()


class LayerTraining(NamedTuple):
    """What a layer is trained with in a step."""

    config: Config
    training: Training


class Schedule:
    """Phases of training one after another:

        schedule = Schedule([Phase(bits=8, steps=200), Phase(bits=4, patience=5),
                             Phase(bits=1.58, steps=500, share_begin=0.5)])
        for ... :
            now = schedule.apply("group", layer=0, layers=3)
            ...
            schedule.step(loss)

    phases: Phase objects, or their options as dictionaries; an empty list is an error.
    """

    __slots__ = ("_handle", "__weakref__")

    def __init__(self, phases: Sequence[Union[Phase, Mapping[str, OptionValue]]]) -> None:
        made = [phase if isinstance(phase, Phase) else Phase(**phase) for phase in phases]
        pointers = (ctypes.POINTER(_abi.bnq_phase) * len(made))(
            *(phase._handle._as_parameter_ for phase in made))
        self._handle = create(_abi.bnq_schedule, library().bnq_schedule_create, pointers,
                              len(made), destroy="bnq_schedule_destroy")

    def step(self, loss: Optional[float] = None, error: Optional[float] = None) -> bool:
        """A step of training is done, with its loss and its quantization error, where they
        are known. Whether a phase ended."""
        ended = ctypes.c_int32()
        library().bnq_schedule_step(self._handle, math.nan if loss is None else loss,
                                    math.nan if error is None else error, ctypes.byref(ended))
        return ended.value != 0

    @property
    def state(self) -> ScheduleState:
        """Where it stands."""
        return read_values(ScheduleState, _STATE, library().bnq_schedule_values, self._handle)

    @property
    def done(self) -> bool:
        """Whether the last phase has ended."""
        return self.state.done != 0

    def apply(self, config: Optional[ConfigLike] = None, *, layer: int = 0, layers: int = 1,
              training: Optional[Training] = None, **options: OptionValue
              ) -> Optional[LayerTraining]:
        """What layer `layer` of `layers`, in the order in which they are quantized, is
        trained with now: config with the format, training with the temperature and
        probability. None where it is not quantized yet."""
        own = as_config(config, options).replace()
        how = Training() if training is None else training.replace()
        quantized = ctypes.c_int32()
        library().bnq_schedule_apply(self._handle, unsigned(layer, "layer", 64),
                                     unsigned(layers, "layers", 64), own._handle, how._handle,
                                     ctypes.byref(quantized))
        return LayerTraining(own, how) if quantized.value else None

    def to_bytes(self) -> bytes:
        """Phases and where it stands, the same bytes on every machine."""
        return serialized(library().bnq_schedule_serialize, self._handle)

    @classmethod
    def from_bytes(cls, data: bytes) -> Schedule:
        """The schedule that `to_bytes` wrote. CorruptFileError."""
        schedule = object.__new__(cls)
        schedule._handle = create(_abi.bnq_schedule, library().bnq_schedule_deserialize,
                                  bytes(data), len(data), destroy="bnq_schedule_destroy")
        return schedule

    def __reduce__(self) -> Any:
        return Schedule.from_bytes, (self.to_bytes(),)

    def __repr__(self) -> str:
        return f"<Schedule at {self.state!r}>"
