"""Memory does not grow with the model."""

import subprocess
import sys

import pytest
from conftest import BNQ, write_sparse_model

GIB = 1 << 30
LIMIT_MIB = 128
# A process's peak counts what it was before exec, so it must not be a child of
# these tests, whose own memory is larger.
WATCH = """
import os, sys
pid = os.spawnv(os.P_NOWAIT, sys.argv[1], sys.argv[1:])
status, usage = os.wait4(pid, 0)[1:]
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


def peak_kib(*arguments):
    """The peak of the whole resident set, the input's mapped pages included, as
    the system counts it for the finished process."""
    result = subprocess.run(
        [sys.executable, "-c", WATCH, BNQ, *arguments, "--threads", "2", "--quiet"],
        stdout=subprocess.PIPE, text=True, check=True,
    )
    code, peak = map(int, result.stdout.split()[-2:])
    assert code == 0
    return peak


@pytest.mark.parametrize("count", [1, 64])
@pytest.mark.parametrize(
    "options",
    [["--format", "int8"], ["--format", "ternary", "--granularity", "tensor"]],
    ids=["int8", "ternary_two_passes"],
)
def test_a_gibibyte_in_128_mib(tmp_path, count, options):
    """One tensor of 1 GiB, and 64 of 16 MiB."""
    model = write_sparse_model(tmp_path / "model.safetensors", count)
    peak = peak_kib("quantize", model, "-o", tmp_path / "model.bnq", *options)
    assert (tmp_path / "model.bnq").stat().st_size > GIB // 20
    assert peak < LIMIT_MIB * 1024


@pytest.mark.parametrize("count", [1, 64])
def test_calibration_of_a_gibibyte(tmp_path, count):
    data = write_sparse_model(tmp_path / "data.safetensors", count)
    assert peak_kib("calibrate", data, "-o", tmp_path / "c.bnq") < LIMIT_MIB * 1024
    assert (tmp_path / "c.bnq").stat().st_size < 1 << 20
