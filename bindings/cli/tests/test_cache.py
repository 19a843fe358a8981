"""bnq cache, on a folder that a client of the library has filled."""

import ctypes
import os
import pathlib

import pytest
from conftest import run, run_json


def fill(folder, names):
    """An entry for each name: ternary tensors of [2, 4]. The command line itself keeps no
    layers, so this is the C API."""
    library = ctypes.CDLL(os.environ.get("BNQ_LIBRARY", "libbnq.so.1"))
    cache, config = ctypes.c_void_p(), ctypes.c_void_p()

    class Array(ctypes.Structure):
        _fields_ = [("data", ctypes.c_void_p), ("shape", ctypes.c_void_p),
                    ("dtype", ctypes.c_int32), ("rank", ctypes.c_int32)]

    assert library.bnq_cache_create(os.fsencode(folder), ctypes.byref(cache)) == 0
    assert library.bnq_config_from_text(b"ternary", ctypes.byref(config)) == 0
    shape = (ctypes.c_uint64 * 2)(2, 4)
    for number, name in enumerate(names):
        values = (ctypes.c_float * 8)(*range(number, number + 8))
        array = Array(ctypes.cast(values, ctypes.c_void_p), ctypes.cast(shape, ctypes.c_void_p),
                      1, 2)
        tensor = ctypes.c_void_p()
        assert library.bnq_cache_quantize(
            None, cache, config, ctypes.byref(array), None, ctypes.c_uint64(0), name.encode(),
            ctypes.byref(tensor), None) == 0
        library.bnq_tensor_destroy(tensor)
    library.bnq_config_destroy(config)
    library.bnq_cache_destroy(cache)


@pytest.fixture
def folder(tmp_path):
    fill(tmp_path / "layers", ["a/0", "a/1", "b\x1b/0"])
    return tmp_path / "layers"


def test_entries_are_listed_and_counted(folder):
    listed = run_json("cache", "list", "--folder", folder)
    assert listed["folder"] == str(folder)
    assert [entry["names"] for entry in listed["entries"]] == [["b\x1b/0"], ["a/1"], ["a/0"]]
    entry = listed["entries"][0]
    assert entry["shape"] == [2, 4] and entry["config"] == "format=ternary,granularity=tensor"
    assert not entry["damaged"] and len(entry["key"]) == 64 and entry["used"] > 1.5e9
    assert listed["bytes"] == sum(entry["bytes"] for entry in listed["entries"])
    found = run_json("cache", "stat", "--folder", folder)
    assert found["entries"] == found["names"] == 3 and found["damaged"] == 0
    assert found["bytes"] == listed["bytes"] and found["used_first"] <= found["used_last"]
    some = run_json("cache", "list", "--folder", folder, "--name", "a/*")
    assert [entry["names"] for entry in some["entries"]] == [["a/1"], ["a/0"]]
    text = run("cache", "list", "--folder", folder).stdout
    assert "a/0" in text and "b\\x1b/0" in text and "2x4" in text and "\x1b" not in text
    assert "entries: 3" in run("cache", "stat", "--folder", folder).stdout


def test_a_damaged_entry_is_set_aside(folder):
    assert run("cache", "verify", "--folder", folder).stdout.endswith(": ok\n")
    entry = run_json("cache", "list", "--folder", folder)["entries"][1]
    path = folder / entry["key"][:2] / f"{entry['key']}.bnq"
    path.write_bytes(path.read_bytes()[:-1])
    result = run("cache", "verify", "--folder", folder, code=3)
    assert "1 damaged entries, which have been set aside" in result.stderr
    assert path.with_suffix(".bad").exists() and not path.exists()
    assert run_json("cache", "stat", "--folder", folder)["damaged"] == 1
    assert run_json("cache", "verify", "--folder", folder)["damaged"] == 0


def test_entries_are_removed(folder):
    size = run_json("cache", "list", "--folder", folder)["entries"][0]["bytes"]
    assert run_json("cache", "trim", "--folder", folder, "--size", 2 * size)["removed"] == 1
    left = run_json("cache", "list", "--folder", folder)["entries"]
    assert [entry["names"] for entry in left] == [["b\x1b/0"], ["a/1"]]
    assert run("cache", "clear", "--folder", folder, "--name", "a/*").stdout == (
        "removed 1 entries\n")
    (folder / "mine.txt").write_text("mine")
    assert run_json("cache", "clear", "--folder", folder)["removed"] == 1
    assert run_json("cache", "list", "--folder", folder)["entries"] == []
    assert (folder / "mine.txt").read_text() == "mine"


def test_the_folder_is_that_of_the_environment(folder):
    environment = {**os.environ, "BNQ_CACHE": str(folder)}
    assert "entries: 3" in run("cache", "stat", env=environment).stdout
    for name in "BNQ_CACHE", "XDG_CACHE_HOME", "HOME":
        environment.pop(name, None)
    assert "--folder" in run("cache", "stat", env=environment, code=2).stderr


def test_wrong_usage_is_said(tmp_path):
    assert "--size" in run("cache", "trim", "--folder", tmp_path, code=2).stderr
    assert "ACTION" in run("cache", "shrink", "--folder", tmp_path, code=2).stderr
    run("cache", code=2)
    # A folder that is not there is an empty cache, and stays so.
    assert run_json("cache", "stat", "--folder", tmp_path / "none")["entries"] == 0
    assert not pathlib.Path(tmp_path / "none").exists()
