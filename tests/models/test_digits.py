"""End to end on the trained model: quantize, dequantize, classify.

BNQ_CLI names the bnq program to test; without it the one on PATH is taken.
"""

import os
import subprocess

import numpy as np
import pytest

import digits

CLI = os.environ.get("BNQ_CLI", "bnq")
BASELINE = digits.accuracy(digits.MODEL)

INT8 = [
    ("--granularity", "tensor"),
    ("--granularity", "channel"),
    ("--granularity", "group", "--group-size", "32"),
    ("--granularity", "group", "--scheme", "asymmetric"),
]


def round_trip(folder, *options):
    packed, restored = folder / "digits.bnq", folder / "digits.safetensors"
    for command in (
        ["quantize", digits.MODEL, "-o", packed, *options],
        ["dequantize", packed, "-o", restored],
    ):
        subprocess.run([CLI, *command], check=True, capture_output=True, text=True)
    return packed, restored


def test_the_stored_model_is_good():
    assert BASELINE >= 0.97


@pytest.mark.parametrize("options", INT8, ids=" ".join)
def test_int8_loses_less_than_a_point(tmp_path, options):
    packed, restored = round_trip(tmp_path, "--format", "int8", *options)
    assert digits.accuracy(restored) > BASELINE - 0.01
    assert packed.stat().st_size < digits.MODEL.stat().st_size / 2


def test_ternary_still_classifies(tmp_path):
    packed, restored = round_trip(tmp_path, "--format", "ternary")
    # Chance is 0.1; a wrong scale or order of codes falls far below this.
    assert digits.accuracy(restored) > 0.85
    assert packed.stat().st_size < digits.MODEL.stat().st_size / 4


def test_only_matrices_change(tmp_path):
    _, restored = round_trip(tmp_path, "--format", "ternary")
    before = digits.read_safetensors(digits.MODEL)
    after = digits.read_safetensors(restored)
    assert set(after) == set(before)
    for name, values in before.items():
        assert after[name].shape == values.shape
        same = after[name].tobytes() == values.tobytes()
        assert same == (values.ndim < 2), name


def test_trained_ternary_loses_less_than_a_point(tmp_path):
    """digits_ternary.bnq, which train_ternary.py made."""
    restored = tmp_path / "restored.safetensors"
    subprocess.run([CLI, "dequantize", digits.TERNARY, "-o", restored], check=True,
                   capture_output=True, text=True)
    assert digits.accuracy(restored) > BASELINE - 0.01
    for name, values in digits.read_safetensors(restored).items():
        if values.ndim == 2:
            for row in values:
                assert len(np.unique(np.abs(row[:128]))) <= 2, name
    assert digits.TERNARY.stat().st_size < digits.MODEL.stat().st_size / 8
