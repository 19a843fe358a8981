"""Ternary weights and int8 activations: the classes of Ryzanstein's quantization.py."""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Sequence, TypeVar, Union

import numpy as np

from .. import errors
from .._arrays import DTypeLike
from ..cache import Cache
from ..calibration import Calibrator
from ..comparison import compare
from ..config import Config
from ..post_training import quantize_static
from ..tensor import QuantizedTensor, quantize, quantized_sizes

_Array = Union["np.ndarray[Any, Any]"]  # numpy 1.20 cannot index it
_Result = TypeVar("_Result")

_MB = 1024**2


class QuantConfig(Config):
    """What both sides are quantized into, by Ryzanstein's four properties, which can be
    set. It is the Config of the weights; `activations` is that of the activations.

    per_group_scaling: a scale for each weight_group_size weights in order, whatever the
        rows; or one for the tensor.
    activation_clip_value: activations beyond it are clipped; the symmetric scale is
        activation_clip_value / 127, whatever the data are. With 0 nothing is clipped, and
        the data decide.
    symmetric_activations: no zero point.
    """

    __slots__ = ("activations",)

    #: What activations are quantized into: int8, with a clip.
    activations: Config

    def __init__(self, per_group_scaling: bool = True, weight_group_size: int = 128,
                 activation_clip_value: float = 6.0, symmetric_activations: bool = True) -> None:
        super().__init__(format="ternary", scale_rule="mse", group_size=weight_group_size,
                         granularity="block" if per_group_scaling else "tensor")
        self.activations = Config.preset(
            "int8_symmetric" if symmetric_activations else "int8_asymmetric",
            clip=activation_clip_value)

    def _become(self, **options: Any) -> None:
        self._handle = self.replace(**options)._handle

    @property
    def per_group_scaling(self) -> bool:
        return bool(self.granularity != "tensor")

    @per_group_scaling.setter
    def per_group_scaling(self, value: bool) -> None:
        self._become(granularity="block" if value else "tensor")

    @property
    def weight_group_size(self) -> int:
        return int(self.group_size)

    @weight_group_size.setter
    def weight_group_size(self, value: int) -> None:
        self._become(group_size=value)

    @property
    def activation_clip_value(self) -> float:
        return float(self.activations.clip)

    @activation_clip_value.setter
    def activation_clip_value(self, value: float) -> None:
        self.activations = self.activations.replace(clip=value)

    @property
    def symmetric_activations(self) -> bool:
        return bool(self.activations.scheme == "symmetric")

    @symmetric_activations.setter
    def symmetric_activations(self, value: bool) -> None:
        self.activations = self.activations.replace(
            scheme="symmetric" if value else "asymmetric")

    def __eq__(self, other: object) -> bool:
        if isinstance(other, QuantConfig) and self.activations != other.activations:
            return False
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return QuantConfig, (self.per_group_scaling, self.weight_group_size,
                             self.activation_clip_value, self.symmetric_activations)


@dataclass
class QuantizationConfig:
    """Settings of a QuantizationEngine; the first four are those of QuantConfig.

    dtype_weights: of what dequantize_weights returns, as in QuantizedTensor.dequantize.
    dtype_activations: likewise.
    """

    weight_group_size: int = 128
    per_group_scaling: bool = True
    activation_clip_value: float = 6.0
    symmetric_activations: bool = True
    dtype_weights: DTypeLike = np.float32
    dtype_activations: DTypeLike = np.float32

    def to_cpp_config(self) -> QuantConfig:
        """The Config of the weights, with that of the activations."""
        return QuantConfig(self.per_group_scaling, self.weight_group_size,
                           self.activation_clip_value, self.symmetric_activations)

    @classmethod
    def from_cpp_config(cls, cpp_config: Config) -> QuantizationConfig:
        """The reverse. Of a Config of weights alone: activations are at their defaults.
        ValueError where that is not ternary, per tensor or in blocks."""
        if (cpp_config.format, cpp_config.granularity) not in (("ternary", "block"),
                                                               ("ternary", "tensor")):
            raise ValueError(f"cpp_config is {cpp_config.text!r}; ternary with the granularity "
                             "block or tensor is accepted")
        found = cls(int(cpp_config.group_size), cpp_config.granularity == "block")
        if isinstance(cpp_config, QuantConfig):
            found.activation_clip_value = cpp_config.activation_clip_value
            found.symmetric_activations = cpp_config.symmetric_activations
        return found


