"""Which arrays are taken as they are, which are refused, and how."""
import array
import tracemalloc
import warnings

import bitnet_quant as bq
import numpy as np
import pytest
from bitnet_quant._arrays import ArrayArgument

VALUES = np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 6)
INT8 = bq.Config(format="int8")


def same(tensor, values=VALUES):
    expected = bq.quantize(np.ascontiguousarray(values), INT8)
    return (tensor.codes.tobytes() == expected.codes.tobytes()
            and tensor.scales.tobytes() == expected.scales.tobytes())


def test_input_is_not_copied():
    assert ArrayArgument(VALUES, "a").array is VALUES
    big = np.ones((1024, 4096), np.float32)
    tracemalloc.start()
    bq.quantize(big, format="ternary")
    bq.compare(big, big)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < big.nbytes / 16


def test_read_only_and_unaligned_input_is_taken_as_it_is():
    raw = b"\0" + VALUES.tobytes()
    unaligned = np.frombuffer(raw, np.float32, offset=1).reshape(4, 6)
    assert not unaligned.flags.aligned and not unaligned.flags.writeable
    assert ArrayArgument(unaligned, "a").array is unaligned
    assert same(bq.quantize(unaligned, INT8))


def test_what_lends_its_memory_is_not_copied():
    buffer = array.array("f", VALUES.ravel().tolist())
    assert np.shares_memory(ArrayArgument(buffer, "a").array, np.frombuffer(buffer, np.float32))

    class Tensor:
        def __array__(self, dtype=None, copy=None):
            return VALUES

    assert ArrayArgument(Tensor(), "a").array is VALUES
    assert bq.quantize(np.float32(0.5)).shape == ()


@pytest.mark.parametrize("spoil", [
    lambda a: a.T, lambda a: a[:, ::2], lambda a: a[::-1], np.asfortranarray,
], ids=["transposed", "strided", "reversed", "fortran"])
def test_not_contiguous(spoil):
    values = spoil(VALUES)
    with pytest.raises(ValueError, match=r"source is not C-contiguous.*strides \(.*float32.*copy"):
        bq.quantize(values, INT8)
    assert same(bq.quantize(values, INT8, copy=True), values)


def test_foreign_byte_order():
    values = VALUES.astype(VALUES.dtype.newbyteorder())
    with pytest.raises(TypeError, match="source has dtype '[<>]f4', of foreign byte order.*copy"):
        bq.quantize(values, INT8)
    assert same(bq.quantize(values, INT8, copy=True))


def test_lists_need_copy():
    with pytest.raises(TypeError, match="source must be a numpy array, got list.*copy=True"):
        bq.quantize(VALUES.tolist(), INT8)
    assert same(bq.quantize(VALUES.tolist(), INT8, copy=True))


@pytest.mark.parametrize("values, message", [
    (np.array(["a"]), "dtype <U1"),
    (np.array([None]), "dtype object"),
    (np.zeros(2, [("x", "f4")]), "numbers are expected"),
    (np.zeros(2, np.longdouble), "does not know"),
    (np.zeros(2, "M8[s]"), "does not know"),
])
def test_not_numbers(values, message):
    with pytest.raises(TypeError, match=message):
        bq.quantize(values, copy=True)


@pytest.mark.parametrize("dtype", ["int32", "uint16", "bool", "complex64"])
def test_other_types_are_refused_by_the_library(dtype):
    with pytest.raises((bq.UnsupportedError, bq.InvalidArgumentError)):
        bq.quantize(np.zeros(4, dtype))


def test_bf16():
    values = (VALUES.view(np.uint32) >> 16).astype(np.uint16)
    exact = (values.astype(np.uint32) << 16).view(np.float32)
    for name in ("bf16", "BF16"):
        assert same(bq.quantize(values, INT8, dtype=name), exact)
    metrics = bq.compare(values, exact, dtype="bf16")
    assert metrics.mse == 0
    assert bq.compare(exact, values, other_dtype="bf16") == metrics


def test_dtype_must_fit_the_array():
    with pytest.raises(TypeError, match="source has dtype float32, but BF16 elements are held in "
                                        "an array of uint16"):
        bq.quantize(VALUES, dtype="bf16")
    with pytest.raises(TypeError, match="'int7' is not a data type"):
        bq.quantize(VALUES, dtype="int7")
    with pytest.raises(TypeError, match="is not a data type"):
        bq.quantize(VALUES, dtype=object)
    with pytest.raises(TypeError, match="is not a data type"):
        bq.quantize(VALUES, dtype=["f32"])
    for dtype in ("f32", "float32", np.float32, np.dtype(np.float32)):
        assert same(bq.quantize(VALUES, INT8, dtype=dtype))


