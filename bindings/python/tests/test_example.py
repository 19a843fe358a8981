"""The example runs, on a model of its own and on a given one."""
import subprocess
import sys

import bitnet_quant as bq
import numpy as np
from bitnet_quant import library_path
from conftest import ROOT

EXAMPLE = ROOT / "bindings" / "python" / "examples" / "quantize_model.py"


def run(*arguments):
    return subprocess.run(
        [sys.executable, str(EXAMPLE), *map(str, arguments)], check=True, text=True,
        capture_output=True, env={"PYTHONPATH": str(ROOT / "bindings" / "python" / "src"),
                                  "BNQ_LIBRARY": library_path()}).stdout


def test_without_arguments():
    out = run()
    for word in ("format=ternary", "hidden.weight", "sqnr", "total"):
        assert word in out
    for preset in bq.presets():
        assert f"\n{preset.name} " in out


def test_with_a_model(tmp_path):
    with bq.Writer(tmp_path / "model.safetensors") as writer:
        writer.add("some.weight", np.linspace(-1, 1, 512, dtype=np.float32).reshape(4, 128))
    out = run(tmp_path / "model.safetensors", "-o", tmp_path / "model.bnq", "--config",
              "int8_per_channel,scheme=asymmetric")
    assert "some.weight" in out
    assert bq.open_file(tmp_path / "model.bnq").config("some.weight") == bq.Config(
        format="int8", granularity="channel", scheme="asymmetric")
