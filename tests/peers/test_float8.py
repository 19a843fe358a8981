"""8-bit floats are those of PyTorch: the same codes of the same numbers, and back."""
import bitnet_quant as bq
import libtorch
import numpy as np
import pytest

pytestmark = pytest.mark.usefixtures("need_libtorch")
# The greatest numbers: with one of them in a tensor the scale is 1.
GREATEST = {"e4m3": ("float8_e4m3fn", 448.0), "e5m2": ("float8_e5m2", 57344.0)}


def their_values(type_name):
    """float32 of each of the 256 codes."""
    return libtorch.cast(np.arange(256, dtype=np.uint8), type_name, "float32",
                         np.empty(256, np.float32))


@pytest.mark.parametrize("name", GREATEST)
def test_codes_and_values_are_the_same(name):
    type_name, greatest = GREATEST[name]
    codes = their_values(type_name)
    finite = np.unique(codes[np.isfinite(codes)])
    assert finite[-1] == greatest
    # Each value, the middle to the next one, and the float32 numbers beside both.
    exact = np.concatenate([finite, (finite[1:] + finite[:-1]) / 2]).astype(np.float32)
    numbers = np.concatenate([exact, np.nextafter(exact, np.float32(np.inf)),
                              np.nextafter(exact, np.float32(-np.inf)), np.float32([-0.0])])
    numbers = numbers[np.abs(numbers) <= greatest]
    ours = bq.quantize(numbers, format=name, granularity="tensor")
    assert ours.scales.tolist() == [1.0]
    theirs = libtorch.cast(numbers, "float32", type_name, np.empty(numbers.size, np.uint8))
    np.testing.assert_array_equal(ours.codes.view(np.uint8), theirs)
    np.testing.assert_array_equal(ours.dequantize(), codes[theirs])
    np.testing.assert_array_equal(np.signbit(ours.dequantize()), np.signbit(codes[theirs]))
