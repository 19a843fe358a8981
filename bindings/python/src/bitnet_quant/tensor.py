"""Quantized tensors."""
from __future__ import annotations

import ctypes
import math
from typing import Any, NamedTuple, Optional, Sequence

import numpy as np

from . import _abi, registry
from . import context as contexts
from ._arrays import (ArrayArgument, DTypeLike, borrow, check_shape, dtype_id, dtype_name,
                      holder, holder_of, new_or, output, pointer, read_only, shape_argument,
                      view)
from ._handles import Handle, create, decode, read_shape
from ._loader import library
from ._options import OptionValue
from ._serialize import tensor_from_bytes, tensor_to_bytes
from .config import Config, ConfigLike, as_config


class QuantizedTensor:
    """An array in few bits: packed codes, scales, zero points, outliers, and the
    options they were made with. Made by `quantize`, `from_packed` or from a file.

    Immutable; any number of threads may use one. The arrays it shows are read-only
    views that keep the memory alive, also without the tensor.
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
    def from_packed(cls, codes: np.ndarray[Any, Any],
                    scales: Optional[np.ndarray[Any, Any]] = None,
                    zero_points: Optional[np.ndarray[Any, Any]] = None, *, shape: Sequence[int],
                    config: Optional[ConfigLike] = None, copy: bool = True,
                    context: Optional[contexts.Context] = None,
                    **options: OptionValue) -> QuantizedTensor:
        """A tensor from packed codes (uint8), scales and, for asymmetric schemes, zero
        points (int8) made elsewhere, in the layout `codes`, `scale_data` and
        `zero_points` show and of the sizes `quantized_sizes` gives.

        scales: float32, float16 or, for bfloat16, uint16, as the option scale_dtype
            says; or, for every kind of scales, their bytes as uint8. None where the
            format has no scales.
        copy: with False the tensor uses the arrays' memory and keeps them alive; they
            must not be written to any more.

        InvalidArgumentError names the first code, scale or zero point that cannot
        be. UnsupportedError with outliers.
        """
        lib = library()
        config = as_config(config, options)
        extents = check_shape(shape)
        parts = [
            borrow(codes, "codes", native=np.uint8, copy=copy),
            None if scales is None else _aligned(borrow(
                scales, "scales", native=_scale_type(scales, config), copy=copy), copy),
            None if zero_points is None else borrow(
                zero_points, "zero_points", native=np.int8, copy=copy),
        ]
        handle = create(
            _abi.bnq_tensor, lib.bnq_tensor_create, contexts.handle(context),
            config._handle, len(extents), shape_argument(extents),
            *_pointers(*parts), 0 if copy else _abi.TENSOR_BORROW,
            destroy="bnq_tensor_destroy", keep=None if copy else parts)
        return cls._own(handle)

    @classmethod
    def from_codes(cls, codes: np.ndarray[Any, Any],
                   scales: Optional[np.ndarray[Any, Any]] = None,
                   zero_points: Optional[np.ndarray[Any, Any]] = None, *,
                   config: Optional[ConfigLike] = None, context: Optional[contexts.Context] = None,
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
        """The options that say what it is (not how it was made: clip, rounding, seed,
        rule of the scales)."""
        return Config._own(create(_abi.bnq_config, library().bnq_tensor_config, self._handle,
                                  destroy="bnq_config_destroy"))

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
        """Bytes of codes, scales, zero points and outliers together."""
        return int(library().bnq_tensor_bytes(self._handle))

    @property
    def bits_per_weight(self) -> float:
        """Those bytes times 8 over the number of elements; 0 for an empty tensor."""
        return float(library().bnq_tensor_bits_per_weight(self._handle))

    @property
    def codes(self) -> np.ndarray[Any, Any]:
        """The packed codes, uint8. Of a format without scales they are the values,
        little-endian."""
        return self._view(library().bnq_tensor_codes, np.uint8)

    @property
    def scales(self) -> np.ndarray[Any, Any]:
        """The scales, float32, however they are stored (a view where that is as
        float32): one for the tensor; for each channel, token or block; or for each
        row its groups in order. Empty for formats without scales."""
        lib, config = library(), self.config
        if dtype_name(config.scale_dtype) == "F32" and not config.double_quant:
            return self.scale_data.view(np.float32)
        scales = np.empty(lib.bnq_tensor_scale_count(self._handle), np.float32)
        lib.bnq_tensor_read_scales(self._handle, pointer(scales, ctypes.c_float), scales.size)
        return read_only(scales)

    @property
    def scale_data(self) -> np.ndarray[Any, Any]:
        """The scales as they are stored, uint8: float32, float16 or bfloat16, or
        double quantized: n codes of 8 bits, zeros up to a multiple of 4 bytes, then as
        float32 the greatest |scale - offset| of each 256 scales, and the offset:
        scale i = dynamic_map()[code i] * greatest[i / 256] + offset."""
        return self._view(library().bnq_tensor_scales, np.uint8)

    @property
    def saturated_scales(self) -> int:
        """How many float16 or bfloat16 scales are at the ends of what their type
        holds, because the scale was beyond."""
        return int(library().bnq_tensor_saturated_scales(self._handle))

    @property
    def zero_points(self) -> np.ndarray[Any, Any]:
        """The zero points, int8, one for each scale; empty for symmetric schemes."""
        return self._view(library().bnq_tensor_zero_points, np.int8)

    @property
    def outlier_columns(self) -> np.ndarray[Any, Any]:
        """The indices, uint32, ascending, of those columns of the last dimension that
        are kept in 16 bits (option outlier_threshold)."""
        return self._view(library().bnq_tensor_outlier_columns, np.uint32)

    @property
    def outlier_values(self) -> np.ndarray[Any, Any]:
        """The values of the outlier columns: of the tensor's shape, with the last
        dimension that of outlier_columns. float16, or bfloat16 in uint16, as
        outlier_dtype says."""
        number = ctypes.c_int32()
        data = library().bnq_tensor_outlier_values(self._handle, ctypes.byref(number))
        columns = self.outlier_columns.size
        native = holder(self.outlier_dtype or "F16")
        return view(data, (*self.shape[:-1], columns), native, self._handle)

    @property
    def outlier_dtype(self) -> Optional[str]:
        """"F16" or "BF16"; None where there are no outliers."""
        number = ctypes.c_int32()
        library().bnq_tensor_outlier_values(self._handle, ctypes.byref(number))
        return decode(library().bnq_dtype_name(number.value)) if number.value else None

    def _view(self, getter: Any, kind: Any) -> np.ndarray[Any, Any]:
        count = ctypes.c_uint64()
        data = getter(self._handle, ctypes.byref(count))
        address = ctypes.cast(data, ctypes.c_void_p).value
        return view(address, (count.value,), np.dtype(kind), self._handle)

    def repack(self, packing: str, *, context: Optional[contexts.Context] = None
               ) -> QuantizedTensor:
        """The same tensor with its codes in another packing, without loss: one of the
        values of the option packing, such as "base3". UnsupportedError where the
        format does not have it."""
        number = Config(packing=packing)._number(registry.option("packing"))
        return self._own(create(_abi.bnq_tensor, library().bnq_tensor_repack,
                                contexts.handle(context), self._handle, number,
                                destroy="bnq_tensor_destroy"))

    def unpack(self, *, out: Optional[np.ndarray[Any, Any]] = None,
               context: Optional[contexts.Context] = None) -> np.ndarray[Any, Any]:
        """The codes one by one, int8, in the tensor's shape; into `out` if given.
        UnsupportedError for f16 and bf16, whose codes do not fit."""
        codes = new_or(out, self.shape, np.dtype(np.int8))
        library().bnq_tensor_unpack(contexts.handle(context), self._handle,
                                    pointer(codes, ctypes.c_int8), codes.size)
        return codes

    def dequantize(self, dtype: DTypeLike = "F32", *, out: Optional[np.ndarray[Any, Any]] = None,
                   rows: Optional[slice] = None, context: Optional[contexts.Context] = None
                   ) -> np.ndarray[Any, Any]:
        """The values, as float32, float16 or bfloat16 ("bf16", in a uint16 array, or
        ml_dtypes.bfloat16), rounded to nearest even.

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
        values = new_or(out, shape, holder_of(dtype))
        library().bnq_tensor_dequantize_rows(
            contexts.handle(context), self._handle, begin, count, dtype_id(name),
            values.ctypes.data, values.nbytes)
        return values

    def __reduce__(self) -> tuple[Any, ...]:
        config = self.config
        if config.outlier_threshold:
            # from_packed does not take these, but a file holds them.
            return _read, (tensor_to_bytes(self._handle),)
        return _restore, (self.codes, self.scale_data, self.zero_points, self.shape, config)

    def __repr__(self) -> str:
        return (f"QuantizedTensor(format={self.format!r}, shape={self.shape}, "
                f"bits_per_weight={self.bits_per_weight:.4g})")