class TernaryWeight:
    """Ternary weights: a QuantizedTensor, `tensor`, in Ryzanstein's words. Immutable."""

    __slots__ = ("tensor", "shape", "_values")

    def __init__(self, tensor: QuantizedTensor, shape: Optional[tuple[int, ...]] = None) -> None:
        """shape: of the array it was made of; the tensor's if None. ValueError where the
        tensor is not ternary, or the shape has another number of elements."""
        if tensor.format != "ternary":
            raise ValueError(f"tensor has the format {tensor.format!r}; 'ternary' is needed")
        #: The tensor itself.
        self.tensor = tensor
        #: Of the array that it was made of.
        self.shape = tensor.shape if shape is None else tuple(shape)
        if math.prod(self.shape) != tensor.size:
            raise ValueError(f"shape is {self.shape}; the tensor has {tensor.size} elements")
        self._values: Optional[_Array] = None

    @property
    def values(self) -> _Array:
        """-1, 0 or 1 for each weight: int8, [size], row by row, read-only. Unpacked when
        first asked for; the tensor has them in 2 bits."""
        if self._values is None:
            values = self.tensor.unpack().reshape(-1)
            values.flags.writeable = False
            self._values = values
        return self._values

    @property
    def scales(self) -> _Array:
        """A scale for each group, float32, read-only."""
        return self.tensor.scales

    @property
    def rows(self) -> int:
        return self.shape[0] if self.shape else 1

    @property
    def cols(self) -> int:
        """The product of the dimensions but the first; 1 of a vector."""
        return math.prod(self.shape[1:])

    @property
    def group_size(self) -> int:
        """Weights that share a scale; all of them, where there is one scale."""
        config = self.tensor.config
        return self.tensor.size if config.granularity == "tensor" else int(config.group_size)

    def get_scale(self, group_idx: int) -> float:
        """The scale of a group. IndexError, which Ryzanstein's does not have."""
        scales = self.scales
        if not 0 <= group_idx < scales.size:
            raise IndexError(f"group_idx is {group_idx}; there are {scales.size} scales")
        return float(scales[group_idx])

    def size(self) -> int:
        """The number of weights."""
        return self.tensor.size

    def num_scales(self) -> int:
        return int(self.scales.size)

    def __repr__(self) -> str:
        return (f"TernaryWeight(rows={self.rows}, cols={self.cols}, "
                f"group_size={self.group_size}, num_scales={self.num_scales()})")