@pytest.mark.parametrize("dtype, native", [
    # numpy's words mean what numpy means by them, ...
    ("i8", np.int64), ("f4", np.float32), ("f2", np.float16), ("u1", np.uint8), ("<f8", np.float64),
    (np.dtype("i8"), np.int64), (np.dtype("f4"), np.float32), (np.float16, np.float16),
    ("float64", np.float64), ("int8", np.int8), (float, np.float64),
    # ... the spelling of safetensors what that means.
    ("I8", np.int8), ("F32", np.float32), ("f32", np.float32), ("i64", np.int64),
    ("F16", np.float16), ("f16", np.float16)])
def test_dtypes_are_numpys_and_those_of_safetensors(tmp_path, dtype, native):
    array = np.arange(8).astype(native)
    with bq.Writer(tmp_path / "m.safetensors") as writer:
        writer.add("x", array, dtype=dtype)
    with bq.open_file(tmp_path / "m.safetensors") as file:
        assert file["x"].dtype == native and np.array_equal(file["x"], array)


def test_rank_above_8():
    assert bq.quantize(np.ones((1,) * 8, np.float32)).ndim == 8
    with pytest.raises(bq.InvalidArgumentError, match="9"):
        bq.quantize(np.ones((1,) * 9, np.float32))


class bfloat(np.void):
    """With its 16 bits numpy calls the type of it bfloat16, as it does that of ml_dtypes."""


STAND_IN = np.dtype((bfloat, 2))


def bfloat16_types():
    yield STAND_IN
    try:
        import ml_dtypes
    except ImportError:
        warnings.warn("ml_dtypes is not installed: a stand-in takes its place")
    else:
        yield np.dtype(ml_dtypes.bfloat16)


@pytest.mark.parametrize("bfloat16", bfloat16_types(), ids=repr)
def test_bfloat16_of_other_packages(bfloat16, tmp_path):
    words = np.arange(0x3F00, 0x3F20, dtype=np.uint16).reshape(4, 8)
    array = words.view(bfloat16)
    expected = bq.quantize(words, "int8_per_channel", dtype="bf16")
    for tensor in (bq.quantize(array, "int8_per_channel"),
                   bq.quantize(array, "int8_per_channel", dtype="bf16"),
                   bq.quantize(array, "int8_per_channel", dtype=bfloat16)):
        assert np.array_equal(tensor.codes, expected.codes)
        assert np.array_equal(tensor.scales, expected.scales)
    found = expected.dequantize(bfloat16)
    assert found.dtype == bfloat16
    assert np.array_equal(found.view(np.uint16), expected.dequantize("bf16"))
    (batched,) = bq.dequantize_batch([expected], bfloat16)
    assert batched.dtype == bfloat16 and batched.tobytes() == found.tobytes()
    with bq.Writer(tmp_path / "m.safetensors") as writer:
        writer.add("w", array)
    with bq.open_file(tmp_path / "m.safetensors") as file:
        assert file.info("w").dtype == "BF16" and np.array_equal(file["w"], words)
    for held in (words, array):
        assert np.array_equal(bq.bfloat16_to_float32(held),
                              (words.astype(np.uint32) << 16).view(np.float32))


def test_what_bfloat16_to_float32_refuses():
    assert np.isnan(bq.bfloat16_to_float32(np.array([0x7FC0], np.uint16)))
    for other in (np.ones(3, np.int16), np.ones(3, np.float32)):
        with pytest.raises(TypeError, match="uint16 is needed"):
            bq.bfloat16_to_float32(other)


def test_masked_arrays_are_refused():
    """What lies under a mask would count."""
    masked = np.ma.masked_greater(np.float32([[1, 2, 1e30]]), 10)
    for call in (lambda: bq.quantize(masked, "int8_symmetric"),
                 lambda: bq.quantize(masked, "int8_symmetric", copy=True),
                 lambda: bq.Calibrator().observe(masked),
                 lambda: bq.compare(masked, masked.data)):
        with pytest.raises(TypeError, match="masked array.*filled"):
            call()
    assert bq.quantize(masked.filled(0), "int8_symmetric").scales == np.float32(2) / np.float32(127)
