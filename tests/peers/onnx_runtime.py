"""ONNX Runtime, by its C API: what it computes with a model."""
import ctypes
import functools

import find
import numpy as np

_FOLDERS = ("runtimes/{rid}/native",)
# Places in OrtApi, a table of functions to whose end alone releases add.
_FUNCTIONS = {"GetErrorMessage": 2, "CreateEnv": 3, "CreateSessionFromArray": 8, "Run": 9,
              "CreateSessionOptions": 10, "CreateTensorWithDataAsOrtValue": 49,
              "GetTensorMutableData": 51, "CreateCpuMemoryInfo": 69, "ReleaseEnv": 92,
              "ReleaseStatus": 93, "ReleaseMemoryInfo": 94, "ReleaseSession": 95,
              "ReleaseValue": 96, "ReleaseSessionOptions": 100}
_API_VERSION = 16  # float 8, and MatMulNBits, are of this one or before
_ELEMENTS = {"float32": 1, "uint8": 2, "int8": 3, "float16": 10}
_pointer = ctypes.c_void_p


class Error(Exception):
    """What ONNX Runtime says of a model that it does not run."""


@functools.lru_cache(maxsize=None)
def _api():
    path = find.find("BNQ_ONNXRUNTIME", "Microsoft.ML.OnnxRuntime", _FOLDERS, "onnxruntime")
    library = find.load(path)
    library.OrtGetApiBase.restype = ctypes.POINTER(_pointer * 2)
    get_api, get_version = library.OrtGetApiBase().contents
    table = ctypes.CFUNCTYPE(_pointer, ctypes.c_uint32)(get_api)(_API_VERSION)
    if not table:
        raise find.NotFound(f"{path} is too old")
    version = ctypes.CFUNCTYPE(ctypes.c_char_p)(get_version)().decode()
    return library, (_pointer * 128).from_address(table), version


def version():
    return _api()[2]


def _release(name, *handles):
    for handle in handles:
        if handle:
            ctypes.CFUNCTYPE(None, _pointer)(_api()[1][_FUNCTIONS["Release" + name]])(handle)


def _call(name, *arguments):
    """Integers are as wide as size_t, which also holds for enumerations in registers."""
    arguments = [ctypes.c_size_t(each) if isinstance(each, int) else each for each in arguments]
    table = _api()[1]
    status = ctypes.CFUNCTYPE(_pointer, *map(type, arguments))(
        table[_FUNCTIONS[name]])(*arguments)
    if status:
        message = ctypes.CFUNCTYPE(ctypes.c_char_p, _pointer)(
            table[_FUNCTIONS["GetErrorMessage"]])(status).decode()
        _release("Status", status)
        raise Error(message)


def _created(name, *arguments):
    out = _pointer()
    _call(name, *arguments, _pointer(ctypes.addressof(out)))
    return out


def run(model, x, y_shape, y_type=np.float32):
    """The output of a model with the input "x" and the output "y"."""
    x, out = np.ascontiguousarray(x), np.empty(y_shape, y_type)
    environment = _created("CreateEnv", 3, ctypes.c_char_p(b"bnq"))  # 3: errors alone
    options = session = memory = value = result = None
    try:
        options = _created("CreateSessionOptions")
        session = _created("CreateSessionFromArray", environment, ctypes.c_char_p(model),
                           len(model), options)
        memory = _created("CreateCpuMemoryInfo", 1, 0)  # an arena, the default memory
        shape = (ctypes.c_int64 * x.ndim)(*x.shape)
        value = _created("CreateTensorWithDataAsOrtValue", memory, _pointer(x.ctypes.data),
                         x.nbytes, shape, x.ndim, _ELEMENTS[x.dtype.name])
        result = _pointer()
        _call("Run", session, _pointer(), (ctypes.c_char_p * 1)(b"x"), (_pointer * 1)(value), 1,
              (ctypes.c_char_p * 1)(b"y"), 1, ctypes.pointer(result))
        data = _created("GetTensorMutableData", result)
        ctypes.memmove(out.ctypes.data, data, out.nbytes)
        return out
    finally:
        _release("Value", value, result)
        _release("MemoryInfo", memory)
        _release("Session", session)
        _release("SessionOptions", options)
        _release("Env", environment)
