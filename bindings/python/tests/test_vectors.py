"""The shared vectors: what every client of the library must reproduce."""
import subprocess
import sys

import bitnet_quant as bq
import numpy as np
import pytest
from bitnet_quant._loader import library
from conftest import VECTORS, cases


def by_name(file):
    return pytest.mark.parametrize("case", [pytest.param(c, id=c["name"]) for c in cases(file)])


def floats(values):
    return np.array([float(v) for v in values], np.float32)


def bits(values):
    return np.array([int(v, 16) for v in values], np.uint32)


@pytest.fixture(params=[1, 3], ids=["1_thread", "3_threads"])
def context(request):
    return bq.Context(threads=request.param)


@by_name("quantize.json")
def test_quantize(case, context):
    source = floats(case["input"]).reshape(case["shape"])
    tensor = bq.quantize(source, bq.Config.from_dict(case["config"]), context=context)
    assert tensor.shape == tuple(case["shape"])
    assert tensor.unpack(context=context).ravel().tolist() == case["codes"]
    assert tensor.codes.tobytes().hex() == case["packed"]
    assert tensor.scales.view(np.uint32).tolist() == bits(case["scales"]).tolist()
    assert tensor.zero_points.tolist() == case["zero_points"]
    values = tensor.dequantize(context=context)
    assert values.shape == source.shape
    assert values.ravel().view(np.uint32).tolist() == bits(case["dequantized"]).tolist()


@by_name("quantize.json")
def test_quantize_into(case):
    source, config = floats(case["input"]).reshape(case["shape"]), case["config"]
    sizes = bq.quantized_sizes(case["shape"], **config)
    assert sizes == (len(case["packed"]) // 2, len(case["scales"]), len(case["zero_points"]))
    codes = np.empty(sizes.code_bytes, np.uint8)
    scales = np.empty(sizes.scales, np.float32)
    zero_points = np.empty(sizes.zero_points, np.int32)
    bq.quantize_into(source, codes, scales, zero_points, **config)
    assert codes.tobytes().hex() == case["packed"]
    assert scales.view(np.uint32).tolist() == bits(case["scales"]).tolist()
    assert zero_points.tolist() == case["zero_points"]


@by_name("quantize.json")
def test_from_codes(case):
    codes = np.array(case["codes"], np.int8).reshape(case["shape"])
    zero_points = np.array(case["zero_points"], np.int32) if case["zero_points"] else None
    assert bq.pack(codes, **case["config"]).tobytes().hex() == case["packed"]
    tensor = bq.QuantizedTensor.from_codes(
        codes, bits(case["scales"]).view(np.float32), zero_points, **case["config"])
    assert tensor.dequantize().ravel().view(np.uint32).tolist() == bits(
        case["dequantized"]).tolist()


@by_name("quantize.json")
def test_other_input_types_give_the_same(case):
    """Wherever a type holds the input exactly, the result is that of float32."""
    source = floats(case["input"]).reshape(case["shape"])
    inputs = {"F64": source.astype(np.float64)}
    with np.errstate(over="ignore"):
        half = source.astype(np.float16)
    if np.array_equal(half.astype(np.float32), source):
        inputs["F16"] = half
    top = (source.view(np.uint32) >> 16).astype(np.uint16)
    if not (source.view(np.uint32) & 0xFFFF).any():
        inputs["BF16"] = top
    for dtype, values in inputs.items():
        tensor = bq.quantize(values, dtype=dtype, **case["config"])
        assert tensor.codes.tobytes().hex() == case["packed"], dtype
        assert tensor.scales.view(np.uint32).tolist() == bits(case["scales"]).tolist(), dtype


def test_other_input_types_are_all_covered():
    exact = {"F16": 0, "BF16": 0}
    for case in cases("quantize.json"):
        source = floats(case["input"])
        with np.errstate(over="ignore"):
            exact["F16"] += np.array_equal(source.astype(np.float16).astype(np.float32), source)
        exact["BF16"] += not (source.view(np.uint32) & 0xFFFF).any()
    assert min(exact.values()) > 10, exact


@by_name("metrics.json")
def test_metrics(case, context):
    found = bq.compare(floats(case["original"]), floats(case["other"]), context=context)
    assert set(found) == set(case["metrics"])
    for name, expected in case["metrics"].items():
        assert found[name] == pytest.approx(float(expected), rel=1e-12, abs=0), name


@by_name("metrics.json")
def test_metrics_of_float64(case):
    found = bq.compare(floats(case["original"]).astype(float),
                       floats(case["other"]).astype(float))
    assert dict(found) == dict(bq.compare(floats(case["original"]), floats(case["other"])))


@by_name("errors.json")
def test_errors(case, context):
    with pytest.raises(bq.BitNetQuantError) as caught:
        bq.quantize(floats(case["input"]).reshape(case["shape"]),
                    bq.Config.from_dict(case["config"]), context=context)
    assert library().bnq_status_name(caught.value.status).decode() == case["status"]
    assert case["message"] in str(caught.value)


def test_vectors_are_what_the_generator_writes(tmp_path):
    subprocess.run([sys.executable, str(VECTORS / "generate.py"), str(tmp_path)], check=True)
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == sorted(path.name for path in VECTORS.glob("*.json"))
    for name in written:
        assert (tmp_path / name).read_bytes() == (VECTORS / name).read_bytes(), name
