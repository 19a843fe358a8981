"""numpy arrays as views for the library, and views of the library's memory."""
from __future__ import annotations

import ctypes
from typing import Any, Optional, Union

import numpy as np

from . import _abi
from ._handles import Handle, decode, encode
from ._loader import library

#: A data type: numpy's, or a name of the library's ("BF16"); see dtype_name.
DTypeLike = Union[str, type, "np.dtype[Any]"]

#: The numpy type that holds each of the library's, by the library's name. Types
#: that numpy lacks are held as unsigned integers of their width, those below a
#: byte as packed bytes.
_NUMPY = {
    "F64": "float64", "F32": "float32", "F16": "float16", "C64": "complex64", "BOOL": "bool",
    "I8": "int8", "I16": "int16", "I32": "int32", "I64": "int64",
    "U8": "uint8", "U16": "uint16", "U32": "uint32", "U64": "uint64",
}
_NATIVE = {np.dtype(numpy): name for name, numpy in _NUMPY.items()}

#: Types that other packages (ml_dtypes) add to numpy, by the names they have there.
_FOREIGN = {"bfloat16": "BF16"}


def _known(native: Optional[np.dtype[Any]]) -> Optional[str]:
    """The library's name of numpy's type; None where it has none."""
    return None if native is None else _NATIVE.get(native) or _FOREIGN.get(native.name)


def dtype_name(dtype: DTypeLike) -> str:
    """The library's name of a data type.

    A str in the spelling of safetensors, upper case, is a name of the library ("I8"
    has 8 bits); otherwise it means what numpy means by it ("i8" has 8 bytes, "f4" is
    float32), and the library's where that is nothing the library has ("bf16", "f32";
    also "f16", numpy's long double).
    """
    known = _known_name(dtype) if isinstance(dtype, str) else None
    if known is not None and known == dtype:
        return known
    try:
        native = np.dtype(dtype)
    except TypeError:
        native = None
    name = _known(native) or known
    if name is None:
        raise TypeError(f"dtype {dtype!r} is not a data type of libbnq; known are "
                        f"{', '.join(_NUMPY)}, 'BF16' and the other types of safetensors")
    return name


def _known_name(text: str) -> Optional[str]:
    """As the library reads it; None where it does not know it."""
    try:
        return decode(library().bnq_dtype_name(_dtype_id(text)))
    except KeyError:
        return None


def dtype_id(dtype: DTypeLike) -> int:
    """The library's number of a data type."""
    return _dtype_id(dtype_name(dtype))


def _dtype_id(name: str) -> int:
    number = ctypes.c_int32()
    library().bnq_dtype_id(encode(name, "dtype"), ctypes.byref(number))
    return number.value


def holder_of(dtype: DTypeLike) -> np.dtype[Any]:
    """The numpy type for results of a data type: the one that was asked for, where it is
    such as ml_dtypes has, else the holder."""
    if not isinstance(dtype, str) and np.dtype(dtype).name in _FOREIGN:
        return np.dtype(dtype)
    return holder(dtype_name(dtype))


def holder(name: str) -> np.dtype[Any]:
    """The numpy type that holds elements of the library's type `name`."""
    if name in _NUMPY:
        return np.dtype(_NUMPY[name])
    bits = library().bnq_dtype_bits(_dtype_id(name))
    return np.dtype(f"uint{bits}" if bits % 8 == 0 else "uint8")


class ArrayArgument:
    """A bnq_array over a numpy array, keeping alive all that it points to.

    `dtype` says what the elements are where numpy has no such type: "bf16" for
    a uint16 array. `shape` is needed only where elements are smaller than a
    byte, so that the array holds packed bytes.
    """

    __slots__ = ("array", "shape", "dtype", "struct", "_shape", "_as_parameter_")

    def __init__(self, value: Any, what: str, *, dtype: Optional[DTypeLike] = None,
                 copy: bool = False, shape: Optional[tuple[int, ...]] = None) -> None:
        self.array = borrow(value, what, copy=copy)
        native = self.array.dtype
        known = _known(native)
        if dtype is None:
            if known is None:
                raise TypeError(f"{what} has dtype {native}, which libbnq does not know; say "
                                "what its elements are with dtype=, such as dtype='bf16'")
            self.dtype = known
        else:
            self.dtype = dtype_name(dtype)
            if native != holder(self.dtype) and known != self.dtype:
                raise TypeError(f"{what} has dtype {native}, but {self.dtype} elements are held "
                                f"in an array of {holder(self.dtype)}")
        self.shape = self.array.shape if shape is None else check_shape(shape)
        number = _dtype_id(self.dtype)
        elements = 1
        for extent in self.shape:
            elements *= extent
        bits = elements * library().bnq_dtype_bits(number)
        if bits != self.array.nbytes * 8:
            raise ValueError(f"{what} holds {self.array.nbytes} bytes, but {self.dtype} elements "
                             f"of shape {self.shape} take {bits / 8:g}")
        self._shape = shape_argument(self.shape)
        self.struct = _abi.bnq_array(self.array.ctypes.data, self._shape, number,
                                     len(self.shape))
        self._as_parameter_ = ctypes.byref(self.struct)


