"""ONNX Runtime computes with codes of ours what we compute."""
import bitnet_quant as bq
import layouts
import numpy as np
import onnx_model
import onnx_runtime
import pytest

pytestmark = pytest.mark.usefixtures("need_onnx_runtime")

ROWS, OUTPUTS, INPUTS = 5, 12, 256
# (bits, block, whether it has zero points)
CASES = [(bits, block, asymmetric) for bits in (2, 4, 8) for block in (16, 32, 128)
         for asymmetric in (False, True)]


def matmul_nbits(x, initializers, outputs, bits, block):
    """What the operator gives with float32 activations."""
    model = onnx_model.to_bytes(
        [("MatMulNBits", "com.microsoft", ["x", *initializers], ["y"],
          {"K": x.shape[1], "N": outputs, "bits": bits, "block_size": block,
           "accuracy_level": 1})],
        x.shape, (len(x), outputs), initializers, {"": 21, "com.microsoft": 1})
    return onnx_runtime.run(model, x, (len(x), outputs))


def tolerance(x, weights):
    """Of sums of products in float32, whatever their order: each of the INPUTS additions
    may round a sum that is at most that of the magnitudes."""
    return INPUTS * 2**-24 * (np.abs(x) @ np.abs(weights).T)


def initializers_of(tensor, bits, block):
    """Of a tensor of ours: codes and zero points as unsigned numbers."""
    half = 1 << (bits - 1)
    made = {"B": layouts.matmul_nbits(tensor.unpack().astype(int) + half, bits, block),
            "scales": tensor.scales.reshape(OUTPUTS, -1)}
    if tensor.zero_points.size:
        zeros = tensor.zero_points.reshape(OUTPUTS, -1).astype(int) + half
        made["zeros"] = layouts.words(zeros, bits).view(np.uint8)[:, :-(-zeros.shape[1] *
                                                                        bits // 8)]
    return made


@pytest.mark.parametrize("bits,block,asymmetric", CASES)
def test_products_agree(bits, block, asymmetric):
    numbers = np.random.default_rng(bits)
    weights = numbers.standard_normal((OUTPUTS, INPUTS), np.float32) + 0.3 * asymmetric
    x = numbers.standard_normal((ROWS, INPUTS), np.float32)
    tensor = bq.quantize(weights, format=f"int{bits}", group_size=block,
                         scheme="asymmetric" if asymmetric else "symmetric")
    initializers, values = initializers_of(tensor, bits, block), tensor.dequantize()
    # A product with the identity is the weights themselves: to the last bit.
    np.testing.assert_array_equal(
        matmul_nbits(np.eye(INPUTS, dtype=np.float32), initializers, OUTPUTS, bits, block),
        values.T)
    theirs = matmul_nbits(x, initializers, OUTPUTS, bits, block)
    exact = x.astype(np.float64) @ values.astype(np.float64).T
    allowed = tolerance(x, values)
    assert np.all(np.abs(theirs - exact) <= allowed)
    assert np.all(np.abs(bq.QuantLinear(tensor)(x) - theirs) <= 2 * allowed)
