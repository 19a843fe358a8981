"""Many arrays in one call, shared out among a context's threads."""
from __future__ import annotations

import ctypes
from typing import Any, Iterable, Optional, Sequence

import numpy as np

from . import _abi, errors
from . import context as contexts
from ._arrays import ArrayArgument, DTypeLike, dtype_id, dtype_name, holder_of, new_or, pointer
from ._handles import Handle
from ._loader import library
from ._options import OptionValue
from .config import Config, ConfigLike, as_config
from .tensor import QuantizedTensor, Sizes, overflow_id, quantized_sizes


def quantize_batch(arrays: Iterable[np.ndarray[Any, Any]], config: Optional[ConfigLike] = None, *,
                   dtype: Optional[DTypeLike] = None, copy: bool = False,
                   context: Optional[contexts.Context] = None, **options: OptionValue
                   ) -> list[QuantizedTensor]:
    """Quantizes arrays, each of its own shape, into one config: what `quantize`
    gives for each, but many small ones keep the context's threads busy.

    arrays: as in `quantize`; `dtype` and `copy` are about all of them.

    An error names the array: "array 3: ...".
    """
    config = as_config(config, options)
    sources = [ArrayArgument(array, f"arrays[{index}]", dtype=dtype, copy=copy)
               for index, array in enumerate(arrays)]
    sizes = [_sizes(index, source.shape, config) for index, source in enumerate(sources)]
    count = len(sources)
    codes = [np.empty(size.code_bytes, np.uint8) for size in sizes]
    scales = [np.empty(size.scale_bytes, np.uint8) for size in sizes]
    zero_points = [np.empty(size.zero_points, np.int8) for size in sizes]
    tensors = (ctypes.POINTER(_abi.bnq_tensor) * count)()
    library().bnq_quantize_batch(
        contexts.handle(context), config._handle, count,
        (_abi.bnq_array * count)(*(source.struct for source in sources)),
        _pointers(codes, ctypes.c_uint8), _sizes_of(codes), _pointers(scales), _sizes_of(scales),
        _pointers(zero_points, ctypes.c_int8), _sizes_of(zero_points), tensors)
    return [QuantizedTensor._own(Handle(tensor, library().bnq_tensor_destroy, keep=parts))
            for tensor, *parts in zip(tensors, codes, scales, zero_points)]


def dequantize_batch(tensors: Iterable[QuantizedTensor], dtype: DTypeLike = "F32", *,
                     out: Optional[Sequence[np.ndarray[Any, Any]]] = None,
                     overflow: str = "error",
                     context: Optional[contexts.Context] = None) -> list[np.ndarray[Any, Any]]:
    """The values of tensors, as QuantizedTensor.dequantize gives them, in one call
    and without memory that grows with the batch.

    out: where to write: an array for each tensor, C-contiguous, of its shape and
        of the dtype. They must not overlap.
    """
    on_overflow = overflow_id(overflow)
    given = list(tensors)
    for index, tensor in enumerate(given):
        if not isinstance(tensor, QuantizedTensor):
            raise TypeError(f"tensors[{index}] must be a QuantizedTensor, got "
                            f"{type(tensor).__name__}")
    if out is not None and len(out) != len(given):
        raise ValueError(f"out has {len(out)} arrays; {len(given)} are needed")
    name, native, count = dtype_name(dtype), holder_of(dtype), len(given)
    values = [new_or(None if out is None else out[index], tensor.shape, native,
                     f"out[{index}]") for index, tensor in enumerate(given)]
    library().bnq_dequantize_batch(
        contexts.handle(context), count,
        (ctypes.POINTER(_abi.bnq_tensor) * count)(
            *(tensor._handle._as_parameter_ for tensor in given)),
        dtype_id(name), on_overflow, _pointers(values), _sizes_of(values))
    return values


def _sizes(index: int, shape: tuple[int, ...], config: Config) -> Sizes:
    try:
        return quantized_sizes(shape, config)
    except errors.BitNetQuantError as error:
        assert error.status is not None
        # As the library says it of what it finds while it quantizes.
        raise errors.from_status(error.status, f"array {index}: {error}") from None


def _pointers(arrays: Sequence[np.ndarray[Any, Any]], kind: Any = None) -> Any:
    """Where arrays are, as kind*[]; as void*[] without a kind."""
    if kind is None:
        return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))
    return (ctypes.POINTER(kind) * len(arrays))(*(pointer(array, kind) for array in arrays))


def _sizes_of(arrays: Sequence[np.ndarray[Any, Any]]) -> Any:
    """Their bytes, as uint64_t[]."""
    return (ctypes.c_uint64 * len(arrays))(*(array.nbytes for array in arrays))
