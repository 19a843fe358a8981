"""Linear layers and embeddings: numpy's arrays, lifetimes, what is refused. Results are
those of linear.json."""
import gc
import pickle

import bitnet_quant as bq
import numpy as np
import pytest

RNG = np.random.default_rng(5)
WEIGHT = RNG.standard_normal((6, 40)).astype(np.float32)
X = RNG.standard_normal((2, 3, 40)).astype(np.float32)


@pytest.fixture
def weight():
    return bq.quantize(WEIGHT, "int8,granularity=channel")


def test_any_number_of_dimensions(weight):
    linear = bq.QuantLinear(weight, input="int8")
    y = linear(X)
    assert y.shape == (2, 3, 6) and y.dtype == np.float32
    assert np.abs(y - X @ WEIGHT.T).max() < 0.5
    np.testing.assert_array_equal(linear(X[1, 2]), y[1, 2])
    assert linear(X[:0]).shape == (0, 3, 6)
    assert (linear.inputs, linear.outputs) == (40, 6)


def test_types_of_results(weight):
    linear = bq.QuantLinear(weight, input="int8")
    x = X.astype(np.float16)
    assert linear(x).dtype == np.float16
    assert linear(x, out_dtype="F32").dtype == np.float32
    assert linear(x, out=np.empty((2, 3, 6), np.float32)).dtype == np.float32
    bits = (X.view(np.uint32) >> 16).astype(np.uint16)
    y = linear(bits, dtype="bf16")
    assert y.dtype == np.uint16
    assert np.abs(bq.bfloat16_to_float32(y) - X @ WEIGHT.T).max() < 0.5
    codes = bq.QuantLinear(weight, input="int8", output="uint8", output_scale=0.1,
                           output_zero_point=128)
    assert codes(X).dtype == np.uint8
    with pytest.raises(bq.InvalidArgumentError, match="y is of F32, must be of U8"):
        codes(X, out=np.empty((2, 3, 6), np.float32))


def test_codes(weight):
    codes = RNG.integers(-128, 128, (4, 40), np.int8)
    scales = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    linear = bq.QuantLinear(weight)
    y = linear(codes, scale=scales, zero_point=3)
    values = (codes.astype(np.float32) - 3) * scales[:, None]
    np.testing.assert_allclose(y, values @ weight.dequantize().T, rtol=1e-4, atol=1e-4)
    shifted = (codes.astype(int) + 128).astype(np.uint8)
    np.testing.assert_array_equal(linear(shifted, scale=scales, zero_point=131), y)
    with pytest.raises(bq.InvalidArgumentError, match="no scales"):
        linear(codes)
    with pytest.raises(ValueError, match="1 or 4"):
        linear(codes, scale=scales[:3])
    with pytest.raises(TypeError, match="integers"):
        linear(codes, scale=scales, zero_point=1.5)


def test_arrays_that_need_a_copy(weight):
    linear = bq.QuantLinear(weight, input="int8")
    wide = np.repeat(X, 2, axis=-1)
    with pytest.raises(ValueError, match="copy=True"):
        linear(wide[..., ::2])
    np.testing.assert_array_equal(linear(wide[..., ::2], copy=True), linear(X))
    memory = np.zeros((2, 46), np.float32)
    linear(memory[:, :40], out=memory[:, 40:])
    with pytest.raises(bq.InvalidArgumentError, match="y overlaps x"):
        linear(memory[:, :40], out=memory[:, 39:45])


