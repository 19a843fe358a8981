"""Quantized tensors."""
from __future__ import annotations

import ctypes
import math
from typing import Any, NamedTuple, Optional, Sequence

import numpy as np

from . import _abi, registry
from . import context as contexts
from ._arrays import (ArrayArgument, DTypeLike, borrow, check_shape, dtype_id, dtype_name,
                      holder, new_or, output, pointer, shape_argument, view)
from ._handles import Handle, create, read_shape
from ._loader import library
from .config import Config, OptionValue, as_config, read_options


class QuantizedTensor:
    """An array in few bits: packed codes, scales, zero points, and the options
    they were made with. Made by `quantize`, `from_packed` or from a file.

    Immutable; any number of threads may use one. `codes`, `scales` and
    `zero_points` are views that keep the memory alive, also without the tensor.
    """

    __slots__ = ("_handle", "__weakref__")

    _handle: Handle

    def __init__(self) -> None:
        raise TypeError("use quantize(), QuantizedTensor.from_packed() or a file to make one")

    @classmethod
    def _own(cls, handle: Handle) -> QuantizedTensor:
        tensor = object.__new__(cls)
        tensor._handle = handle
        return tensor

    @classmethod
    def from_packed(cls, codes: np.ndarray[Any, Any], scales: np.ndarray[Any, Any],
                    zero_points: Optional[np.ndarray[Any, Any]] = None, *, shape: Sequence[int],
                    config: Optional[Config] = None, copy: bool = True,
                    context: Optional[contexts.Context] = None,
                    **options: OptionValue) -> QuantizedTensor:
        """A tensor from packed codes (uint8), scales (float32) and, for asymmetric
        schemes, zero points (int32) made elsewhere, in the layout `codes`, `scales`
        and `zero_points` show and of the sizes `quantized_sizes` gives.

        With copy=False the tensor uses the arrays' memory and keeps them alive;
        they must not be written to any more. InvalidArgumentError names the first
        code, scale or zero point that cannot be.
        """
        lib = library()
        extents = check_shape(shape)
        parts = [
            borrow(codes, "codes", native=np.uint8, copy=copy),
            borrow(scales, "scales", native=np.float32, copy=copy),
            None if zero_points is None else borrow(
                zero_points, "zero_points", native=np.int32, copy=copy),
        ]
        handle = create(
            _abi.bnq_tensor, lib.bnq_tensor_create, contexts.handle(context),
            as_config(config, options)._handle, len(extents), shape_argument(extents),
            *_pointers(*parts), 0 if copy else _abi.TENSOR_BORROW,
            destroy="bnq_tensor_destroy", keep=None if copy else parts)
        return cls._own(handle)

    @classmethod
    def from_codes(cls, codes: np.ndarray[Any, Any], scales: np.ndarray[Any, Any],
                   zero_points: Optional[np.ndarray[Any, Any]] = None, *,
                   config: Optional[Config] = None, context: Optional[contexts.Context] = None,
                   **options: OptionValue) -> QuantizedTensor:
        """A tensor from one code per element: an int8 array of the tensor's shape,
        as `unpack` returns. Otherwise as from_packed."""
        config = as_config(config, options)
        packed = pack(codes, config, context=context)
        return cls.from_packed(packed, scales, zero_points, shape=np.shape(codes), config=config,
                               context=context)

    @property
    def format(self) -> str:
        """The name of its format."""
        name = registry.format_name(library().bnq_tensor_format(self._handle))
        assert name is not None
        return name

    @property
    def config(self) -> Config:
        """The options it was made with."""
        lib = library()
        return Config.from_dict(read_options(
            lib.bnq_tensor_get_int, lib.bnq_tensor_get_float, self._handle))

    @property
    def shape(self) -> tuple[int, ...]:
        return read_shape(library().bnq_tensor_shape, self._handle)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def rows(self) -> int:
        """Rows of the matrix it counts as: the first dimension from rank 2 on,
        else 1."""
        return int(library().bnq_tensor_rows(self._handle))

    @property
    def columns(self) -> int:
        """Columns of that matrix: the product of the other dimensions."""
        return int(library().bnq_tensor_columns(self._handle))

    @property
    def nbytes(self) -> int:
        """Bytes of codes, scales and zero points together."""
        return int(library().bnq_tensor_bytes(self._handle))

    @property
    def bits_per_weight(self) -> float:
        """Those bytes times 8 over the number of elements; 0 for an empty tensor."""
        return float(library().bnq_tensor_bits_per_weight(self._handle))

    @property
    def codes(self) -> np.ndarray[Any, Any]:
        """The packed codes: a read-only view, uint8."""
        return self._view(library().bnq_tensor_codes, np.uint8)

    @property
    def scales(self) -> np.ndarray[Any, Any]:
        """The scales: a read-only view, float32. One for the tensor, for each
        channel, or for each row its groups in order."""
        return self._view(library().bnq_tensor_scales, np.float32)

    @property
    def zero_points(self) -> np.ndarray[Any, Any]:
        """The zero points: a read-only view, int32; empty for symmetric schemes."""
        return self._view(library().bnq_tensor_zero_points, np.int32)

    def _view(self, getter: Any, kind: Any) -> np.ndarray[Any, Any]:
        count = ctypes.c_uint64()
        data = getter(self._handle, ctypes.byref(count))
        address = ctypes.cast(data, ctypes.c_void_p).value
        return view(address, (count.value,), np.dtype(kind), self._handle)

    def unpack(self, *, out: Optional[np.ndarray[Any, Any]] = None,
               context: Optional[contexts.Context] = None) -> np.ndarray[Any, Any]:
        """The codes one by one, int8, in the tensor's shape; into `out` if given."""
        codes = new_or(out, self.shape, np.dtype(np.int8))
        library().bnq_tensor_unpack(contexts.handle(context), self._handle,
                                    pointer(codes, ctypes.c_int8), codes.size)
        return codes

    def dequantize(self, dtype: DTypeLike = "F32", *, out: Optional[np.ndarray[Any, Any]] = None,
                   rows: Optional[slice] = None, context: Optional[contexts.Context] = None
                   ) -> np.ndarray[Any, Any]:
        """The values, as float32, float16 or bfloat16 ("bf16", in a uint16 array),
        rounded to nearest even.

        rows: a slice without step of the first dimension (of the only row, for
            rank 0 and 1) instead of all of it.
        out: where to write: C-contiguous, of the result's shape and dtype.
        """
        name = dtype_name(dtype)
        shape, begin, count = self.shape, 0, self.rows
        if rows is not None:
            if not isinstance(rows, slice) or rows.step not in (None, 1):
                raise ValueError(f"rows is {rows!r}; a slice with step 1 is accepted")
            begin, end, _ = rows.indices(self.rows)
            count = max(end - begin, 0)
            shape = (count, *shape[1:]) if len(shape) > 1 else (count * self.columns,)
        values = new_or(out, shape, holder(name))
        library().bnq_tensor_dequantize_rows(
            contexts.handle(context), self._handle, begin, count, dtype_id(name),
            values.ctypes.data, values.nbytes)
        return values

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.codes, self.scales, self.zero_points, self.shape, self.config)

    def __repr__(self) -> str:
        return (f"QuantizedTensor(format={self.format!r}, shape={self.shape}, "
                f"bits_per_weight={self.bits_per_weight:.4g})")


