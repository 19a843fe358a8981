"""Charl's names for the quantization of arrays, for programs that are ported from it:

    weights = np.sin(np.arange(1000, dtype=np.float32))
    tensor = quantize_tensor_auto(weights, (1000,), QuantType.INT4)
    tensor.packed, tensor.memory_reduction()      # True, 8.0
    tensor.metrics(weights).sqnr_db

    groups = QuantConfig.int4_per_group(128).quantize(weights.reshape(1, -1))

Several are those of other things in this package, which they are a short way to: codes,
parameters and values are the library's. What differs from Charl's: codes of INT4 are packed
from the outset; a share is a share (Percentile(0.999)), and its value the library's nearest
rank, at one end of |x|, or at both ends where asymmetric.
"""
from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import Any, ClassVar, Iterable, Optional, Sequence, Union

import numpy as np

from . import calibration, post_training, registry, tensor
from ._arrays import check_shape
from ._options import OptionValue
from .comparison import QuantizationMetrics, compare
from .config import Config
from .errors import UnsupportedError

__all__ = [
    "CalibrationMethod", "Calibrator", "QuantConfig", "QuantGranularity", "QuantParams",
    "QuantScheme", "QuantType", "QuantizationMetrics", "QuantizedTensor", "dequantize",
    "dequantize_tensor", "post_training_quantization", "quantize", "quantize_tensor",
    "quantize_tensor_auto", "quantize_tensor_percentile",
]

_Array = Union["np.ndarray[Any, Any]"]  # numpy 1.20 cannot index it


class QuantType(enum.Enum):
    """What values become; the value is the name of the library's format."""

    INT8 = "int8"
    INT4 = "int4"
    FP16 = "f16"
    BF16 = "bf16"

    @property
    def has_codes(self) -> bool:
        """Whether there are codes and parameters, rather than floats of 16 bits."""
        return next(each.scaled for each in registry.formats() if each.name == self.value)


class QuantScheme(enum.Enum):
    """Whether zero is in the middle of the codes."""

    Symmetric = "symmetric"
    Asymmetric = "asymmetric"


@dataclass(frozen=True)
class QuantGranularity:
    """What has parameters of its own: PerTensor, PerChannel, or PerGroup(128)."""

    name: str
    group_size: Optional[int] = None

    PerTensor: ClassVar[QuantGranularity]
    PerChannel: ClassVar[QuantGranularity]

    @staticmethod
    def PerGroup(size: int) -> QuantGranularity:
        """Each so many columns of a row."""
        return QuantGranularity("group", size)


QuantGranularity.PerTensor = QuantGranularity("tensor")
QuantGranularity.PerChannel = QuantGranularity("channel")


@dataclass(frozen=True)
class QuantConfig:
    """What to quantize into; to_config() has the library's config."""

    quant_type: QuantType = QuantType.INT8
    scheme: QuantScheme = QuantScheme.Symmetric
    granularity: QuantGranularity = QuantGranularity.PerTensor

    @classmethod
    def int8_symmetric(cls) -> QuantConfig:
        return cls()

    @classmethod
    def int4_per_group(cls, group_size: int) -> QuantConfig:
        return cls(QuantType.INT4, granularity=QuantGranularity.PerGroup(group_size))

    @classmethod
    def fp16(cls) -> QuantConfig:
        return cls(QuantType.FP16)

    def to_config(self) -> Config:
        """InvalidArgumentError for a size of groups that cannot be."""
        if not self.quant_type.has_codes:
            return Config(format=self.quant_type.value)
        options: dict[str, OptionValue] = {"granularity": self.granularity.name}
        if self.granularity.group_size is not None:
            options["group_size"] = self.granularity.group_size
        return Config(format=self.quant_type.value, scheme=self.scheme.value, **options)

    def quantize(self, data: _Array) -> tensor.QuantizedTensor:
        """The library's tensor of an array."""
        return tensor.quantize(data, self.to_config())


