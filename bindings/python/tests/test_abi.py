"""_abi.py says what bnq.h says, which capi/abi.json describes."""
import ctypes

import pytest
from bitnet_quant import __version__, _abi
from bitnet_quant._loader import library
from conftest import ABI

VALUES = {
    "void": None, "int8_t": ctypes.c_int8, "uint8_t": ctypes.c_uint8,
    "int32_t": ctypes.c_int32, "uint32_t": ctypes.c_uint32, "int64_t": ctypes.c_int64,
    "uint64_t": ctypes.c_uint64, "float": ctypes.c_float, "double": ctypes.c_double,
    "bnq_status": _abi.status, "bnq_log_fn": _abi.bnq_log_fn,
    "bnq_progress_fn": _abi.bnq_progress_fn, "bnq_task_fn": _abi.bnq_task_fn,
    "bnq_metric_fn": _abi.bnq_metric_fn,
}


def ctypes_of(declaration):
    """The ctypes type of a C type."""
    base = declaration.replace("const", " ").replace("*", " ").strip()
    stars = declaration.count("*")
    if base == "void" and stars:
        kind, stars = ctypes.c_void_p, stars - 1
    elif base == "char":
        kind, stars = ctypes.c_char_p, stars - 1
    elif base in VALUES:
        kind = VALUES[base]
    else:
        kind = getattr(_abi, base)
    for _ in range(stars):
        kind = ctypes.POINTER(kind)
    return kind


def plain(declaration):
    """ctypes_of, where a status is no more than the number it is: only what a function
    of the library returns is checked."""
    kind = ctypes_of(declaration)
    return ctypes.c_int32 if kind is _abi.status else kind


def parameters_of(function):
    return [plain(parameter["type"]) for parameter in function["parameters"]]


FUNCTIONS = {function["name"]: function for function in ABI["functions"]}
# Members of structs that are functions are callbacks, too.
CALLBACKS = {callback["name"]: callback for callback in ABI["callbacks"]}
CONSTANTS = {value["name"]: value["value"] for enum in ABI["enums"] for value in enum}
CONSTANTS.update(ABI["macros"])


def test_names():
    assert list(_abi.PROTOTYPES) == list(FUNCTIONS)


@pytest.mark.parametrize("name", list(_abi.PROTOTYPES))
def test_types(name):
    function = FUNCTIONS[name]
    assert _abi.PROTOTYPES[name] == (ctypes_of(function["returns"]), parameters_of(function))


def agrees(pointer, callback):
    """Whether a ctypes function pointer has the callback's types."""
    return (pointer._restype_ is plain(callback["returns"]) and
            list(pointer._argtypes_) == parameters_of(callback))


@pytest.mark.parametrize("name", list(CALLBACKS))
def test_callbacks(name):
    assert agrees(getattr(_abi, name), CALLBACKS[name])


def test_constants():
    values = {name.removeprefix("BNQ_"): value for name, value in CONSTANTS.items()}
    ours = {name: value for name, value in vars(_abi).items()
            if name.isupper() and isinstance(value, int)}
    assert ours == {name: values[name] for name in ours}
    assert len(ours) > 25
    statuses = {name for name in values if name.startswith("ERROR_")}
    assert statuses <= set(ours)


def test_package_version_is_the_headers():
    parts = [str(ABI["macros"][f"BNQ_VERSION_{part}"]) for part in ("MAJOR", "MINOR", "PATCH")]
    assert __version__ == ".".join(parts)


@pytest.mark.parametrize("struct", ABI["structs"], ids=lambda struct: struct["name"])
def test_structs(struct):
    declared = getattr(_abi, struct["name"])._fields_
    assert [field[0] for field in declared] == [field["name"] for field in struct["fields"]]
    for (name, kind), field in zip(declared, struct["fields"]):
        if "parameters" in field:
            assert agrees(kind, field), name
        else:
            assert kind is plain(field["type"]), name


def test_bnq_array_layout():
    word = ctypes.sizeof(ctypes.c_void_p)
    array = _abi.bnq_array
    assert (array.data.offset, array.shape.offset, array.dtype.offset, array.rank.offset) == (
        0, word, 2 * word, 2 * word + 4)
    assert ctypes.sizeof(array) == 2 * word + 8


def test_loaded_library_has_every_function_declared():
    for name, (_, parameters) in _abi.PROTOTYPES.items():
        function = getattr(library(), name)
        assert getattr(function, "__wrapped__", function).argtypes == parameters
