"""Puts the package on the path and, unless BNQ_LIBRARY says which, the library
of a build folder under it."""
import json
import os
import pathlib
import signal
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
VECTORS = ROOT / "tests" / "vectors"
DIGITS = ROOT / "tests" / "models" / "digits.safetensors"
ABI = json.loads((ROOT / "capi" / "abi.json").read_text("utf-8"))

sys.path.insert(0, str(ROOT / "bindings" / "python" / "src"))

# build/ itself before what a build may have installed further down.
for name in ("libbnq.so.1", "libbnq.1.dylib", "bnq.dll"):
    for path in sorted(ROOT.glob(f"build*/**/{name}"), key=lambda p: (len(p.parts), p)):
        os.environ.setdefault("BNQ_LIBRARY", str(path))


def cases(file):
    """The cases of a file of shared vectors."""
    return json.loads((VECTORS / file).read_text("utf-8"))["cases"]


@pytest.fixture(autouse=True)
def interruptible():
    """Ctrl-C as Python has it by default, also where the tests were started with it
    ignored: under nohup, or in a script's background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
