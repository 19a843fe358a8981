"""How much was lost."""
from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional, Union

import numpy as np

from . import context as contexts
from . import registry
from ._arrays import ArrayArgument, DTypeLike, pointer
from ._handles import unsigned
from ._loader import library
from ._values import Values, read_values
from .tensor import QuantizedTensor


class Metrics(Values):
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

    __slots__ = ()

    if TYPE_CHECKING:
        mse: float
        mae: float
        max_error: float
        sqnr_db: float
        cosine: float


#: Its name in other quantizers.
QuantizationMetrics = Metrics


def read_metrics(call: Callable[..., int], *arguments: Any) -> Metrics:
    """The metrics that call(*arguments, double*, count) writes."""
    return read_values(Metrics, registry.metrics(), call, *arguments)


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
    source, counterpart = _arguments(original, other, dtype, other_dtype, copy)
    lib = library()
    function = lib.bnq_tensor_compare if _is_tensor(other) else lib.bnq_compare
    return read_metrics(function, contexts.handle(context), source, counterpart)


class ErrorHistogram(NamedTuple):
    """How errors, original - other, are distributed."""

    #: Errors in each of the bins, uint64, which are of equal width and go from
    #: -max_error to max_error, including both. All are in the middle one where
    #: max_error is 0.
    counts: np.ndarray[Any, Any]
    #: The greatest absolute value of an error.
    max_error: float
    #: The Kullback-Leibler divergence, in nats, of the other's values from the
    #: original's, both as histograms of as many bins over the range of both.
    kl_divergence: float

    @property
    def edges(self) -> np.ndarray[Any, Any]:
        """The edges of the bins, float64: one more than there are bins, as
        numpy.histogram gives them."""
        return np.linspace(-self.max_error, self.max_error, self.counts.size + 1)


def compare_histogram(original: np.ndarray[Any, Any],
                      other: Union[np.ndarray[Any, Any], QuantizedTensor], bins: int = 256, *,
                      dtype: Optional[DTypeLike] = None,
                      other_dtype: Optional[DTypeLike] = None, copy: bool = False,
                      context: Optional[contexts.Context] = None) -> ErrorHistogram:
    """The distribution of the errors in 2 to 65536 bins, and how far that of the
    values has moved. Arguments and errors as in `compare`."""
    source, counterpart = _arguments(original, other, dtype, other_dtype, copy)
    lib, number = library(), unsigned(bins, "bins", 32)
    counts = np.empty(number, np.uint64)
    max_error, divergence = ctypes.c_double(), ctypes.c_double()
    function = (lib.bnq_tensor_compare_histogram if _is_tensor(other)
                else lib.bnq_compare_histogram)
    function(contexts.handle(context), source, counterpart, number,
             pointer(counts, ctypes.c_uint64), ctypes.byref(max_error), ctypes.byref(divergence))
    return ErrorHistogram(counts, max_error.value, divergence.value)


def _is_tensor(other: Any) -> bool:
    return isinstance(other, QuantizedTensor)


def _arguments(original: Any, other: Any, dtype: Optional[DTypeLike],
               other_dtype: Optional[DTypeLike], copy: bool) -> tuple[ArrayArgument, Any]:
    """Both sides of a comparison, as the functions of the library take them."""
    source = ArrayArgument(original, "original", dtype=dtype, copy=copy)
    if _is_tensor(other):
        return source, other._handle
    return source, ArrayArgument(other, "other", dtype=other_dtype, copy=copy)
