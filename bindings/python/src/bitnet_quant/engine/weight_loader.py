"""Weights from files, quantized as they are loaded: Ryzanstein's weight_loader.py."""
from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, dataclass, field
from typing import Any, Iterator, Optional, Sequence, Union

import numpy as np

from .. import errors
from .._arrays import dtype_id, dtype_name
from .._handles import StrPath
from .._loader import library
from ..cache import Cache
from ..comparison import compare
from ..config import Config
from ..conversion import Plan, as_plan, quantize_file
from ..files import File
from ..tensor import QuantizedTensor, quantize
from .quantization import QuantizationConfig, TernaryWeight, create_aggressive_config

_Array = Union["np.ndarray[Any, Any]"]  # numpy 1.20 cannot index it

#: What a model's weights are once loaded: ternary, in another format of the file's, or
#: an array.
Weight = Union[TernaryWeight, QuantizedTensor, "np.ndarray[Any, Any]"]

#: Files of torch.save.
_TORCH_SUFFIXES = (".pt", ".pth")


@dataclass
class WeightLoaderConfig:
    """Settings of a WeightLoader."""

    #: Whether weights become ternary; else they are loaded as they are.
    quantize: bool = True
    #: Into what. None: create_default_config().
    quantization_config: Optional[QuantizationConfig] = None
    #: create_aggressive_config() where there is no quantization_config.
    auto_aggressive: bool = False
    #: Refuse weights of more than two dimensions, as QuantizationEngine does; without, they
    #: are matrices with a row for each of the first dimension.
    validate_shapes: bool = False
    #: Measure the mean squared error of each weight.
    compute_error: bool = True
    #: Find what was quantized before in a Cache: in memory, or in cache_dir.
    use_cache: bool = False
    cache_dir: Optional[StrPath] = None


@dataclass
class LayerStats:
    """What became of one weight."""

    name: str
    shape: tuple[int, ...]
    #: Whether it was quantized; else it is as in the file.
    quantized: bool
    original_bytes: int
    compressed_bytes: int
    #: Mean squared error; None where it was not measured.
    error: Optional[float] = None


@dataclass
class CompressionStats:
    """What became of a model's weights."""

    layers: list[LayerStats] = field(default_factory=list)

    @property
    def total_parameters(self) -> int:
        return sum(math.prod(layer.shape) for layer in self.layers)

    @property
    def original_size_bytes(self) -> int:
        """In the file's data types."""
        return sum(layer.original_bytes for layer in self.layers)

    @property
    def compressed_size_bytes(self) -> int:
        return sum(layer.compressed_bytes for layer in self.layers)

    @property
    def compression_ratio(self) -> float:
        """The original size over the compressed; 1 of nothing."""
        compressed = self.compressed_size_bytes
        return self.original_size_bytes / compressed if compressed else 1.0

    @property
    def mean_error(self) -> Optional[float]:
        """The mean of the errors of the weights that were measured; None without any."""
        measured = self._errors()
        return math.fsum(measured) / len(measured) if measured else None

    @property
    def max_error(self) -> Optional[float]:
        """The greatest of these errors."""
        return max(self._errors(), default=None)

    def _errors(self) -> list[float]:
        return [layer.error for layer in self.layers if layer.error is not None]

    def to_dict(self) -> dict[str, Any]:
        """All of this, as for JSON."""
        names = ("total_parameters", "original_size_bytes", "compressed_size_bytes",
                 "compression_ratio", "mean_error", "max_error")
        return {**{name: getattr(self, name) for name in names},
                "layers": [asdict(layer) for layer in self.layers]}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2)


