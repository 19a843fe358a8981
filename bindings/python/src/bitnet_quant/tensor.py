"""Quantized tensors."""
from __future__ import annotations

import ctypes
import math
from typing import Any, Callable, Mapping, NamedTuple, Optional, Sequence

import numpy as np

from . import _abi, registry
from . import context as contexts
from ._arrays import (ArrayArgument, DTypeLike, borrow, check_shape, dtype_id, dtype_name,
                      holder, holder_of, importance_weights, new_or, output, pointer,
                      read_only, shape_argument, view)
from ._handles import Handle, create, decode, encode, read_shape
from ._loader import library
from ._options import OptionValue
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
            says; or, for every kind of scales (those of 8 bits are nothing else),
            their bytes as uint8. None where the format has no scales.
        copy: with False the tensor uses the arrays' memory and keeps them alive; they
            must not be written to any more.

        InvalidArgumentError names the first code, scale or zero point that cannot
        be. Outliers, offsets and a tensor's scale are further parts: see from_parts.
        """
        parts = {"codes": codes, "scales": scales, "zero_points": zero_points}
        return cls.from_parts(parts, shape=shape, config=config, copy=copy, context=context,
                              **options)

    @classmethod
    def from_parts(cls, parts: Mapping[str, Optional[np.ndarray[Any, Any]]], *,
                   shape: Sequence[int], config: Optional[ConfigLike] = None, copy: bool = True,
                   context: Optional[contexts.Context] = None, **options: OptionValue
                   ) -> QuantizedTensor:
        """A tensor from its parts by name, as `parts` shows them: those of from_packed,
        with outliers "outlier_columns" (uint32, ascending) and "outlier_values"
        (float16, or bfloat16 in uint16), for the scheme offset "offsets", stored as the
        scales are, with scale_dtype "e4m3" "tensor_scale" (one float32), and for the
        formats codebook2, 3 and 4 "codebook" (float32, ascending). Parts that are missing
        or None have no bytes.

        InvalidArgumentError names the part and index of what cannot be.
        """
        config = as_config(config, options)
        extents = check_shape(shape)
        known = {name: number for number, name in _part_names().items()}
        arrays, structs = [], []
        for name, array in parts.items():
            if name not in known:
                raise ValueError(f"parts has {name!r}; {', '.join(known)} are accepted")
            if array is None:
                continue
            array = borrow(array, name, native=_part_type(known[name], array, config), copy=copy)
            if known[name] in (_abi.PART_SCALES, _abi.PART_OFFSETS, _abi.PART_TENSOR_SCALE,
                                _abi.PART_CODEBOOK, _abi.PART_INPUT_SCALES):
                array = _aligned(array, name, copy)
            arrays.append(array)
            halves = known[name] == _abi.PART_OUTLIER_VALUES
            structs.append(_abi.bnq_part(
                data=array.ctypes.data, bytes=array.nbytes, count=array.size, part=known[name],
                dtype=dtype_id("BF16") if halves and array.dtype == np.uint16 else 0))
        return cls._own(create(
            _abi.bnq_tensor, library().bnq_tensor_create, contexts.handle(context),
            config._handle, len(extents), shape_argument(extents),
            (_abi.bnq_part * len(structs))(*structs), len(structs),
            0 if copy else _abi.TENSOR_BORROW,
            destroy="bnq_tensor_destroy", keep=None if copy else arrays))

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
        """Bytes of all parts together."""
        return int(library().bnq_tensor_bytes(self._handle))

    @property
    def bits_per_weight(self) -> float:
        """Those bytes times 8 over the number of elements; 0 for an empty tensor."""
        return float(library().bnq_tensor_bits_per_weight(self._handle))

    @property
    def parts(self) -> dict[str, np.ndarray[Any, Any]]:
        """What it is made of, by name: codes, scales as they are stored, zero points,
        outlier columns and their values, offsets, the tensor's scale, its codebook, what
        a layer's inputs are divided by (input_scales);
        without those of no bytes. from_parts makes the same tensor of them."""
        native: dict[int, Any] = {_abi.PART_CODES: np.uint8, _abi.PART_SCALES: np.uint8,
                                  _abi.PART_ZERO_POINTS: np.int8,
                                  _abi.PART_OUTLIER_COLUMNS: np.uint32,
                                  _abi.PART_OUTLIER_VALUES: holder(self.outlier_dtype or "F16"),
                                  _abi.PART_OFFSETS: np.uint8,
                                  _abi.PART_TENSOR_SCALE: np.float32,
                                  _abi.PART_CODEBOOK: np.float32,
                                  _abi.PART_INPUT_SCALES: np.float32}
        views = {name: self._view(number, native[number])
                 for number, name in _part_names().items()}
        return {name: array for name, array in views.items() if array.size}

    @property
    def codes(self) -> np.ndarray[Any, Any]:
        """The packed codes, uint8. Of a format without scales they are the values,
        little-endian."""
        return self._view(_abi.PART_CODES, np.uint8)

    @property
    def scales(self) -> np.ndarray[Any, Any]:
        """The scales, float32, however they are stored (a view where that is as
        float32): one for the tensor; for each channel, token or block; or for each
        row its groups in order. Empty for formats without scales."""
        return self._floats(_abi.PART_SCALES, library().bnq_tensor_read_scales)

    @property
    def scale_data(self) -> np.ndarray[Any, Any]:
        """The scales as they are stored, uint8: float32, float16 or bfloat16; of 8 bits,
        e8m0 or, as multiples of tensor_scale, e4m3; or double quantized: n codes of 8
        bits, zeros up to a multiple of 4 bytes, then as float32 the greatest
        |scale - offset| of each 256 scales, and the offset:
        scale i = dynamic_map()[code i] * greatest[i / 256] + offset."""
        return self._view(_abi.PART_SCALES, np.uint8)

    @property
    def tensor_scale(self) -> Optional[float]:
        """What scales of the scale_dtype "e4m3" are multiples of (`scales` are the
        products); None with others, and without any."""
        values = self._view(_abi.PART_TENSOR_SCALE, np.float32)
        return float(values[0]) if values.size else None

    @property
    def codebook(self) -> np.ndarray[Any, Any]:
        """The values that codes stand for, times their scale, of the formats codebook2, 3
        and 4: float32, [2^bits], ascending, a view. Empty with others."""
        return self._view(_abi.PART_CODEBOOK, np.float32)

    @property
    def offsets(self) -> np.ndarray[Any, Any]:
        """What the values of the scheme "offset" start from, float32, one for each
        scale, however they are stored (a view where that is as float32); empty for
        other schemes."""
        return self._floats(_abi.PART_OFFSETS, library().bnq_tensor_read_offsets)

    @property
    def offset_data(self) -> np.ndarray[Any, Any]:
        """The offsets as they are stored, uint8, in the same way as the scales."""
        return self._view(_abi.PART_OFFSETS, np.uint8)

    @property
    def saturated_scales(self) -> int:
        """How many float16 or bfloat16 scales are at the ends of what their type
        holds, because the scale was beyond."""
        return int(library().bnq_tensor_saturated_scales(self._handle))

    @property
    def zero_points(self) -> np.ndarray[Any, Any]:
        """The zero points, int8, one for each scale; empty for symmetric schemes."""
        return self._view(_abi.PART_ZERO_POINTS, np.int8)

    @property
    def outlier_columns(self) -> np.ndarray[Any, Any]:
        """The indices, uint32, ascending, of those columns of the last dimension that
        are kept in 16 bits (option outlier_threshold)."""
        return self._view(_abi.PART_OUTLIER_COLUMNS, np.uint32)

    @property
    def outlier_values(self) -> np.ndarray[Any, Any]:
        """The values of the outlier columns: of the tensor's shape, with the last
        dimension that of outlier_columns. float16, or bfloat16 in uint16, as
        outlier_dtype says."""
        columns = self.outlier_columns.size
        native = holder(self.outlier_dtype or "F16")
        data = self._part(_abi.PART_OUTLIER_VALUES).data
        return view(data, (*self.shape[:-1], columns), native, self._handle)

    @property
    def outlier_dtype(self) -> Optional[str]:
        """"F16" or "BF16"; None where there are no outliers."""
        part = self._part(_abi.PART_OUTLIER_VALUES)
        return decode(library().bnq_dtype_name(part.dtype)) if part.bytes else None

    def _part(self, number: int) -> _abi.bnq_part:
        part = _abi.bnq_part()
        library().bnq_tensor_part(self._handle, number, ctypes.byref(part))
        return part

    def _floats(self, number: int, read: Callable[..., Any]) -> np.ndarray[Any, Any]:
        """Scales or offsets: where they are float32, or as `read` makes them so."""
        part = self._part(number)
        if part.dtype == dtype_id("F32"):
            return self._view(number, np.float32)
        values = np.empty(part.count, np.float32)
        read(self._handle, pointer(values, ctypes.c_float), values.size)
        return read_only(values)

    def _view(self, number: int, kind: Any) -> np.ndarray[Any, Any]:
        part, native = self._part(number), np.dtype(kind)
        return view(part.data, (part.bytes // native.itemsize,), native, self._handle)

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
                   rows: Optional[slice] = None, overflow: str = "error",
                   context: Optional[contexts.Context] = None) -> np.ndarray[Any, Any]:
        """The values, as float32, float16 or bfloat16 ("bf16", in a uint16 array, or
        ml_dtypes.bfloat16), rounded to nearest even.

        rows: a slice without step of the first dimension (of the only row, for
            rank 0 and 1) instead of all of it.
        overflow: what becomes of a finite value that a 16-bit dtype would turn into
            infinity: "error" (NonFiniteError names the index), "saturate" (the
            dtype's greatest number) or "keep" (infinity).
        out: where to write: C-contiguous, of the result's shape and dtype.
        """
        name, on_overflow = dtype_name(dtype), overflow_id(overflow)
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
            on_overflow, values.ctypes.data, values.nbytes)
        return values

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.parts, self.shape, self.config)

    def __repr__(self) -> str:
        return (f"QuantizedTensor(format={self.format!r}, shape={self.shape}, "
                f"bits_per_weight={self.bits_per_weight:.4g})")


def overflow_id(overflow: str) -> int:
    """BNQ_OVERFLOW_* of its name. InvalidArgumentError lists the names."""
    number = ctypes.c_int32()
    library().bnq_overflow_id(encode(overflow, "overflow"), ctypes.byref(number))
    return number.value


def quantize(source: np.ndarray[Any, Any], config: Optional[ConfigLike] = None, *,
             dtype: Optional[DTypeLike] = None, copy: bool = False,
             importance: Optional[np.ndarray[Any, Any]] = None,
             context: Optional[contexts.Context] = None, **options: OptionValue
             ) -> QuantizedTensor:
    """Quantizes an array: quantize(weights, format="int8", granularity="channel").

    source: float64, float32 or float16, or uint16 with dtype="bf16", of rank 0 to
        8. It is read where it is; `copy` permits copying one that is not
        C-contiguous or of foreign byte order, and converting lists.
    config, options: what to quantize into: a Config, or its text, such as a preset's
        name; options change the config's.
    importance: a weight for the squared errors of each column of the last dimension,
        finite and not negative, usually the mean of x^2 of the layer's inputs; with
        scale_rule="mse". It is converted to float32. Only ratios count.

    NonFiniteError names the index of the first NaN or infinity; InvalidArgumentError
    what is wrong with the importance; UnsupportedError
    where the format cannot do what the options ask for.
    """
    config = as_config(config, options)
    array = ArrayArgument(source, "source", dtype=dtype, copy=copy)
    if importance is not None:
        weights = importance_weights(importance)
        return QuantizedTensor._own(create(
            _abi.bnq_tensor, library().bnq_tensor_quantize_weighted, contexts.handle(context),
            config._handle, array, pointer(weights, ctypes.c_float), weights.size,
            destroy="bnq_tensor_destroy"))
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
    fails. InvalidArgumentError with outliers, whose number depends on the data, and
    with offsets or a tensor's scale: `quantize` and `quantize_batch` take these."""
    config = as_config(config, options)
    array = ArrayArgument(source, "source", dtype=dtype, copy=copy)
    sizes = quantized_sizes(array.shape, config)
    codes = output(codes, "codes", (sizes.code_bytes,), np.dtype(np.uint8))
    if scales is not None or sizes.scale_bytes:
        native = _scale_type(scales, config)
        scales = _aligned(output(
            scales, "scales", (sizes.scale_bytes // native.itemsize,), native), "scales")
    if zero_points is not None or sizes.zero_points:
        zero_points = output(zero_points, "zero_points", (sizes.zero_points,), np.dtype(np.int8))
    library().bnq_quantize(contexts.handle(context), config._handle, array,
                           *_pointers(codes, scales, zero_points), None)


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
    """Pointer and bytes of each, as bnq_quantize takes them."""
    arguments = []
    for array, kind in ((codes, ctypes.c_uint8), (scales, None), (zero_points, ctypes.c_int8)):
        arguments += [pointer(array, kind), 0 if array is None else array.nbytes]
    return arguments


def _scale_type(scales: Any, config: Config) -> np.dtype[Any]:
    """The dtype of an array of stored scales: their own, or that of bytes."""
    if config.double_quant or getattr(scales, "dtype", None) == np.uint8:
        return np.dtype(np.uint8)
    # Those of 8 bits are no types of the library's by these names.
    return np.dtype({"f32": np.float32, "f16": np.float16, "bf16": np.uint16}.get(
        str(config.scale_dtype), np.uint8))


def _aligned(array: np.ndarray[Any, Any], name: str, copy: bool = False
             ) -> np.ndarray[Any, Any]:
    """`array`, at an address where the library reads and writes numbers."""
    if array.nbytes and array.ctypes.data % 4:
        if not copy:
            raise ValueError(f"{name} is not aligned to 4 bytes")
        array = array.copy()
    return array


def _part_names() -> dict[int, str]:
    """The names of a tensor's parts, by their numbers."""
    return {number: decode(library().bnq_part_name(number))
            for number in range(1, _abi.NUM_PARTS + 1)}


def _part_type(number: int, array: Any, config: Config) -> np.dtype[Any]:
    """The dtype of an array that is given as a part."""
    if number in (_abi.PART_SCALES, _abi.PART_OFFSETS):
        return _scale_type(array, config)
    if number == _abi.PART_OUTLIER_VALUES:
        is_bf16 = getattr(array, "dtype", None) == np.uint16
        return np.dtype(np.uint16 if is_bf16 else np.float16)
    return np.dtype({_abi.PART_ZERO_POINTS: np.int8, _abi.PART_TENSOR_SCALE: np.float32,
                     _abi.PART_CODEBOOK: np.float32, _abi.PART_INPUT_SCALES: np.float32,
                     _abi.PART_OUTLIER_COLUMNS: np.uint32}.get(number, np.uint8))


def _restore(parts: Mapping[str, Any], shape: tuple[int, ...], config: Config
             ) -> QuantizedTensor:
    return QuantizedTensor.from_parts(parts, shape=shape, config=config)