def test_bias_and_operator(weight):
    operator = bq.Operator(input="int8", function="relu")
    bias = np.linspace(-1, 1, 6)
    y = bq.QuantLinear(weight, bias, operator)(X)
    np.testing.assert_array_equal(y, np.maximum(bq.QuantLinear(
        weight, bias.astype(np.float32).tolist(), input="int8")(X), 0))
    assert operator.options["function"] == "relu"
    assert pickle.loads(pickle.dumps(operator)).options == operator.options
    assert repr(operator) == "Operator(input='int8', function='relu')"
    assert operator.check("int4_per_group_32") and not operator.check("nf4")
    assert [option.name for option in bq.operator_options()] == list(operator.options)
    with pytest.raises(bq.InvalidArgumentError, match="output_scale"):
        bq.Operator(output="int8").check("int8")
    with pytest.raises(bq.NotFoundError, match="inputs"):
        bq.Operator(inputs="int8")
    with pytest.raises(TypeError, match="exclude"):
        bq.QuantLinear(weight, None, operator, input="int8")
    with pytest.raises(bq.InvalidArgumentError, match="5"):
        bq.QuantLinear(weight, bias[:5])


def test_workspaces(weight):
    linear = bq.QuantLinear(weight, input="int8")
    workspace = bq.new_workspace(6, linear)
    assert workspace.nbytes == linear.workspace_bytes(6)
    np.testing.assert_array_equal(linear(X, None, workspace), linear(X))
    with pytest.raises(bq.InvalidArgumentError, match="workspace_bytes"):
        linear(X, None, workspace[:-64])
    with pytest.raises(bq.InvalidArgumentError, match="aligned"):
        linear(X[0], None, workspace[1:])


def test_run_many(weight):
    other = bq.quantize(WEIGHT[:4], "int4_per_group_32")
    layers = [bq.QuantLinear(weight, input="int8"), bq.QuantLinear(other, input="bitnet")]
    context = bq.Context(threads=3)
    workspace = bq.new_workspace(6, *layers)
    outs = [np.empty((2, 3, n), np.float32) for n in (6, 4)]
    for given in (None, outs):
        found = bq.run_many(layers, X, given, workspace, context=context)
        for layer, y in zip(layers, found):
            np.testing.assert_array_equal(y, layer(X))
    assert found[1] is outs[1]
    assert bq.run_many([], X) == []
    with pytest.raises(ValueError, match="2 are needed"):
        bq.run_many(layers, X, outs[:1])
    with pytest.raises(TypeError, match=r"linears\[1\]"):
        bq.run_many([layers[0], weight], X)


def test_layers_keep_their_weight(tmp_path, weight):
    with bq.Writer(tmp_path / "w.bnq") as writer:
        writer.add("w", weight)
    expected = bq.QuantLinear(weight, input="int8")(X)
    codes = weight.codes.copy()
    borrowed = bq.QuantizedTensor.from_packed(codes, weight.scales, shape=weight.shape,
                                              config=weight.config, copy=False)
    with bq.open_file(tmp_path / "w.bnq") as file:
        layers = [bq.QuantLinear(tensor, input="int8") for tensor in (file["w"], borrowed)]
    del file, codes, borrowed
    gc.collect()
    for layer in layers:
        np.testing.assert_array_equal(layer(X), expected)


def test_what_is_not_finite(weight):
    x = X.copy()
    x[1, 0, 7] = np.nan
    with pytest.raises(bq.NonFiniteError, match=r"x\[3, 7\]"):
        bq.QuantLinear(weight, input="int8")(x)
    assert np.isnan(bq.QuantLinear(weight)(x)[1, 0]).all()


def test_embedding(weight):
    rows = weight.dequantize()
    indices = [[0, 5, 2], [2, 2, 1]]
    np.testing.assert_array_equal(bq.embedding(weight, indices), rows[np.array(indices)])
    np.testing.assert_array_equal(bq.embedding(weight, np.uint8(3)), rows[3])
    assert bq.embedding(weight, []).shape == (0, 40)
    wide = np.zeros((2, 60), np.float16)
    bq.embedding(weight, [4, 0], out=wide[:, 10:50])
    np.testing.assert_array_equal(wide[:, 10:50], rows[[4, 0]].astype(np.float16))
    assert not wide[:, :10].any() and not wide[:, 50:].any()
    with pytest.raises(bq.InvalidArgumentError, match="index 1 = 6, must be 0 to 5"):
        bq.embedding(weight, [0, 6])
    with pytest.raises(TypeError):
        bq.embedding(weight, [0.5])
