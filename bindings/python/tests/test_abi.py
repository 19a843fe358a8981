"""_abi.py says what bnq.h says."""
import ctypes
import re

import pytest
from bitnet_quant import __version__, _abi
from bitnet_quant._loader import library
from conftest import HEADER

SOURCE = re.sub(r"/\*.*?\*/", "", HEADER.read_text("utf-8"), flags=re.DOTALL)

VALUES = {
    "void": None, "int8_t": ctypes.c_int8, "uint8_t": ctypes.c_uint8,
    "int32_t": ctypes.c_int32, "uint32_t": ctypes.c_uint32, "int64_t": ctypes.c_int64,
    "uint64_t": ctypes.c_uint64, "float": ctypes.c_float, "double": ctypes.c_double,
    "bnq_status": _abi.status, "bnq_log_fn": _abi.bnq_log_fn,
    "bnq_progress_fn": _abi.bnq_progress_fn, "bnq_task_fn": _abi.bnq_task_fn,
    "bnq_metric_fn": _abi.bnq_metric_fn,
}


def ctypes_of(declaration):
    """The ctypes type of a C type, with or without a parameter's name."""
    words = declaration.replace("const", " ").replace("*", " * ").split()
    if words[-1] != "*" and len(words) > 1:
        words.pop()  # the name
    stars = words.count("*")
    base = words[0]
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


def header_functions():
    found = {}
    for result, name, parameters in re.findall(
            r"^BNQ_API\s+([\w\s*]+?)\s*(bnq_\w+)\(([^)]*)\);", SOURCE, flags=re.MULTILINE):
        parameters = [] if parameters.strip() == "void" else parameters.split(",")
        # The name that ctypes_of expects to drop stands in for the function's.
        # Only as a result is a status more than the number it is.
        kinds = [ctypes_of(parameter) for parameter in parameters]
        kinds = [ctypes.c_int32 if kind is _abi.status else kind for kind in kinds]
        found[name] = (ctypes_of(result + " f"), kinds)
    return found


def test_every_declaration_of_the_header_was_understood():
    assert len(header_functions()) == len(re.findall(r"^BNQ_API ", SOURCE, flags=re.MULTILINE)) > 90


def test_names():
    assert list(_abi.PROTOTYPES) == list(header_functions())


@pytest.mark.parametrize("name", list(_abi.PROTOTYPES))
def test_types(name):
    result, parameters = header_functions()[name]
    assert _abi.PROTOTYPES[name] == (result, parameters)


def test_constants():
    values = {name: int(value) for name, value in re.findall(r"\bBNQ_(\w+) = (\d+)", SOURCE)}
    values.update((name, int(value)) for name, value in re.findall(
        r"^#define BNQ_(\w+) (\d+)$", SOURCE, flags=re.MULTILINE))
    values.update((name, 2**64 - 1) for name in re.findall(
        r"^#define BNQ_(\w+) UINT64_MAX$", SOURCE, flags=re.MULTILINE))
    ours = {name: value for name, value in vars(_abi).items()
            if name.isupper() and isinstance(value, int)}
    assert ours == {name: values[name] for name in ours}
    assert len(ours) > 25
    statuses = {name for name in values if name.startswith("ERROR_")}
    assert statuses <= set(ours)


def test_package_version_is_the_headers():
    parts = [re.search(rf"BNQ_VERSION_{part} (\d+)", SOURCE).group(1)
             for part in ("MAJOR", "MINOR", "PATCH")]
    assert __version__ == ".".join(parts)


def test_struct_members():
    for name in ("bnq_array", "bnq_allocator", "bnq_runner"):
        body = re.search(rf"typedef struct {name} {{(.*?)}} {name};", SOURCE, re.DOTALL).group(1)
        members = [re.search(r"\(\*(\w+)\)|(\w+)$", " ".join(line.split()))
                   for line in body.split(";") if line.strip()]
        assert [m.group(1) or m.group(2) for m in members] == [
            field[0] for field in getattr(_abi, name)._fields_]


def test_bnq_array_layout():
    word = ctypes.sizeof(ctypes.c_void_p)
    array = _abi.bnq_array
    assert (array.data.offset, array.shape.offset, array.dtype.offset, array.rank.offset) == (
        0, word, 2 * word, 2 * word + 4)
    assert ctypes.sizeof(array) == 2 * word + 8


def test_loaded_library_has_every_function_declared():
    for name, (_, parameters) in _abi.PROTOTYPES.items():
        assert getattr(library(), name).argtypes == parameters
