"""Activation functions and norms: arrays as numpy has them, and the shared vectors."""
import bitnet_quant as bq
import numpy as np
import pytest
from conftest import cases

WIDTH = {"F32": np.uint32, "F16": np.uint16, "BF16": np.uint16}
HOLDER = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16, "I8": np.int8, "U8": np.uint8}


def floats(values):
    return np.array([float(v) for v in values], np.float32)


@pytest.mark.parametrize("case", [pytest.param(c, id=c["name"]) for c in
                                  cases("activations.json")])
def test_vectors(case):
    if case["dtype"] == "F32":
        x = floats(case["input"]).reshape(case["shape"])
    else:
        x = np.array(case["input"], HOLDER[case["dtype"]]).reshape(case["shape"])
    kind = case["output_dtype"]
    if case["operator"] == "activate":
        y = bq.activate(x, case["function"], slope=case["slope"], scale=case.get("scales"),
                        zero_point=case.get("zero_points"), out_dtype=kind,
                        out_scale=case.get("output_scales"),
                        out_zero_point=case.get("output_zero_points"))
    elif case["operator"] == "softmax":
        y = bq.softmax(x)
    elif case["operator"] == "rms_norm":
        y = bq.rms_norm(x, case.get("weight"), eps=case["eps"])
    else:
        y = bq.layer_norm(x, case.get("weight"), case.get("bias"), eps=case["eps"])
    assert y.dtype == HOLDER[kind] and y.shape == x.shape
    if kind in WIDTH:
        assert [int(v, 16) for v in case["output"]] == y.view(WIDTH[kind]).ravel().tolist()
    else:
        assert case["output"] == y.ravel().tolist()


def test_functions_are_listed():
    names = [function.name for function in bq.activation_functions()]
    assert names[:3] == ["none", "relu", "relu6"] and len(names) >= 11
    assert all(function.description for function in bq.activation_functions())
    with pytest.raises(bq.InvalidArgumentError, match="did you mean \"gelu\""):
        bq.activate(np.zeros(3, np.float32), "gelo")


def test_rows_need_no_copy():
    wide = np.linspace(-4, 4, 96, dtype=np.float32).reshape(2, 4, 12)
    part = wide[:, :, 3:8]
    expected = bq.softmax(part.copy())
    np.testing.assert_array_equal(bq.softmax(part), expected)
    # In place, and beside it.
    before = wide.copy()
    assert bq.softmax(part, out=part) is part
    np.testing.assert_array_equal(part, expected)
    np.testing.assert_array_equal(wide[:, :, :3], before[:, :, :3])
    # A vector is one row; nothing stays nothing.
    assert bq.activate(np.array([-1.0, 2.0], np.float32), "relu").tolist() == [0, 2]
    assert bq.softmax(np.zeros((3, 0), np.float32)).shape == (3, 0)


def test_what_has_no_rows_is_refused_or_copied():
    x = np.arange(24, dtype=np.float32).reshape(4, 6)
    for value in (x.T, x[:, ::2], x[::-1], np.broadcast_to(x[0], (3, 6)), x.tolist(),
                  x.astype(">f4")):
        with pytest.raises((TypeError, ValueError), match="copy=True"):
            bq.activate(value, "relu")
        if not isinstance(value, list):
            np.testing.assert_array_equal(bq.activate(value, "relu", copy=True), value)
    with pytest.raises(bq.InvalidArgumentError, match="y overlaps x"):
        bq.softmax(x[:3], out=x[1:])
    with pytest.raises(bq.InvalidArgumentError, match="slope = nan, must be finite"):
        bq.activate(x, "leaky_relu")
    with pytest.raises(bq.UnsupportedError):
        bq.softmax(np.zeros((2, 3), np.int8))
    with pytest.raises(bq.InvalidArgumentError, match="scales is NULL"):
        bq.activate(np.zeros((2, 3), np.int8), "relu")
    with pytest.raises(ValueError, match="weight has shape"):
        bq.rms_norm(x, np.ones(5, np.float32), eps=0)
    with pytest.raises(ValueError, match="3 scales of x; 1 or 4"):
        bq.activate(x.astype(np.int8), "relu", scale=[1, 2, 3])
    with pytest.raises(ValueError, match="read-only"):
        y = np.empty_like(x)
        y.flags.writeable = False
        bq.softmax(x, out=y)


def test_halves():
    x = np.array([[0.5, -1.5], [2, 3]], np.float16)
    assert bq.activate(x, "squared_relu").dtype == np.float16
    bits = np.array([[0x3F80, 0xC000]], np.uint16)
    y = bq.activate(bits, "relu", dtype="bf16")
    assert y.dtype == np.uint16 and y.tolist() == [[0x3F80, 0]]
    assert bq.activate(bits, "none", dtype="bf16", out_dtype="f32").tolist() == [[1, -2]]
