"""linear.json: what linear layers are defined to give, bit by bit."""
import bitnet_quant as bq
import numpy as np
import pytest
from test_vectors import CONVERT, by_name, floats

OUTPUTS = {"F32": np.uint32, "F16": np.uint16, "BF16": np.uint16, "I8": np.int8, "U8": np.uint8}


def layer(case, context=None):
    weight = bq.quantize(floats(case["weight"]).reshape(case["weight_shape"]),
                         bq.Config.from_dict(case["config"]))
    if "input_scales" in case:
        parts = {**weight.parts, "input_scales": floats(case["input_scales"])}
        weight = bq.QuantizedTensor.from_parts(parts, shape=weight.shape, config=weight.config)
    bias = None
    if "bias" in case:
        bias = np.array(case["bias"], np.int32 if case["bias_dtype"] == "I32" else np.float32)
    return bq.QuantLinear(weight, bias, context=context, **case["options"])


def inputs(case):
    """x, and what goes with it."""
    if case["dtype"] in ("I8", "U8"):
        codes = np.array(case["input"], OUTPUTS[case["dtype"]]).reshape(case["shape"])
        return codes, {"scale": case["scales"], "zero_point": case["zero_points"]}
    return (CONVERT[case["dtype"]](floats(case["input"])).reshape(case["shape"]),
            {"dtype": case["dtype"]})


def expected(case):
    values = case["output"]
    if case["output_dtype"] not in ("I8", "U8"):
        values = [int(v, 16) for v in values]
    return np.array(values, OUTPUTS[case["output_dtype"]])


def dtype_of(case):
    return "F32" if case["output_dtype"] in ("I8", "U8") else case["output_dtype"]


@by_name("linear.json")
def test_linear(case, context):
    x, more = inputs(case)
    linear = layer(case, context)
    y = linear(x, out_dtype=dtype_of(case), context=context, **more)
    assert y.shape == (case["shape"][0], case["weight_shape"][0])
    assert y.view(OUTPUTS[case["output_dtype"]]).ravel().tolist() == expected(case).tolist()
    config = bq.Config.from_dict(case["config"])
    if len(case["weight_shape"]) == 2:
        assert linear.operator.check(config) == case["integers"]


@by_name("linear.json")
def test_rows_of_larger_arrays(case):
    """Neither x nor y is copied, and each row alone gives what it gives among others."""
    x, more = inputs(case)
    linear = layer(case)
    rows, columns = x.shape
    wide = np.zeros((rows, columns + 3), x.dtype)
    wide[:, 1:-2] = x
    output = expected(case).reshape(rows, -1)
    native = np.dtype({"F32": "f4", "F16": "f2"}.get(case["output_dtype"], output.dtype))
    around = np.full((rows, output.shape[1] + 5), 77, native)
    y = linear(wide[:, 1:-2], out=around[:, 2:-3], out_dtype=dtype_of(case),
               workspace=bq.new_workspace(rows, linear), **more)
    assert np.shares_memory(y, around)
    assert y.view(output.dtype).tolist() == output.tolist()
    assert (around[:, :2] == 77).all() and (around[:, -3:] == 77).all()
    for m in range(rows):
        of_row = {name: value if name == "dtype" or value is None else value[m]
                  for name, value in more.items()}
        alone = linear(x[m], out_dtype=dtype_of(case), **of_row)
        assert alone.view(output.dtype).tolist() == output[m].tolist()


@pytest.fixture(params=[1, 3], ids=["1_thread", "3_threads"])
def context(request):
    return bq.Context(threads=request.param)
