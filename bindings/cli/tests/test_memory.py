"""Memory does not grow with the model."""

import json
import struct
import subprocess
import sys

import pytest
from conftest import BNQ

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


@pytest.mark.parametrize("count", [1, 64])
@pytest.mark.parametrize(
    "options",
    [["--format", "int8"], ["--format", "ternary", "--granularity", "tensor"]],
    ids=["int8", "ternary_two_passes"],
)
def test_a_gibibyte_in_128_mib(tmp_path, count, options):
    """One tensor of 1 GiB, and 64 of 16 MiB. The peak is that of the whole
    resident set, the input's mapped pages included, as the system counts it for
    the finished process; the file is sparse, which its readers cannot see."""
    rows = 16384 // count
    part = GIB // count
    text = json.dumps(
        {
            f"layer.{i:02}.weight": {
                "dtype": "F32",
                "shape": [rows, 16384],
                "data_offsets": [i * part, (i + 1) * part],
            }
            for i in range(count)
        }
    ).encode()
    header = struct.pack("<Q", len(text)) + text
    model = tmp_path / "model.safetensors"
    with open(model, "wb") as file:
        file.write(header)
        file.truncate(len(header) + GIB)
    result = subprocess.run(
        [sys.executable, "-c", WATCH, BNQ, "quantize", model, "-o",
         tmp_path / "model.bnq", "--threads", "2", "--quiet", *options],
        stdout=subprocess.PIPE, text=True, check=True,
    )
    code, peak_kib = map(int, result.stdout.split()[-2:])
    assert code == 0
    assert (tmp_path / "model.bnq").stat().st_size > GIB // 20
    assert peak_kib < LIMIT_MIB * 1024
