"""Puts the Python package and the golden files' modules on the path, and skips what needs
a peer that is not there."""
import importlib
import os
import pathlib
import sys

import find
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bindings" / "python" / "src"),
                str(ROOT / "tests" / "golden" / "interchange")]
os.environ.setdefault("BNQ_LIBRARY", str(ROOT / "build" / "libbnq.so"))



def need(module, load):
    """A fixture that skips where the peer's module does not find it."""
    @pytest.fixture(scope="session")
    def fixture():
        try:
            getattr(importlib.import_module(module), load)()
        except find.NotFound as error:
            pytest.skip(str(error))
    return fixture


need_ggml = need("ggml", "library")
need_llama = need("llama", "library")
need_onnx_runtime = need("onnx_runtime", "version")
need_libtorch = need("libtorch", "library")