class WeightLoader:
    """Loads the weights of model files, and quantizes them:

        loader = WeightLoader()
        weights = loader.load("model.safetensors")
        print(loader.stats.to_json())

    What a Plan of the config takes (tensors of floats of two dimensions and more) becomes
    ternary, the rest stays. For one thread at a time.
    """

    __slots__ = ("config", "stats", "_cache")

    def __init__(self, config: Optional[WeightLoaderConfig] = None) -> None:
        self.config = WeightLoaderConfig() if config is None else config
        #: Of the last load.
        self.stats = CompressionStats()
        self._cache = Cache(self.config.cache_dir) if self.config.use_cache else None

    def load(self, path: StrPath, layer_filter: Optional[Sequence[str]] = None
             ) -> dict[str, Weight]:
        """The weights by name.

        path: whatever open_file takes, told by its content; or, where torch is there, a
            .pt or .pth of tensors by name, of which nothing is run (weights_only).
        layer_filter: substrings; weights whose name has none of them are left out.

        UnsupportedError where a model is quantized already, by whatever way the library
        knows: its codes and scales are no weights. A .bnq file's quantized tensors come as
        they are. An error about a weight names it.
        """
        if os.fspath(path).endswith(_TORCH_SUFFIXES):
            source: Any = _torch_arrays(path)
        else:
            source = _file_arrays(path, self.config.quantize)
        plan, weights, stats = self._plan(), {}, CompressionStats()
        for name, value, dtype in source:
            if layer_filter is not None and not any(part in name for part in layer_filter):
                continue
            try:
                weights[name] = self._weight(name, value, dtype, plan, stats)
            except (errors.BitNetQuantError, TypeError, ValueError) as error:
                raise errors.renamed(error, f"weight {name!r}") from error
        self.stats = stats
        return weights

    def _plan(self) -> Optional[Plan]:
        if not self.config.quantize:
            return None
        config = self.config.quantization_config
        if config is None:
            config = (create_aggressive_config() if self.config.auto_aggressive
                      else QuantizationConfig())
        return as_plan(config.to_cpp_config(), {})

    def _weight(self, name: str, value: Any, dtype: str, plan: Optional[Plan],
                stats: CompressionStats) -> Weight:
        if isinstance(value, QuantizedTensor):
            stats.layers.append(LayerStats(name, value.shape, True, value.nbytes, value.nbytes))
            return TernaryWeight(value) if value.format == "ternary" else value
        config = None
        if plan is not None and library().bnq_dtype_is_source(dtype_id(dtype)):
            config = plan.match(name, value.shape).config
        if config is None or not value.size:
            stats.layers.append(LayerStats(name, value.shape, False, value.nbytes, value.nbytes))
            return np.asarray(value)
        if self.config.validate_shapes and value.ndim > 2:
            raise ValueError(f"it has the shape {value.shape}; one or two dimensions are "
                             "accepted with validate_shapes")
        tensor = self._quantize(value, dtype, config)
        error = compare(value, tensor, dtype=dtype).mse if self.config.compute_error else None
        stats.layers.append(LayerStats(name, value.shape, True, value.nbytes, tensor.nbytes,
                                       error))
        return TernaryWeight(tensor)

    def _quantize(self, value: _Array, dtype: str, config: Config
                  ) -> QuantizedTensor:
        if self._cache is None:
            return quantize(value, config, dtype=dtype)
        return self._cache.quantize(value, config, dtype=dtype).tensor


def load_weights(path: StrPath, quantize: bool = False,
                 config: Optional[QuantizationConfig] = None,
                 layer_filter: Optional[Sequence[str]] = None) -> dict[str, Weight]:
    """The weights of a model file by name: arrays, or with `quantize` ternary where they
    are weights. See WeightLoader.load."""
    loader = WeightLoader(WeightLoaderConfig(quantize, config, compute_error=False))
    return loader.load(path, layer_filter)


def load_and_quantize(path: StrPath, config: Optional[QuantizationConfig] = None
                      ) -> dict[str, Weight]:
    """The same, quantized."""
    return load_weights(path, True, config)


def _file_arrays(path: StrPath, check: bool
                 ) -> Iterator[tuple[str, Any, str]]:
    """Names, tensors and data types ("" of quantized ones) of a model file."""
    with File(path) as file:
        if check and file.kind in ("safetensors", "safetensors-index"):
            # Says so where the model is quantized already. Nothing is done but that.
            quantize_file(path, None, Plan(), dry_run=True)
        for name in file:
            yield name, file[name], file.info(name).dtype or ""


def _torch_arrays(path: StrPath) -> Iterator[tuple[str, Any, str]]:
    """The same of a file of torch.save: a mapping from names to tensors."""
    try:
        import torch
    except ImportError as error:
        raise ImportError(f"{os.fspath(path)!r} is a file of torch.save, which needs torch; "
                          "safetensors, .npy and .bnq do not") from error
    loaded = torch.load(path, map_location="cpu", weights_only=True)
    for name, value in loaded.items():
        if not isinstance(value, torch.Tensor):
            raise TypeError(f"{os.fspath(path)!r} has {name!r}, a {type(value).__name__}; "
                            "tensors by name are accepted")
        value = value.detach().contiguous()
        if value.dtype == torch.bfloat16:
            yield name, value.view(torch.int16).numpy().view(np.uint16), "BF16"
        else:
            yield name, value.numpy(), dtype_name(value.numpy().dtype)