def quantize(source: np.ndarray[Any, Any], config: Optional[Config] = None, *,
             dtype: Optional[DTypeLike] = None, copy: bool = False,
             context: Optional[contexts.Context] = None, **options: OptionValue
             ) -> QuantizedTensor:
    """Quantizes an array: quantize(weights, format="int8", granularity="channel").

    source: float64, float32 or float16, or uint16 with dtype="bf16", of rank 0 to
        8. It is read where it is; `copy` permits copying one that is not
        C-contiguous or of foreign byte order, and converting lists.
    config, options: what to quantize into; options change the config's.

    NonFiniteError names the index of the first NaN or infinity; UnsupportedError
    where the format cannot do what the options ask for.
    """
    config = as_config(config, options)
    array = ArrayArgument(source, "source", dtype=dtype, copy=copy)
    return QuantizedTensor._own(create(
        _abi.bnq_tensor, library().bnq_tensor_quantize, contexts.handle(context), config._handle,
        array, destroy="bnq_tensor_destroy"))


class Sizes(NamedTuple):
    """What quantizing gives: bytes of packed codes, number of scales (float32)
    and of zero points (int32)."""

    code_bytes: int
    scales: int
    zero_points: int


def quantized_sizes(shape: Sequence[int], config: Optional[Config] = None,
                    **options: OptionValue) -> Sizes:
    """The sizes of what quantizing an array of that shape gives."""
    extents = check_shape(shape)
    sizes = ctypes.c_uint64(), ctypes.c_uint64(), ctypes.c_uint64()
    library().bnq_quantized_sizes(as_config(config, options)._handle, len(extents),
                                  shape_argument(extents), *map(ctypes.byref, sizes))
    return Sizes(*(size.value for size in sizes))