@dataclass(frozen=True)
class QuantParams:
    """value = (code - zero_point) * scale."""

    scale: float
    zero_point: int
    quant_type: QuantType

    def _config(self) -> Config:
        _expect_codes(self.quant_type)
        return _config(self.quant_type, not self.zero_point)


@dataclass(frozen=True, eq=False)
class QuantizedTensor:
    """Codes with their parameters."""

    #: int8: a code for each element; packed, bytes with two; or those of floats.
    data: _Array
    shape: tuple[int, ...]
    params: QuantParams
    packed: bool

    @classmethod
    def _of(cls, made: tensor.QuantizedTensor, quant_type: QuantType) -> QuantizedTensor:
        scales, zeros = made.scales, made.zero_points
        params = QuantParams(float(scales[0]) if scales.size else 1.0,
                             int(zeros[0]) if zeros.size else 0, quant_type)
        return cls(made.codes.view(np.int8), made.shape, params, quant_type == QuantType.INT4)

    def dequantize(self) -> _Array:
        """The values, float32, of the tensor's shape. ValueError where data has another
        number of codes."""
        return self._tensor().dequantize()

    def size_bytes(self) -> int:
        """Of the data."""
        return int(self.data.nbytes)

    def memory_reduction(self) -> float:
        """The bytes of float32 values over those of the data; 1 of none."""
        return math.prod(self.shape) * 4 / self.size_bytes() if self.data.size else 1.0

    def metrics(self, original: _Array) -> QuantizationMetrics:
        """What was lost, by `compare`: mse, mae, sqnr_db and more."""
        return compare(np.reshape(original, self.shape), self._tensor())

    def _tensor(self) -> tensor.QuantizedTensor:
        params, shape = self.params, check_shape(self.shape)
        # All codes count, also the one that the symmetric scheme does not use.
        config = _config(params.quant_type, False)
        if not params.quant_type.has_codes:
            return tensor.QuantizedTensor.from_packed(self.data.view(np.uint8), shape=shape,
                                                      config=config)
        scales, zeros = np.array([params.scale], np.float32), _zero(params.zero_point)
        if self.packed:
            return tensor.QuantizedTensor.from_packed(self.data.view(np.uint8), scales, zeros,
                                                      shape=shape, config=config)
        return tensor.QuantizedTensor.from_codes(np.reshape(self.data, shape), scales, zeros,
                                                 config=config)


@dataclass(frozen=True)
class CalibrationMethod:
    """How a range is found: MinMax, MovingAverageMinMax, Percentile(0.999), Histogram (KL
    divergence)."""

    method: str
    percentile: Optional[float] = None

    MinMax: ClassVar[CalibrationMethod]
    MovingAverageMinMax: ClassVar[CalibrationMethod]
    Histogram: ClassVar[CalibrationMethod]

    @staticmethod
    def Percentile(share: float) -> CalibrationMethod:
        """The share of the values that is within: 0.5 to 1, not percent. ValueError."""
        return CalibrationMethod("percentile", _percent(share))


CalibrationMethod.MinMax = CalibrationMethod("minmax")
CalibrationMethod.MovingAverageMinMax = CalibrationMethod("moving_average")
CalibrationMethod.Histogram = CalibrationMethod("kl")


class Calibrator:
    """Finds parameters for values that go by. For one thread at a time."""

    def __init__(self, method: CalibrationMethod, quant_type: QuantType = QuantType.INT8,
                 symmetric: bool = True) -> None:
        self._type, self._symmetric = quant_type, symmetric
        options: dict[str, OptionValue] = {"method": method.method}
        if method.percentile is not None:
            options["percentile"] = method.percentile
        self._calibrator = (
            calibration.Calibrator.for_config(_config(quant_type, symmetric), **options)
            if quant_type.has_codes else calibration.Calibrator(**options))

    def observe(self, data: _Array) -> None:
        """Looks at values."""
        self._calibrator.observe(data)

    def compute_params(self) -> QuantParams:
        """What has come of it; of FP16 and BF16, which have none, a scale of 1. NoDataError
        before there were values."""
        if not self._type.has_codes:
            return QuantParams(1.0, 0, self._type)
        found = self._calibrator.params(_config(self._type, self._symmetric))
        zeros = found.zero_points
        return QuantParams(float(found.scales[0]), int(zeros[0]) if zeros.size else 0, self._type)

    def reset(self) -> None:
        """Forgets the values."""
        self._calibrator.reset()


