"""Running bnq, and small model files to run it on."""

import json
import os
import pathlib
import struct
import subprocess
import sys

import numpy as np
import pytest

BNQ = os.environ.get("BNQ_CLI", "bnq")
# A trained model, and the code that runs it.
MODELS = pathlib.Path(__file__).resolve().parents[3] / "tests" / "models"
DEMO = MODELS / "digits.safetensors"
sys.path.append(str(MODELS))
DTYPES = {"float32": "F32", "float64": "F64", "float16": "F16", "int32": "I32"}


def pytest_configure(config):
    if "BNQ_CLI" not in os.environ:
        pytest.exit("set BNQ_CLI to the bnq program to be tested", returncode=2)


def run(*arguments, code=0, **options):
    """Runs bnq and expects an exit code. An error must be one line, and a
    success must not complain."""
    result = subprocess.run(
        [BNQ, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        **options,
    )
    assert result.returncode == code, result.stderr
    if code != 0:
        assert result.stderr.splitlines()[-1].startswith("bnq: error: ")
        assert result.stderr.count("bnq: error: ") == 1
    return result


def run_json(*arguments):
    """One JSON object on standard output, and strict JSON at that."""

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    result = run(*arguments, "--json")
    assert result.stderr == ""
    value = json.loads(result.stdout, parse_constant=refuse)
    assert isinstance(value, dict)
    return value


def by_name(value):
    return {tensor["name"]: tensor for tensor in value["tensors"]}


def write_safetensors(path, tensors, metadata=None):
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, array in tensors.items():
        raw = np.ascontiguousarray(array).tobytes()
        header[name] = {
            "dtype": DTYPES[str(array.dtype)],
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path = pathlib.Path(path)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def write_sparse_model(path, count, size=1 << 30):
    """`count` float32 matrices of zeros, `size` bytes in all, none of which the
    file takes on the disk; its readers cannot see that."""
    rows = size // count // 4 // 16384
    part = size // count
    text = json.dumps({
        f"layer.{i:02}.weight": {"dtype": "F32", "shape": [rows, 16384],
                                 "data_offsets": [i * part, (i + 1) * part]}
        for i in range(count)}).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + size)
    return path


def read_safetensors(path):
    """Name -> (dtype, shape, bytes)."""
    content = pathlib.Path(path).read_bytes()
    (size,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + size])
    header.pop("__metadata__", None)
    data = content[8 + size :]
    return {
        name: (e["dtype"], e["shape"], data[slice(*e["data_offsets"])])
        for name, e in header.items()
    }


LONG_NAME = "model.layers.0." + "a_very_long_module_name." * 6 + "weight"


def model_tensors(seed=1):
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    return {
        "conv.weight": normal(8, 3, 3, 3),
        "fc.bias": normal(10),
        "fc.weight": normal(10, 300),
        LONG_NAME: normal(4, 256),
        "scale": normal(),
        "steps": np.arange(12, dtype=np.int32).reshape(3, 4),
    }


@pytest.fixture
def model(tmp_path):
    return write_safetensors(
        tmp_path / "model.safetensors", model_tensors(), {"origin": "a test"}
    )


@pytest.fixture
def quantized(model, tmp_path):
    path = tmp_path / "model.bnq"
    run("quantize", model, "-o", path, "--quiet")
    return path
