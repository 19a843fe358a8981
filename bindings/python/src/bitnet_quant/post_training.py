"""Quantizing with parameters that are known beforehand, and after training."""
from __future__ import annotations

import ctypes
from typing import Any, Callable, Iterator, Mapping, NamedTuple, Optional, Union

import numpy as np

from . import _abi, errors, registry
from . import context as contexts
from ._arrays import ArrayArgument, DTypeLike, pointer
from ._handles import StrPath, create, encode_path
from ._loader import library
from ._options import OptionValue
from .calibration import (Calibration, Calibrator, as_activations, as_calibration,
                          as_calibrator)
from .config import Config, ConfigLike, as_role_config
from .conversion import Plan, Report, as_plan, optional_path, run_conversion
from .dataset import CalibrationDataset
from .files import shard_bytes, write_flags
from .progress import Progress
from .tensor import QuantizedTensor, quantize


class StaticQuantization(NamedTuple):
    """What came of quantizing with given parameters."""

    tensor: QuantizedTensor
    #: How many values lay outside what the codes reach, and were clamped.
    clamped: int


def quantize_static(source: np.ndarray[Any, Any], scales: Any, zero_points: Any = (),
                    config: Optional[ConfigLike] = None, offsets: Any = (), *,
                    dtype: Optional[DTypeLike] = None, copy: bool = False,
                    context: Optional[contexts.Context] = None,
                    **options: OptionValue) -> StaticQuantization:
    """Quantizes an array with parameters that are given instead of found:
    quantize_static(values, *calibrator.params()).

    source, dtype, copy: as in `quantize`.
    scales: real numbers, one for each segment that the config's granularity makes of
        the array; rounded to float32, and then to the option scale_dtype.
    zero_points: as many integers, -128 to 127, for asymmetric schemes, else none.
    config, options: what to quantize into, as in `quantize`; "int8_symmetric" by default.
    offsets: as many real numbers for the scheme "offset", else none.

    InvalidArgumentError names the first scale, zero point or offset that cannot be.
    """
    config = as_activations(config, options)
    array = ArrayArgument(source, "source", dtype=dtype, copy=copy)
    factors, added = (np.array(numbers, np.float32, order="C", ndmin=1).ravel()
                      for numbers in (scales, offsets))
    zeros = _int8(zero_points)
    return _clamping(library().bnq_tensor_quantize_static, contexts.handle(context),
                     config._handle, array, pointer(factors, ctypes.c_float), factors.size,
                     pointer(zeros, ctypes.c_int8), zeros.size,
                     pointer(added, ctypes.c_float), added.size)


def quantize_calibrated(source: np.ndarray[Any, Any], calibrator: Calibrator,
                        config: Optional[ConfigLike] = None, *, dtype: Optional[DTypeLike] = None,
                        copy: bool = False, context: Optional[contexts.Context] = None,
                        **options: OptionValue) -> StaticQuantization:
    """Quantizes an array with the parameters that the calibrator gives: quantize_static
    with calibrator.params(config). The config's granularity must be "tensor", or
    "channel" on the calibrator's axis (InvalidArgumentError)."""
    config = as_activations(config, options)
    array = ArrayArgument(source, "source", dtype=dtype, copy=copy)
    return _clamping(library().bnq_tensor_quantize_calibrated, contexts.handle(context),
                     config._handle, as_calibrator(calibrator)._handle, array)


def quantize_tensor_auto(source: np.ndarray[Any, Any], config: Optional[ConfigLike] = None,
                         method: str = "minmax", *, dtype: Optional[DTypeLike] = None,
                         copy: bool = False, context: Optional[contexts.Context] = None,
                         **options: OptionValue) -> QuantizedTensor:
    """Calibrates on the array itself, with a CalibrationMethod whose other options are
    at their defaults, and quantizes it with the result. The config's granularity must
    be "tensor" or "channel". Otherwise as `quantize`."""
    config = as_activations(config, options)
    number = Calibrator(method=method)._number(registry.option("method", registry.CALIBRATOR))
    return _tensor(library().bnq_quantize_tensor_auto, contexts.handle(context), config._handle,
                   number, ArrayArgument(source, "source", dtype=dtype, copy=copy))