def quantize(value: float, params: QuantParams) -> int:
    """The code of a number: round(value / scale) + zero_point, within the type's codes."""
    return int(quantize_tensor(np.array([value], np.float32), params)[0])


def dequantize(quantized: int, params: QuantParams) -> float:
    """(quantized - zero_point) * scale. ValueError for what is no code of the type."""
    if not -128 <= quantized <= 127:
        raise ValueError(f"quantized is {quantized}; codes of -128 to 127 are accepted")
    return float(dequantize_tensor(np.array([quantized], np.int8), params)[0])


def quantize_tensor(data: _Array, params: QuantParams) -> _Array:
    """A code for each value, int8, unpacked."""
    return _with_params(data, params).unpack()


def dequantize_tensor(data: _Array, params: QuantParams) -> _Array:
    """The values of unpacked codes, float32."""
    _expect_codes(params.quant_type)
    codes = np.asarray(data, np.int8)
    return QuantizedTensor(codes, codes.shape, params, packed=False).dequantize()


def quantize_tensor_auto(data: _Array, shape: Sequence[int], quant_type: QuantType
                         ) -> QuantizedTensor:
    """Quantizes with the parameters that the data ask for, symmetric, per tensor."""
    made = tensor.quantize(np.reshape(data, shape), _config(quant_type, True))
    return QuantizedTensor._of(made, quant_type)


def quantize_tensor_percentile(data: _Array, shape: Sequence[int], quant_type: QuantType,
                               percentile: float) -> QuantizedTensor:
    """The same, clipping what is beyond that share of the values, 0.5 to 1."""
    percent = _percent(percentile)
    if not quant_type.has_codes:
        return quantize_tensor_auto(data, shape, quant_type)
    made = post_training.quantize_tensor_percentile(
        np.reshape(data, shape), _config(quant_type, True), percent)
    return QuantizedTensor._of(made, quant_type)


def post_training_quantization(weights: _Array, calibration_data: Iterable[_Array],
                               quant_type: QuantType, method: CalibrationMethod
                               ) -> QuantizedTensor:
    """Quantizes weights with the parameters that the calibration data ask for. NoDataError
    without any."""
    calibrator = Calibrator(method, quant_type)
    for batch in calibration_data:
        calibrator.observe(batch)
    if not quant_type.has_codes:
        return quantize_tensor_auto(weights, np.shape(weights), quant_type)
    return QuantizedTensor._of(_with_params(weights, calibrator.compute_params()), quant_type)


def _config(quant_type: QuantType, symmetric: bool) -> Config:
    return QuantConfig(
        quant_type, QuantScheme.Symmetric if symmetric else QuantScheme.Asymmetric).to_config()


def _expect_codes(quant_type: QuantType) -> None:
    if not quant_type.has_codes:
        raise UnsupportedError(f"quant_type is {quant_type.name}, which has no codes with "
                               "parameters; INT8 and INT4 are accepted")


def _with_params(data: _Array, params: QuantParams) -> tensor.QuantizedTensor:
    config = params._config()
    zeros = _zero(params.zero_point) if params.zero_point else ()
    return post_training.quantize_static(data, [params.scale], zeros, config).tensor


def _zero(zero_point: int) -> _Array:
    if not -128 <= zero_point <= 127:
        raise ValueError(f"zero_point is {zero_point}; -128 to 127 is accepted")
    return np.array([zero_point], np.int8)


def _percent(share: float) -> float:
    """A share in the library's percent."""
    if not 0.5 <= share <= 1:
        raise ValueError(f"percentile is {share}; a share from 0.5 to 1 is accepted, such as "
                         "0.999")
    return share * 100
