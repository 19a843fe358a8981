"""libtorch, by the C functions that it keeps for compiled models (aoti_torch_*)."""
import ctypes
import functools

import find
import numpy as np

_FOLDERS = ("runtimes/{rid}/native",)
_pointer = ctypes.c_void_p


@functools.lru_cache(maxsize=None)
def library():
    """libtorch_cpu. find.NotFound where there is none, or one without 8-bit floats."""
    path = find.find("BNQ_LIBTORCH", "libtorch-cpu-linux-x64", _FOLDERS, "torch_cpu")
    torch = find.load(path)
    if not hasattr(torch, "aoti_torch_dtype_float8_e4m3fn"):
        raise find.NotFound(f"{path} is too old: it has no 8-bit floats")
    return torch


def _tensor(array, dtype):
    """A tensor of libtorch's that views the array."""
    out, one = _pointer(), (ctypes.c_int64 * 1)(1)
    status = library().aoti_torch_create_tensor_from_blob(
        _pointer(array.ctypes.data), ctypes.c_int64(1), (ctypes.c_int64 * 1)(array.size), one,
        ctypes.c_int64(0), ctypes.c_int32(dtype), library().aoti_torch_device_type_cpu(),
        ctypes.c_int32(0), ctypes.byref(out))
    assert status == 0, status
    return out


def cast(values, source, target, out):
    """A flat array of the type `source` into `out` of the type `target`, as
    tensor.to(target); types by libtorch's names: "float32", "float8_e4m3fn"."""
    values = np.ascontiguousarray(values)
    tensors = [_tensor(array, getattr(library(), f"aoti_torch_dtype_{name}")())
               for array, name in ((out, target), (values, source))]
    status = library().aoti_torch_copy_(*tensors, ctypes.c_int32(0))
    for each in tensors:
        library().aoti_torch_delete_tensor_object(each)
    assert status == 0, status
    return out
