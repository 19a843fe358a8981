"""The examples run, on models of their own and on given ones."""
import runpy
import subprocess
import sys

import bitnet_quant as bq
import numpy as np
from bitnet_quant import library_path
from conftest import DIGITS, ROOT

EXAMPLES = ROOT / "bindings" / "python" / "examples"


def run(*arguments, example="quantize_model"):
    return subprocess.run(
        [sys.executable, str(EXAMPLES / f"{example}.py"), *map(str, arguments)], check=True,
        text=True,
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


def test_calibrate_a_model(tmp_path):
    np.save(tmp_path / "layers.1.npy", np.linspace(-1, 1.55, 1000, dtype=np.float32))
    out = run(DIGITS, "-o", tmp_path / "model.bnq", "--activations", tmp_path / "layers.1.npy",
              "--method", "minmax", example="calibrate_model")
    assert "layers.1: scale 0.01, zero point -28" in out
    file = bq.open_file(tmp_path / "model.bnq")
    assert file["layers.1.input_zero_point"].ravel() == [-28]
    assert file.config("layers.2.weight") == bq.Config.preset("int8_per_channel")
    out = run(DIGITS, "-o", tmp_path / "model.bnq", example="calibrate_model")
    with bq.open_file(tmp_path / "model.bnq") as file:
        for index in range(3):
            assert f"layers.{index}: scale" in out and f"layers.{index}.input_scale" in file


def test_classify(tmp_path):
    """In integers nearly as many digits are read as in floats; packaging/test.sh compares
    the bytes with those of other languages."""
    models = [DIGITS]
    for config in ("int8_per_channel", "ternary_per_group_128"):
        models.append(tmp_path / f"{config}.bnq")
        bq.quantize_file(DIGITS, models[-1], config)
    lines = run(DIGITS.with_name("digits_test.safetensors"), *models,
                example="classify").splitlines()
    floats, int8, ternary = (float(line.split()[1]) for line in lines)
    assert floats > 97 and int8 > floats - 1 and ternary > 90
    assert "numpy" in lines[0] and all(len(line.split()[-1]) == 16 for line in lines[1:])


def test_layer_by_layer(tmp_path):
    """A model is run in a third of its size; the second pass quantizes nothing."""
    out = run(tmp_path, example="layer_by_layer")
    assert "the same twice: True" in out
    assert sys.platform != "linux" or "within 32 MiB" in out
    values = dict(line.split() for line in out.splitlines()[2:])
    assert values["quantized"] == values["restored"] == "24" and values["loads"] == "48"
    assert float(values["peak_bytes"]) <= 4 * float(values["largest_bytes"])


def test_transformer_block():
    """Beside float64: activations of 8 bits cost some percent, and nothing else more than a
    code here or there that is rounded the other way."""
    example = runpy.run_path(str(EXAMPLES / "transformer_block.py"))
    y, exact, rounded = example["main"]()
    assert y.dtype == np.float32 and y.shape == exact.shape
    assert 1e-3 < example["error"](y, exact) < 0.05
    assert example["error"](y, rounded) < 1e-3