class QuantizedActivation:
    """Activations in int8 with one scale: a QuantizedTensor, `tensor`, in Ryzanstein's
    words. Immutable."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: QuantizedTensor) -> None:
        if tensor.format != "int8" or tensor.scales.size != 1:
            raise ValueError(f"tensor has the format {tensor.format!r} and {tensor.scales.size} "
                             "scales; 'int8' with one is needed")
        #: The tensor itself.
        self.tensor = tensor

    @property
    def values(self) -> _Array:
        """The codes, int8, [size]."""
        return self.tensor.unpack().reshape(-1)

    @property
    def scale(self) -> float:
        return float(self.tensor.scales[0])

    @property
    def zero_point(self) -> int:
        """0 where the scheme is symmetric."""
        points = self.tensor.zero_points
        return int(points[0]) if points.size else 0

    def size(self) -> int:
        """The number of activations."""
        return self.tensor.size

    def __repr__(self) -> str:
        return (f"QuantizedActivation(size={self.size()}, scale={self.scale:.6g}, "
                f"zero_point={self.zero_point})")


class QuantizationEngine:
    """Quantizes weights and activations as a config says, and keeps results by name if
    asked to. For one thread at a time."""

    __slots__ = ("config", "_weights", "_activations", "_keys")

    def __init__(self, config: Optional[QuantizationConfig] = None) -> None:
        #: May be changed at any time.
        self.config = QuantizationConfig() if config is None else config
        self._weights: dict[str, tuple[str, TernaryWeight]] = {}
        self._activations: dict[str, tuple[str, QuantizedActivation]] = {}
        self._keys = Cache()

    def quantize_weights(self, weights: _Array, name: Optional[str] = None,
                         cache: bool = False) -> TernaryWeight:
        """Ternary weights of a float32 array of one or two dimensions; a vector is a
        column. With `name` and `cache` the result is kept, and returned again for the
        same name, values and config: for other values of that name it is made anew, where
        Ryzanstein's returns the old one. ValueError."""
        matrix = _checked(weights, "weights")
        if matrix.ndim > 2:
            raise ValueError(f"weights has shape {matrix.shape}; one or two dimensions are "
                             "accepted")
        config: Config = self.config.to_cpp_config()
        return self._kept(self._weights, name if cache else None, matrix, config,
                          lambda: TernaryWeight(quantize(matrix, config)))

    def dequantize_weights(self, ternary: TernaryWeight) -> _Array:
        """The weights, in the shape that they had."""
        return _dequantized(ternary, self.config.dtype_weights)

    def quantize_activations(self, activations: _Array, name: Optional[str] = None,
                             cache: bool = False) -> QuantizedActivation:
        """Activations, float32, of any shape, in int8. name, cache: as in
        quantize_weights."""
        values = _checked(activations, "activations")
        config = self.config.to_cpp_config().activations
        return self._kept(self._activations, name if cache else None, values, config,
                          lambda: QuantizedActivation(_quantized(values, config)))

    def dequantize_activations(self, quant_act: QuantizedActivation) -> _Array:
        """The activations, in the shape that they had."""
        return quant_act.tensor.dequantize(self.config.dtype_activations)

    def compute_error(self, original: _Array, quantized: _Array) -> float:
        """The mean squared error, in double precision. ValueError for different shapes,
        or none."""
        return compute_quantization_error(original, quantized)

    def quantize_and_measure(self, weights: _Array, recover: bool = True) -> dict[str, Any]:
        """`ternary`; `compression`, the bytes of the array over those of codes and
        scales; and with `recover` `recovered`, the weights dequantized, and `error`,
        their mean squared error."""
        ternary = self.quantize_weights(weights)
        found: dict[str, Any] = {"ternary": ternary,
                                 "compression": weights.nbytes / ternary.tensor.nbytes}
        if recover:
            found["recovered"] = self.dequantize_weights(ternary)
            found["error"] = compare(_checked(weights, "weights"), ternary.tensor).mse
        return found

    def get_cache_stats(self) -> dict[str, int]:
        """How many results are kept: cached_weights, cached_activations."""
        return {"cached_weights": len(self._weights),
                "cached_activations": len(self._activations)}

    def clear_cache(self, weights: bool = True, activations: bool = True) -> None:
        """Forgets the results that are kept."""
        if weights:
            self._weights.clear()
        if activations:
            self._activations.clear()

    def _kept(self, kept: dict[str, tuple[str, _Result]], name: Optional[str], values: _Array,
              config: Config, make: Any) -> _Result:
        """What make() gives; if there is a name, kept by it for these values and config."""
        if name is None:
            result: _Result = make()
            return result
        key = f"{self._keys.key(values, config)} {config.text}"
        found = kept.get(name)
        if found is None or found[0] != key:
            found = kept[name] = (key, make())
        return found[1]

    def __repr__(self) -> str:
        return f"QuantizationEngine({self.config!r})"


class BatchQuantizer:
    """Quantizes weights by name."""

    __slots__ = ("engine",)

    def __init__(self, config: Optional[QuantizationConfig] = None) -> None:
        #: What does it.
        self.engine = QuantizationEngine(config)

    @property
    def config(self) -> QuantizationConfig:
        return self.engine.config

    def quantize_dict(self, weights_dict: Mapping[str, _Array], measure_error: bool = False
                      ) -> dict[str, Any]:
        """A TernaryWeight for each name; with `measure_error` also the mean squared error
        as "<name>_error". What fails raises and names the weight, where Ryzanstein's
        leaves it out with a warning; so does a weight that is called as an error is."""
        results: dict[str, Any] = {}
        for name, weights in weights_dict.items():
            try:
                measured = self.engine.quantize_and_measure(weights, recover=measure_error)
            except (errors.BitNetQuantError, TypeError, ValueError) as error:
                raise errors.renamed(error, f"weight {name!r}") from error
            if name in results or (measure_error and f"{name}_error" in weights_dict):
                raise ValueError(f"weight {name!r}: the name of an error is a weight's, too")
            results[name] = measured["ternary"]
            if measure_error:
                results[f"{name}_error"] = measured["error"]
        return results

    def quantize_layer_weights(self, layer_dict: Mapping[str, _Array]
                               ) -> dict[str, TernaryWeight]:
        """The weights of a layer: quantize_dict without errors."""
        return self.quantize_dict(layer_dict)