def quantize_tensor_percentile(source: np.ndarray[Any, Any], config: Optional[ConfigLike] = None,
                               percentile: float = 99.9, *, dtype: Optional[DTypeLike] = None,
                               copy: bool = False, context: Optional[contexts.Context] = None,
                               **options: OptionValue) -> QuantizedTensor:
    """Quantizes with scales made from the value that `percentile` percent (0..100) of
    the absolute values do not exceed, exactly, in each part that has a scale of its
    own: the scale rule "percentile". Otherwise as `quantize`."""
    config = as_activations(config, options)
    return _tensor(library().bnq_quantize_tensor_percentile, contexts.handle(context),
                   config._handle, percentile,
                   ArrayArgument(source, "source", dtype=dtype, copy=copy))


class PostTrainingQuantization(NamedTuple):
    """Quantized weights, and what to quantize activations with."""

    #: A QuantizedTensor; by name, where the weights had names.
    weights: Any
    #: QuantizationParams; by name, where the calibration data had names.
    activations: Any


def post_training_quantization(
        weights: Union[np.ndarray[Any, Any], Mapping[str, np.ndarray[Any, Any]]],
        calibration_data: Any, config: Optional[ConfigLike] = None,
        method: Optional[str] = None, *, activation_config: Optional[ConfigLike] = None,
        dtype: Optional[DTypeLike] = None, copy: bool = False,
        context: Optional[contexts.Context] = None, **options: OptionValue
        ) -> PostTrainingQuantization:
    """Quantizes a trained model's weights, and finds the parameters for quantizing its
    activations from batches of them.

    weights: an array, or arrays by name.
    calibration_data: a Calibrator or a Calibration that has seen the activations; or
        batches of them: a CalibrationDataset, whatever one is made from, or an iterator
        of arrays, which is taken batch by batch. A mapping from names to batches gives
        parameters for each name, in place of one for all.
    config, options: what to quantize weights into, as in `quantize`; by default
        "int8_per_channel".
    method: the CalibrationMethod for batches, "minmax" by default.
    activation_config: what activations will be quantized into, per tensor, or per
        channel where its granularity is "channel"; by default "int8_symmetric".
    dtype, copy: of the weights, and of the batches, as in `quantize`.

    An error about a weight names it. NoDataError where there were no values.
    """
    config = as_role_config(config, _abi.ROLE_WEIGHTS, options)
    activation_config = as_activations(activation_config, {})
    calibration = _calibrated(calibration_data, method, activation_config, dtype, copy, context)
    activations: Any
    if isinstance(calibration, Mapping):
        activations = {name: calibrator.params(activation_config, context=context)
                       for name, calibrator in calibration.items()}
    else:
        activations = calibration.params(activation_config, context=context)
    if not isinstance(weights, Mapping):
        return PostTrainingQuantization(
            quantize(weights, config, dtype=dtype, copy=copy, context=context), activations)
    tensors = {}
    for name, weight in weights.items():
        try:
            tensors[name] = quantize(weight, config, dtype=dtype, copy=copy, context=context)
        except errors.BitNetQuantError as error:
            raise errors.renamed(error, f"weight {name!r}") from None
    return PostTrainingQuantization(tensors, activations)


def post_training_quantize_file(input: StrPath, output: Optional[StrPath],
                                calibration: Calibration,
                                plan: Union[Plan, ConfigLike, None] = None, *,
                                activation_config: Optional[ConfigLike] = None,
                                overwrite: bool = False, compress: bool = False,
                                dry_run: bool = False,
                                max_shard_size: Optional[int] = None,
                                resume: bool = False, restart: bool = False,
                                requantize: bool = False,
                                progress: Optional[Progress] = None,
                                context: Optional[contexts.Context] = None,
                                **options: OptionValue) -> Report:
    """quantize_file, which adds the static parameters of the model's activations: for
    each name N of the calibration the float32 array "N.input_scale", and the int8 array
    "N.input_zero_point" where `activation_config` ("int8_symmetric" by default) is
    asymmetric, of one element or one for each channel.

    InvalidArgumentError where the model has an array of such a name; NoDataError for a
    name without data. Otherwise as quantize_file.
    """
    return run_conversion(
        "bnq_post_training_quantize_file", progress, contexts.handle(context),
        as_plan(plan, options)._handle, as_calibration(calibration)._handle,
        as_activations(activation_config, {})._handle, encode_path(input, "input"),
        optional_path(output),
        write_flags(overwrite, compress, dry_run, resume, restart, requantize),
        shard_bytes(max_shard_size))


