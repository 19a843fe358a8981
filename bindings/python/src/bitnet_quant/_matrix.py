"""numpy arrays as matrices for the operators: rows of any stride, without a copy."""
from __future__ import annotations

import ctypes
from typing import Any, Optional

import numpy as np

from . import _abi
from ._arrays import (DTypeLike, _known, dtype_id, dtype_name, holder, holder_of,
                      pointer)


class MatrixArgument:
    """A bnq_matrix over a numpy array, keeping alive all that it points to.

    The last dimension is that of the columns, the others together are the rows, which
    may lie apart. `scales` and `zero_points`, of int8 and uint8, are numbers or one for
    each row.
    """

    __slots__ = ("array", "dtype", "rows", "columns", "struct", "_scales", "_zero_points",
                 "_as_parameter_")

    def __init__(self, value: Any, what: str, *, dtype: Optional[DTypeLike] = None,
                 copy: bool = False, scales: Any = None, zero_points: Any = None) -> None:
        self.array = rows_of(value, what, copy)
        native = self.array.dtype
        known = _known(native)
        if dtype is not None:
            self.dtype = dtype_name(dtype)
            if native != holder(self.dtype) and known != self.dtype:
                raise TypeError(f"{what} has dtype {native}, but {self.dtype} elements are held "
                                f"in an array of {holder(self.dtype)}")
        elif known is None:
            raise TypeError(f"{what} has dtype {native}, which libbnq does not know")
        else:
            self.dtype = known
        matrix, stride = _as_rows(self.array)
        self.rows, self.columns = matrix
        self._scales = _of_rows(scales, np.dtype(np.float32), self.rows, f"scales of {what}")
        self._zero_points = _of_rows(zero_points, np.dtype(np.int32), self.rows,
                                     f"zero points of {what}")
        self.struct = _abi.bnq_matrix(
            self.array.ctypes.data, pointer(self._scales, ctypes.c_float),
            pointer(self._zero_points, ctypes.c_int32), self.rows, self.columns, stride,
            dtype_id(self.dtype), 0)
        self._as_parameter_ = ctypes.byref(self.struct)


def _as_rows(array: np.ndarray[Any, Any]) -> tuple[tuple[int, int], int]:
    """Rows and columns, and the bytes from row to row; ValueError where there is no such
    number."""
    columns = array.shape[-1] if array.ndim else 1
    rows = 1
    for extent in array.shape[:-1]:
        rows *= extent
    if rows == 0 or columns == 0:
        return (rows, columns), 0
    view = array.view()
    try:
        view.shape = (rows, columns)
    except AttributeError:
        raise ValueError("rows are not evenly spaced") from None
    if columns > 1 and view.strides[1] != array.itemsize:
        raise ValueError("the elements of a row do not lie together")
    stride = view.strides[0] if rows > 1 else 0
    if rows > 1 and stride < columns * array.itemsize:
        raise ValueError("rows overlap, or run backwards")
    return (rows, columns), stride


def rows_of(value: Any, what: str, copy: bool) -> np.ndarray[Any, Any]:
    """`value` as an array whose rows are evenly spaced; copied where it is not, and `copy`
    allows that."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{what} is a masked array; pass {what}.filled(value), or its .data")
    if not hasattr(value, "__array_interface__") and not hasattr(value, "__array__") and not copy:
        raise TypeError(f"{what} must be a numpy array, got {type(value).__name__}; pass "
                        "copy=True to have it converted")
    array = np.asarray(value)
    if array.dtype.hasobject or array.dtype.names is not None:
        raise TypeError(f"{what} has dtype {array.dtype}; numbers are expected")
    if not array.dtype.isnative:
        if not copy:
            raise TypeError(f"{what} has dtype {array.dtype.str!r}, of foreign byte order; pass "
                            "copy=True to have it converted")
        array = array.astype(array.dtype.newbyteorder("="))
    try:
        _as_rows(array)
    except ValueError as problem:
        if not copy:
            raise ValueError(f"{what}: {problem} (shape {array.shape}, strides {array.strides}); "
                             "pass copy=True to have it copied") from None
        array = np.array(array, order="C")
    return array


def output_rows(out: Any, shape: tuple[int, ...], dtype: Optional[DTypeLike],
                default: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """The array for a result: a new one where the caller gave none."""
    if out is None:
        return np.empty(shape, default if dtype is None else holder_of(dtype))
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be a numpy array, got {type(out).__name__}")
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}; {shape} is needed")
    if not out.flags.writeable:
        raise ValueError("out is read-only")
    return out


def _of_rows(values: Any, native: np.dtype[Any], rows: int, what: str
             ) -> Optional[np.ndarray[Any, Any]]:
    """A number, or one for each row, as the library takes them."""
    if values is None:
        return None
    array = np.asarray(values)
    if native.kind == "i" and array.dtype.kind not in "iu":
        raise TypeError(f"{what} have dtype {array.dtype}; integers are needed")
    if array.size not in (1, rows):
        raise ValueError(f"there are {array.size} {what}; 1 or {rows}, one for each row, are "
                         "accepted")
    return np.ascontiguousarray(np.broadcast_to(array.reshape(-1), (rows,)), native)