def create_default_config() -> QuantizationConfig:
    """Groups of 128, activations clipped at 6."""
    return QuantizationConfig()


def create_aggressive_config() -> QuantizationConfig:
    """Fewer bits: groups of 256, activations clipped at 4."""
    return QuantizationConfig(weight_group_size=256, activation_clip_value=4.0)


def estimate_model_size(weights_shapes: Mapping[str, Sequence[int]],
                        original_dtype_bits: int = 32,
                        config: Optional[QuantizationConfig] = None) -> dict[str, float]:
    """original_mb and ternary_mb (of 1024^2 bytes) of weights of these shapes, and their
    compression_ratio: exactly what quantize_weights makes, codes and scales, where
    Ryzanstein's takes 0.21 of the original whatever the config. `estimate_file` does so
    for a model file. ValueError where there are no weights."""
    into = (QuantizationConfig() if config is None else config).to_cpp_config()
    original = ternary = 0
    for name, shape in weights_shapes.items():
        try:
            sizes = quantized_sizes(shape, into)
        except (errors.BitNetQuantError, TypeError, ValueError) as error:
            raise errors.renamed(error, f"weight {name!r}") from error
        original += math.prod(shape) * original_dtype_bits
        ternary += sizes.code_bytes + sizes.scale_bytes
    if not ternary:
        raise ValueError("weights_shapes has no weights")
    return {"original_mb": original / 8 / _MB, "ternary_mb": ternary / _MB,
            "compression_ratio": original / 8 / ternary}


def quantize_weights_ternary(weights: _Array, rows: int, cols: int,
                             config: Optional[QuantConfig] = None) -> TernaryWeight:
    """Ternary weights of a float32 array of rows * cols elements, taken row by row."""
    matrix = _checked(weights, "weights")
    if rows * cols != matrix.size:
        raise ValueError(f"weights has {matrix.size} elements; rows * cols is {rows * cols}")
    into = QuantConfig() if config is None else config
    return TernaryWeight(quantize(matrix.reshape(rows, cols), into))


def quantize_activations_int8(activations: _Array, config: Optional[QuantConfig] = None
                              ) -> QuantizedActivation:
    """Activations, float32, of any shape, in int8."""
    into = (QuantConfig() if config is None else config).activations
    return QuantizedActivation(_quantized(_checked(activations, "activations"), into))


def dequantize_weights(ternary: TernaryWeight) -> _Array:
    """The weights, float32, in the shape that they had."""
    return _dequantized(ternary, np.float32)


def dequantize_activations(quant_act: QuantizedActivation) -> _Array:
    """The activations, float32, in the shape that they had."""
    return quant_act.tensor.dequantize()


def compute_quantization_error(original: _Array, quantized: Union[_Array, TernaryWeight]
                               ) -> float:
    """The mean squared error, in double precision. ValueError for different shapes, or
    none."""
    if isinstance(quantized, TernaryWeight):
        quantized = dequantize_weights(quantized)
    if np.shape(original) != np.shape(quantized):
        raise ValueError(f"Shape mismatch: original has {np.shape(original)}, quantized "
                         f"{np.shape(quantized)}")
    return compare(original, quantized, copy=True).mse


def _checked(array: Any, what: str) -> _Array:
    """The array as the library takes it: float32, C-contiguous, with elements."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{what} must be a numpy array, got {type(array).__name__}")
    if array.dtype != np.float32:
        raise ValueError(f"{what} has dtype {array.dtype}; FP32 (float32) is needed")
    if array.size == 0:
        raise ValueError(f"{what} is empty: its shape is {array.shape}")
    return np.ascontiguousarray(array)


def _quantized(values: _Array, config: Config) -> QuantizedTensor:
    """Activations in int8: a clip is the range of symmetric ones, whatever they are."""
    clip = float(config.clip)
    if not clip or config.scheme != "symmetric":
        return quantize(values, config)
    calibrator = Calibrator.for_config(config)
    calibrator.observe(np.array([-clip, clip], np.float32))
    return quantize_static(values, *calibrator.params(config)).tensor


def _dequantized(ternary: TernaryWeight, dtype: DTypeLike) -> _Array:
    return ternary.tensor.dequantize(dtype).reshape(ternary.shape)