def quantize_into(source: np.ndarray[Any, Any], codes: np.ndarray[Any, Any],
                  scales: np.ndarray[Any, Any],
                  zero_points: Optional[np.ndarray[Any, Any]] = None,
                  config: Optional[Config] = None, *, dtype: Optional[DTypeLike] = None,
                  copy: bool = False, context: Optional[contexts.Context] = None,
                  **options: OptionValue) -> None:
    """Quantizes into the caller's arrays: uint8, float32 and int32, one-dimensional,
    of the sizes `quantized_sizes` gives. They are written even if it fails."""
    config = as_config(config, options)
    array = ArrayArgument(source, "source", dtype=dtype, copy=copy)
    sizes = quantized_sizes(array.shape, config)
    codes = output(codes, "codes", (sizes.code_bytes,), np.dtype(np.uint8))
    scales = output(scales, "scales", (sizes.scales,), np.dtype(np.float32))
    if zero_points is not None or sizes.zero_points:
        zero_points = output(zero_points, "zero_points", (sizes.zero_points,), np.dtype(np.int32))
    library().bnq_quantize(contexts.handle(context), config._handle, array,
                           *_pointers(codes, scales, zero_points))


def pack(codes: np.ndarray[Any, Any], config: Optional[Config] = None, *,
         context: Optional[contexts.Context] = None, **options: OptionValue
         ) -> np.ndarray[Any, Any]:
    """Codes one by one (int8, of a tensor's shape) in the packed layout of the
    config's format. InvalidArgumentError names the first one out of range."""
    config = as_config(config, options)
    codes = borrow(codes, "codes", native=np.int8, copy=True)
    packed = np.empty(quantized_sizes(codes.shape, config).code_bytes, np.uint8)
    library().bnq_pack(contexts.handle(context), config._handle, codes.ndim,
                       shape_argument(codes.shape), pointer(codes, ctypes.c_int8), codes.size,
                       pointer(packed, ctypes.c_uint8), packed.size)
    return packed


def _pointers(codes: Optional[np.ndarray[Any, Any]], scales: Optional[np.ndarray[Any, Any]],
              zero_points: Optional[np.ndarray[Any, Any]]) -> list[Any]:
    """Pointer and count of each, as bnq_quantize and bnq_tensor_create take them."""
    arguments = []
    for array, kind in ((codes, ctypes.c_uint8), (scales, ctypes.c_float),
                        (zero_points, ctypes.c_int32)):
        arguments += [pointer(array, kind), 0 if array is None else array.size]
    return arguments


def _restore(codes: Any, scales: Any, zero_points: Any, shape: tuple[int, ...], config: Config
             ) -> QuantizedTensor:
    return QuantizedTensor.from_packed(codes, scales, zero_points if zero_points.size else None,
                                       shape=shape, config=config)
