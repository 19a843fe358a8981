"""Activation functions, softmax and norms.

All of them take an array whose last dimension is a row (of any number of rows, also with
gaps: a slice of columns needs no copy) and give one of its shape. `out` is where the
result goes, which may be the array itself; `out_dtype` is its type, that of the array by
default. Elements are float32, float16 or, in uint16 with dtype="bf16", bfloat16. Results
are the same bits on every machine; bnq.h has the definitions and the errors.
"""
from __future__ import annotations

import ctypes
import math
from typing import Any, Callable, NamedTuple, Optional, Union

import numpy as np

from . import context as contexts
from ._arrays import DTypeLike, pointer
from ._handles import decode, encode
from ._loader import library
from ._matrix import MatrixArgument, output_rows

Array = Union["np.ndarray[Any, Any]"]  # numpy 1.20 cannot index it


class ActivationFunction(NamedTuple):
    """A function of one number."""

    name: str
    id: int
    #: What it is, as a formula.
    description: str


def activation_functions() -> tuple[ActivationFunction, ...]:
    """Those that `activate` knows."""
    lib = library()
    return tuple(ActivationFunction(decode(lib.bnq_function_name(number)), number,
                                    decode(lib.bnq_function_description(number)))
                 for number in range(lib.bnq_function_count()))


def function_id(name: str) -> int:
    """The library's number of a function. InvalidArgumentError lists the names."""
    number = ctypes.c_int32()
    library().bnq_function_id(encode(name, "function"), ctypes.byref(number))
    return number.value


def activate(x: Array, function: str, *, slope: float = math.nan,
             dtype: Optional[DTypeLike] = None, scale: Any = None, zero_point: Any = None,
             out: Optional[Array] = None, out_dtype: Optional[DTypeLike] = None,
             out_scale: Any = None, out_zero_point: Any = None, copy: bool = False,
             context: Optional[contexts.Context] = None) -> Array:
    """function(x), for a function by name: "relu", "gelu", ...; see activation_functions.

    `slope` is that of "leaky_relu", which must have one. Arrays of int8 and uint8 are
    codes: they need `scale`, and may have `zero_point`, a number or one for each row; the
    result is then codes of `out_scale` and `out_zero_point`, or floats where `out_dtype`
    says so. `copy` permits copying what cannot be used as it is.
    """
    lib = library()
    number = function_id(function)

    def call(source: MatrixArgument, result: MatrixArgument) -> None:
        lib.bnq_activate(contexts.handle(context), number, slope, source, result)

    return _apply(call, x, dtype, out, out_dtype, copy, scales=(scale, out_scale),
                  zero_points=(zero_point, out_zero_point))


def softmax(x: Array, *, dtype: Optional[DTypeLike] = None, out: Optional[Array] = None,
            out_dtype: Optional[DTypeLike] = None, copy: bool = False,
            context: Optional[contexts.Context] = None) -> Array:
    """e^(x - max) / sum of e^(x - max) of each row. -inf, for what is masked, gives 0, and
    a row of it zeros."""
    lib = library()
    return _apply(lambda source, result: lib.bnq_softmax(contexts.handle(context), source, result),
                  x, dtype, out, out_dtype, copy)


def rms_norm(x: Array, weight: Optional[Array] = None, *, eps: float,
             dtype: Optional[DTypeLike] = None, out: Optional[Array] = None,
             out_dtype: Optional[DTypeLike] = None, copy: bool = False,
             context: Optional[contexts.Context] = None) -> Array:
    """x / sqrt(mean of x^2 + eps) * weight of each row; `weight` has a float32 for each
    column."""
    lib = library()

    def call(source: MatrixArgument, result: MatrixArgument) -> None:
        lib.bnq_rms_norm(contexts.handle(context), source,
                         pointer(_of_columns(weight, "weight", source), ctypes.c_float), eps,
                         result)

    return _apply(call, x, dtype, out, out_dtype, copy)


def layer_norm(x: Array, weight: Optional[Array] = None, bias: Optional[Array] = None, *,
               eps: float, dtype: Optional[DTypeLike] = None, out: Optional[Array] = None,
               out_dtype: Optional[DTypeLike] = None, copy: bool = False,
               context: Optional[contexts.Context] = None) -> Array:
    """(x - mean) / sqrt(mean of (x - mean)^2 + eps) * weight + bias of each row; `weight`
    and `bias` have a float32 for each column."""
    lib = library()

    def call(source: MatrixArgument, result: MatrixArgument) -> None:
        weights = _of_columns(weight, "weight", source)
        biases = _of_columns(bias, "bias", source)
        lib.bnq_layer_norm(contexts.handle(context), source, pointer(weights, ctypes.c_float),
                           pointer(biases, ctypes.c_float), eps, result)

    return _apply(call, x, dtype, out, out_dtype, copy)


def _apply(call: Callable[[MatrixArgument, MatrixArgument], Any], x: Any,
           dtype: Optional[DTypeLike], out: Optional[Array], out_dtype: Optional[DTypeLike],
           copy: bool, scales: tuple[Any, Any] = (None, None),
           zero_points: tuple[Any, Any] = (None, None)) -> Array:
    source = MatrixArgument(x, "x", dtype=dtype, copy=copy, scales=scales[0],
                            zero_points=zero_points[0])
    result = output_rows(out, source.array.shape, out_dtype, source.array.dtype)
    if out_dtype is None and result.dtype == source.array.dtype:
        out_dtype = source.dtype
    call(source, MatrixArgument(result, "out", dtype=out_dtype, scales=scales[1],
                                zero_points=zero_points[1]))
    return result


def _of_columns(values: Any, what: str, source: MatrixArgument) -> Optional[Array]:
    """float32, one for each column, or None."""
    if values is None:
        return None
    array: Array = np.ascontiguousarray(values, np.float32)
    if array.shape != (source.columns,):
        raise ValueError(f"{what} has shape {array.shape}; ({source.columns},), one for each "
                         "column, is needed")
    return array