def quantize(source: np.ndarray[Any, Any], config: Optional[ConfigLike] = None, *,
             dtype: Optional[DTypeLike] = None, copy: bool = False,
             context: Optional[contexts.Context] = None, **options: OptionValue
             ) -> QuantizedTensor:
    """Quantizes an array: quantize(weights, format="int8", granularity="channel").

    source: float64, float32 or float16, or uint16 with dtype="bf16", of rank 0 to
        8. It is read where it is; `copy` permits copying one that is not
        C-contiguous or of foreign byte order, and converting lists.
    config, options: what to quantize into: a Config, or its text, such as a preset's
        name; options change the config's.

    NonFiniteError names the index of the first NaN or infinity; UnsupportedError
    where the format cannot do what the options ask for.
    """
    config = as_config(config, options)
    array = ArrayArgument(source, "source", dtype=dtype, copy=copy)
    return QuantizedTensor._own(create(
        _abi.bnq_tensor, library().bnq_tensor_quantize, contexts.handle(context), config._handle,
        array, destroy="bnq_tensor_destroy"))


class Sizes(NamedTuple):
    """What quantizing gives: bytes of packed codes, bytes of scales as they are
    stored, and number of zero points (int8)."""

    code_bytes: int
    scale_bytes: int
    zero_points: int