def borrow(value: Any, what: str, *, copy: bool = False, native: Any = None
           ) -> np.ndarray[Any, Any]:
    """`value` as a C-contiguous array in native byte order, without copying it
    unless `copy` allows that where it is needed. With `native`, of that dtype and
    aligned to it; otherwise of any, as a bnq_array need not be aligned."""
    if isinstance(value, np.ma.MaskedArray):
        # Its data under the mask are anything, and would count.
        raise TypeError(f"{what} is a masked array; pass {what}.filled(value), or its .data")
    # Objects that lend their memory (arrays, CPU tensors of other packages,
    # buffers) become arrays as they are; lists and numbers would be converted.
    if not hasattr(value, "__array_interface__") and not hasattr(value, "__array__"):
        try:
            value = memoryview(value)
        except TypeError:
            if not copy:
                raise TypeError(f"{what} must be a numpy array, got {type(value).__name__}; "
                                "pass copy=True to have it converted") from None
    array = np.asarray(value)
    if array.dtype.hasobject or array.dtype.names is not None:
        raise TypeError(f"{what} has dtype {array.dtype}; numbers are expected")
    if not array.dtype.isnative:
        if not copy:
            raise TypeError(f"{what} has dtype {array.dtype.str!r}, of foreign byte order; pass "
                            "copy=True to have it converted")
        array = array.astype(array.dtype.newbyteorder("="))
    if not array.flags.c_contiguous:
        if not copy:
            raise ValueError(f"{what} is not C-contiguous (shape {array.shape}, strides "
                             f"{array.strides}, dtype {array.dtype}); pass copy=True to have it "
                             "copied")
        array = np.array(array, order="C")
    if native is not None:
        if array.dtype != native:
            raise TypeError(f"{what} has dtype {array.dtype}; {np.dtype(native)} is needed")
        if not array.flags.aligned:
            if not copy:
                raise ValueError(f"{what} is not aligned to its dtype {array.dtype}; pass "
                                 "copy=True to have it copied")
            array = np.array(array, order="C")
    return array


def output(out: Any, what: str, shape: tuple[int, ...], native: np.dtype[Any]
           ) -> np.ndarray[Any, Any]:
    """`out`, having made sure that the library can write such a result to it."""
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{what} must be a numpy array, got {type(out).__name__}")
    if out.dtype != native:
        raise TypeError(f"{what} has dtype {out.dtype.str!r}; {native.str!r} is needed")
    if out.shape != shape:
        raise ValueError(f"{what} has shape {out.shape}; {shape} is needed")
    if not out.flags.writeable:
        raise ValueError(f"{what} is read-only")
    if not (out.flags.c_contiguous and out.flags.aligned):
        raise ValueError(f"{what} is not C-contiguous and aligned (shape {out.shape}, strides "
                         f"{out.strides}, dtype {out.dtype})")
    return out


def new_or(out: Any, shape: tuple[int, ...], native: np.dtype[Any], what: str = "out"
           ) -> np.ndarray[Any, Any]:
    """The array for a result: a new one where the caller gave no `out`."""
    return np.empty(shape, native) if out is None else output(out, what, shape, native)


def pointer(array: Optional[np.ndarray[Any, Any]], kind: Any) -> Any:
    """The array's data as a pointer to `kind`, or void*; NULL for None."""
    if array is None:
        return None
    address = ctypes.c_void_p(array.ctypes.data)
    return address if kind is None else ctypes.cast(address, ctypes.POINTER(kind))


def importance_weights(importance: Any) -> np.ndarray[Any, Any]:
    """Weights of columns as the library takes them."""
    weights = np.ascontiguousarray(importance, np.float32)
    if weights.ndim != 1:
        raise ValueError(f"importance has shape {weights.shape}; one dimension is accepted")
    return weights


def check_shape(shape: Any) -> tuple[int, ...]:
    """`shape` as a tuple of integers that uint64_t holds."""
    extents = tuple(int(extent) for extent in shape)
    for extent in extents:
        if not 0 <= extent < 2**64:
            raise ValueError(f"shape {extents} has the dimension {extent}; 0 .. 2**64 - 1 is "
                             "accepted")
    return extents


def shape_argument(shape: tuple[int, ...]) -> Any:
    """A shape as uint64_t[]."""
    return (ctypes.c_uint64 * len(shape))(*shape)


def bfloat16_to_float32(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The float32 values, exactly, of bfloat16 elements: of a uint16 array that holds
    their bits, as `File` and `dequantize("bf16")` give them, or of ml_dtypes' bfloat16."""
    bits = np.asarray(values)
    if bits.dtype != np.uint16 and bits.dtype.name != "bfloat16":
        raise TypeError(f"values has dtype {bits.dtype}; uint16 is needed, or ml_dtypes' bfloat16")
    return (bits.view(np.uint16).astype(np.uint32) << 16).view(np.float32)


class _Memory:
    """What numpy asks for the memory of a handle. Arrays made from it have it
    as their base, so the handle lives as long as any of them."""

    __slots__ = ("__array_interface__", "_owner")

    def __init__(self, address: int, shape: tuple[int, ...], native: np.dtype[Any],
                 owner: Optional[Handle]) -> None:
        self.__array_interface__ = {
            "version": 3, "typestr": native.str, "shape": shape, "data": (address, True)}
        self._owner = owner


def view(address: Optional[int], shape: tuple[int, ...], native: np.dtype[Any],
         owner: Optional[Handle]) -> np.ndarray[Any, Any]:
    """A read-only array over memory that lives as long as `owner`; for ever, if
    there is none."""
    if not address:
        return read_only(np.empty(shape, native))
    return np.asarray(_Memory(address, shape, native, owner))


def read_only(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """`array`, which shows what cannot be changed by writing to it."""
    array.flags.writeable = False
    return array
