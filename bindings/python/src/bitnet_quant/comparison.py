"""How much was lost."""
from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Callable, Iterator, Mapping, Optional, Union

from . import context as contexts
from . import registry
from ._arrays import ArrayArgument, DTypeLike
from ._loader import library
from .tensor import QuantizedTensor

if TYPE_CHECKING:
    import numpy as np


class Metrics(Mapping[str, float]):
    """The metrics of a comparison by name, which are also attributes. With a as
    the original, b as the other and e = a - b:

    mse: mean of e squared.
    mae: mean of the absolute value of e.
    max_error: the greatest absolute value of e.
    sqnr_db: 10 log10(sum of a squared / sum of e squared), in dB; infinity where
        they are equal.
    cosine: sum of ab / sqrt(sum of a squared * sum of b squared), in -1..1.

    A newer library may have more.
    """

    __slots__ = ("_values",)

    if TYPE_CHECKING:
        mse: float
        mae: float
        max_error: float
        sqnr_db: float
        cosine: float

    def __init__(self, values: Mapping[str, float]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> float:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> float:
        # Not for private names: unpickling asks for some before there are values.
        if not name.startswith("_") and name in self._values:
            return self._values[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute or metric {name!r}")

    def __repr__(self) -> str:
        return f"Metrics({', '.join(f'{k}={v:.6g}' for k, v in self._values.items())})"


def read_metrics(call: Callable[..., int], *arguments: Any) -> Metrics:
    """The metrics that call(*arguments, double*, count) writes."""
    names = registry.metrics()
    values = (ctypes.c_double * len(names))()
    call(*arguments, values, len(names))
    return Metrics(dict(zip(names, values)))


def compare(original: np.ndarray[Any, Any], other: Union[np.ndarray[Any, Any], QuantizedTensor],
            *, dtype: Optional[DTypeLike] = None, other_dtype: Optional[DTypeLike] = None,
            copy: bool = False, context: Optional[contexts.Context] = None) -> Metrics:
    """Compares an array with another, or with a quantized tensor as it would be
    dequantized (which is not done as a whole).

    Arrays are float64, float32 or float16, or uint16 with dtype="bf16" (for
    `original`) or other_dtype="bf16"; both of one shape. `copy` permits copying
    those that cannot be used as they are. NonFiniteError for NaN or infinity,
    NoDataError for empty arrays, InvalidArgumentError for different shapes.
    """
    source = ArrayArgument(original, "original", dtype=dtype, copy=copy)
    where = contexts.handle(context)
    if isinstance(other, QuantizedTensor):
        return read_metrics(library().bnq_tensor_compare, where, source, other._handle)
    return read_metrics(library().bnq_compare, where, source,
                        ArrayArgument(other, "other", dtype=other_dtype, copy=copy))