def quantized_sizes(shape: Sequence[int], config: Optional[ConfigLike] = None,
                    **options: OptionValue) -> Sizes:
    """The sizes of what quantizing an array of that shape gives."""
    extents = check_shape(shape)
    sizes = ctypes.c_uint64(), ctypes.c_uint64(), ctypes.c_uint64()
    library().bnq_quantized_sizes(as_config(config, options)._handle, len(extents),
                                  shape_argument(extents), *map(ctypes.byref, sizes))
    return Sizes(*(size.value for size in sizes))


def quantize_into(source: np.ndarray[Any, Any], codes: np.ndarray[Any, Any],
                  scales: Optional[np.ndarray[Any, Any]] = None,
                  zero_points: Optional[np.ndarray[Any, Any]] = None,
                  config: Optional[ConfigLike] = None, *, dtype: Optional[DTypeLike] = None,
                  copy: bool = False, context: Optional[contexts.Context] = None,
                  **options: OptionValue) -> None:
    """Quantizes into the caller's arrays, one-dimensional, of the sizes
    `quantized_sizes` gives: codes uint8, scales as in QuantizedTensor.from_packed,
    zero points int8; None for what there is none of. They are written even if it
    fails. UnsupportedError with outliers, whose number depends on the data."""
    config = as_config(config, options)
    array = ArrayArgument(source, "source", dtype=dtype, copy=copy)
    sizes = quantized_sizes(array.shape, config)
    codes = output(codes, "codes", (sizes.code_bytes,), np.dtype(np.uint8))
    if scales is not None or sizes.scale_bytes:
        native = _scale_type(scales, config)
        scales = _aligned(output(
            scales, "scales", (sizes.scale_bytes // native.itemsize,), native))
    if zero_points is not None or sizes.zero_points:
        zero_points = output(zero_points, "zero_points", (sizes.zero_points,), np.dtype(np.int8))
    library().bnq_quantize(contexts.handle(context), config._handle, array,
                           *_pointers(codes, scales, zero_points))


def pack(codes: np.ndarray[Any, Any], config: Optional[ConfigLike] = None, *,
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


def dynamic_map() -> np.ndarray[Any, Any]:
    """The 256 values, float32, ascending, that the 8-bit codes of double quantized
    scales stand for: the signed dynamic map of bitsandbytes."""
    address = ctypes.cast(library().bnq_dynamic_map(), ctypes.c_void_p).value
    return view(address, (256,), np.dtype(np.float32), None)


def _pointers(codes: Optional[np.ndarray[Any, Any]], scales: Optional[np.ndarray[Any, Any]],
              zero_points: Optional[np.ndarray[Any, Any]]) -> list[Any]:
    """Pointer and bytes of each, as bnq_quantize and bnq_tensor_create take them."""
    arguments = []
    for array, kind in ((codes, ctypes.c_uint8), (scales, None), (zero_points, ctypes.c_int8)):
        arguments += [pointer(array, kind), 0 if array is None else array.nbytes]
    return arguments


def _scale_type(scales: Any, config: Config) -> np.dtype[Any]:
    """The dtype of an array of stored scales: their own, or that of bytes."""
    if config.double_quant or getattr(scales, "dtype", None) == np.uint8:
        return np.dtype(np.uint8)
    return holder(dtype_name(config.scale_dtype))


def _aligned(scales: np.ndarray[Any, Any], copy: bool = False) -> np.ndarray[Any, Any]:
    """`scales`, at an address where the library reads and writes them."""
    if scales.nbytes and scales.ctypes.data % 4:
        if not copy:
            raise ValueError("scales is not aligned to 4 bytes")
        scales = scales.copy()
    return scales


def _read(data: bytes) -> QuantizedTensor:
    """Makes an unpickled tensor of a file's bytes."""
    return QuantizedTensor._own(tensor_from_bytes(data))


def _restore(codes: Any, scale_data: Any, zero_points: Any, shape: tuple[int, ...],
             config: Config) -> QuantizedTensor:
    return QuantizedTensor.from_packed(codes, scale_data, zero_points, shape=shape, config=config)
