"""convolution.json, and images as numpy has them."""
import bitnet_quant as bq
import numpy as np
import pytest
from test_linear_vectors import OUTPUTS, dtype_of, expected, inputs
from test_vectors import by_name, floats


def convolution(case):
    weight = bq.quantize(floats(case["weight"]).reshape(case["weight_shape"]),
                         bq.Config.from_dict(case["config"]))
    bias = None
    if "bias" in case:
        bias = np.array(case["bias"], np.int32 if case["bias_dtype"] == "I32" else np.float32)
    return bq.QuantConvolution(weight, bias, **case["options"])


@by_name("convolution.json")
@pytest.mark.parametrize("threads", [1, 3])
def test_convolution(case, threads):
    x, more = inputs(case)
    layer = convolution(case)
    context = bq.Context(threads=threads)
    assert layer.output_shape(x.shape) == tuple(case["output_shape"])
    for workspace in (None, bq.new_workspace(x.shape, layer)):
        y = layer(x, None, workspace, out_dtype=dtype_of(case), context=context, **more)
        assert y.shape == tuple(case["output_shape"])
        assert y.view(OUTPUTS[case["output_dtype"]]).ravel().tolist() == expected(case).tolist()


def test_images():
    weight = bq.quantize(np.ones((2, 3, 3, 3), np.float32), "int8,granularity=channel")
    layer = bq.QuantConvolution(weight, input="int8")
    x = np.ones((1, 3, 5, 4), np.float32)
    out = np.empty((1, 2, 3, 2), np.float32)
    assert layer(x, out) is out
    assert np.abs(out - 27).max() < 0.01
    with pytest.raises(ValueError, match="copy=True"):
        layer(x[:, :, ::2])
    with pytest.raises(ValueError, match="4 dimensions"):
        layer(x[0])
    with pytest.raises(bq.InvalidArgumentError):
        layer(x[:, :2].copy())
    with pytest.raises(bq.UnsupportedError, match="stride_width"):
        bq.QuantLinear(weight, stride_width=2)