class AdaptiveActivationQuantizer:
    """Quantizes activations as they come, in a range that follows them.

        quantizer = AdaptiveActivationQuantizer("int8_asymmetric", averaging=0.05)
        for values in stream:
            tensor, clamped = quantizer.quantize(values)

    The first batch's range is taken as it is. With each later one both ends move
    towards that batch's by `averaging` times the distance, but outwards by at most
    max_growth times the range's width, and inwards by so little that the width loses
    at most the share max_shrink: neither a wild batch nor a quiet one spoils it.

    config: what to quantize into ("int8_symmetric" by default); its granularity
        "tensor", or "channel" for a range of each channel along its axis.
    options: of the calibrator, but the method.

    For one thread at a time.
    """

    __slots__ = ("config", "calibrator", "clamped")

    def __init__(self, config: Optional[ConfigLike] = None, **options: OptionValue) -> None:
        #: What activations are quantized into.
        self.config = as_activations(config, {})
        #: What follows their range.
        self.calibrator = Calibrator.for_config(self.config, method="adaptive", **options)
        #: How many values have been clamped so far.
        self.clamped = 0

    def quantize(self, values: np.ndarray[Any, Any], *, follow: bool = True,
                 dtype: Optional[DTypeLike] = None, copy: bool = False,
                 context: Optional[contexts.Context] = None) -> StaticQuantization:
        """Observes a batch, and quantizes it in the range that has come of it; with
        `follow` False only that, in the range as it is (NoDataError before there is
        one). If it fails in quantizing, the batch has been observed."""
        if follow:
            self.calibrator.observe(values, dtype=dtype, copy=copy, context=context)
        result = quantize_calibrated(values, self.calibrator, self.config, dtype=dtype,
                                     copy=copy, context=context)
        self.clamped += result.clamped
        return result

    def reset(self) -> None:
        """Forgets the range and the count of clamped values."""
        self.calibrator.reset()
        self.clamped = 0

    def __repr__(self) -> str:
        return f"<AdaptiveActivationQuantizer into {self.config}: {self.clamped} clamped>"


def _tensor(function: Callable[..., int], *arguments: Any) -> QuantizedTensor:
    return QuantizedTensor._own(create(_abi.bnq_tensor, function, *arguments,
                                       destroy="bnq_tensor_destroy"))


def _clamping(function: Callable[..., int], *arguments: Any) -> StaticQuantization:
    clamped = ctypes.c_uint64()
    tensor = _tensor(function, *arguments, ctypes.byref(clamped))
    return StaticQuantization(tensor, clamped.value)


def _int8(zero_points: Any) -> np.ndarray[Any, Any]:
    given = np.array(zero_points, ndmin=1).ravel()
    if given.size and given.dtype.kind not in "iu":
        raise TypeError(f"zero_points has dtype {given.dtype}; integers are needed")
    values = given.astype(np.int8)
    if not np.array_equal(values, given):
        index = int(np.flatnonzero(values != given)[0])
        raise ValueError(f"zero_points[{index}] is {given[index]}; -128 .. 127 is accepted")
    return values


def _calibrated(data: Any, method: Optional[str], config: Config, dtype: Optional[DTypeLike],
                copy: bool, context: Optional[contexts.Context]
                ) -> Union[Calibrator, Mapping[str, Calibrator]]:
    """The calibrator of the data, or those of its names."""
    if isinstance(data, (Calibrator, Calibration)):
        if method is not None:
            raise TypeError(f"method ({method!r}) and calibration_data that is calibrated "
                            "exclude each other")
        return data
    options = {} if method is None else {"method": method}
    if isinstance(data, Iterator):
        calibrator = Calibrator.for_config(config, **options)
        for batch in data:
            calibrator.observe(batch, dtype=dtype, copy=copy, context=context)
        return calibrator
    if not isinstance(data, CalibrationDataset):
        data = CalibrationDataset(data, dtype=dtype, copy=copy)
    if not data.named:
        calibrator = Calibrator.for_config(config, **options)
        data.feed(calibrator, context=context)
        return calibrator
    calibration = Calibration.for_config(config, **options)
    data.feed(calibration, context=context)
    if not calibration:
        raise errors.NoDataError("calibration_data has no batches")
    return calibration
