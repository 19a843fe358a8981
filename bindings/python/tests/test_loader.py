"""Where the library is looked for, and what is said if none can be used."""
import os
import subprocess
import sys

import numpy as np
import pytest
from bitnet_quant import LibraryLoadError, _abi, _loader, library_path, targets
from conftest import ROOT


def run(code, **environment):
    """Runs Python code with the package on its path; its output."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "bindings/python/src"), **environment}
    env = {name: value for name, value in env.items() if value is not None}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True,
                          check=True).stdout


def test_order_of_the_search(monkeypatch):
    monkeypatch.delenv("BNQ_LIBRARY", raising=False)
    tried = list(_loader.candidates())
    names = _loader._file_names()
    package = ROOT / "bindings/python/src/bitnet_quant"
    # Inside the package; where this checkout builds it; by soname.
    folders = [package / "lib", ROOT / "build"]
    ours = [str(folder / name) for folder in folders for name in names]
    assert tried[:len(ours) + 1] == [*ours, names[0]]


def test_environment_is_the_only_choice(monkeypatch):
    monkeypatch.setenv("BNQ_LIBRARY", "/nowhere/libbnq.so")
    assert list(_loader.candidates()) == ["/nowhere/libbnq.so"]


def test_library_path_is_what_the_environment_says():
    assert library_path() == os.environ["BNQ_LIBRARY"]


def test_diagnosis():
    out = subprocess.run([sys.executable, "-m", "bitnet_quant"], capture_output=True, text=True,
                         env={**os.environ, "PYTHONPATH": str(ROOT / "bindings/python/src")},
                         check=True).stdout
    said = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert said["file"] == os.path.realpath(library_path())
    assert said["by"] == f"BNQ_LIBRARY={os.environ['BNQ_LIBRARY']}"
    assert f"ABI version {_abi.ABI_VERSION} " in said["library"]
    assert f"target    {targets()[0].name}: " in out
    assert np.__version__ == said["numpy"]


def test_import_needs_no_library():
    assert run("import bitnet_quant; print('imported')", BNQ_LIBRARY="/nowhere") == "imported\n"


def test_failure_lists_everything_that_was_tried(tmp_path):
    text = tmp_path / "libbnq.so"
    text.write_text("not a library")
    out = run("import bitnet_quant as b\n"
              "try: b.version()\n"
              "except b.LibraryLoadError as e: print(isinstance(e, ImportError), e.attempts, e)",
              BNQ_LIBRARY=str(text))
    assert out.startswith("True ") and out.count(str(text)) >= 2
    assert "BNQ_LIBRARY" in out


def test_failure_without_environment(monkeypatch):
    # A missing library of each kind: packaged and system.
    monkeypatch.setattr(_loader, "_library", None)
    monkeypatch.setattr(_loader, "candidates",
                        lambda: iter(["/nowhere/lib/libbnq.so.1", "libbnq-that-is-not.so.1"]))
    with pytest.raises(LibraryLoadError) as caught:
        _loader.library()
    assert [path for path, _ in caught.value.attempts] == [
        "/nowhere/lib/libbnq.so.1", "libbnq-that-is-not.so.1"]
    for path, reason in caught.value.attempts:
        assert f"{path}: {reason}" in str(caught.value)
    assert caught.value.attempts[0][1] == "no such file"


def test_a_later_candidate_is_taken(monkeypatch):
    path = library_path()
    monkeypatch.setattr(_loader, "_library", None)
    monkeypatch.setattr(_loader, "candidates", lambda: iter(["/nowhere/libbnq.so.1", path]))
    assert _loader.library().bnq_abi_version() == _abi.ABI_VERSION
    assert _loader._path == path


def test_abi_mismatch_names_both_versions_and_the_path(monkeypatch):
    path = library_path()
    monkeypatch.setattr(_loader, "_library", None)
    monkeypatch.setattr(_abi, "ABI_VERSION", 99)
    with pytest.raises(LibraryLoadError, match="has ABI version 1, but this package needs 99"
                       ) as caught:
        _loader.library()
    assert path in str(caught.value)


def test_library_without_a_function_is_too_old(monkeypatch):
    monkeypatch.setitem(_abi.PROTOTYPES, "bnq_of_the_future", (None, []))
    with pytest.raises(OSError, match=r"version \d+\.\d+\.\d+ is too old.*bnq_of_the_future"):
        _loader._open(library_path())


def test_another_library_is_refused():
    core = getattr(np, "_core", None) or np.core
    with pytest.raises(OSError, match="not libbnq"):
        _loader._open(core._multiarray_umath.__file__)
