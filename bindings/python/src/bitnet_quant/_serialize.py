"""Tensors as the bytes of a .bnq file: what pickles hold that arrays cannot say."""
from __future__ import annotations

import ctypes

import numpy as np

from . import _abi
from ._handles import Handle, create
from ._loader import library

_NAME = b"tensor"


def tensor_to_bytes(tensor: Handle) -> bytes:
    """A .bnq file in memory with that tensor alone."""
    lib = library()
    writer = create(_abi.bnq_writer, lib.bnq_writer_create_memory, None, _abi.FILE_BNQ, 0,
                    destroy="bnq_writer_destroy")
    lib.bnq_writer_add_tensor(writer, _NAME, tensor)
    lib.bnq_writer_finish(writer)
    data, size = ctypes.c_void_p(), ctypes.c_uint64()
    lib.bnq_writer_bytes(writer, ctypes.byref(data), ctypes.byref(size))
    assert data.value is not None
    return ctypes.string_at(data.value, size.value)


def tensor_from_bytes(data: bytes) -> Handle:
    """The reverse. The handle keeps the bytes, which the tensor uses."""
    lib = library()
    buffer = np.frombuffer(data, np.uint8)
    file = create(_abi.bnq_file, lib.bnq_file_open_memory, None, buffer.ctypes.data,
                  buffer.nbytes, destroy="bnq_file_close", keep=buffer)
    index = ctypes.c_uint64()
    lib.bnq_file_find(file, _NAME, ctypes.byref(index))
    return create(_abi.bnq_tensor, lib.bnq_file_tensor, None, file, index.value,
                  destroy="bnq_tensor_destroy", keep=file)
