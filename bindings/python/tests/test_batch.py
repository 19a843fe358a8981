"""Many arrays in one call: as one by one, and what is refused."""
import tracemalloc

import bitnet_quant as bq
import numpy as np
import pytest

RNG = np.random.default_rng(5)
SHAPES = [(), (1,), (0, 4), (3, 50), (7,), (2, 3, 129), (64, 300), (33, 1)]
ARRAYS = [RNG.standard_normal(shape).astype(np.float32) for shape in SHAPES]
PRESETS = [preset.name for preset in bq.presets()
           if not bq.Config.preset(preset.name).outlier_threshold]


@pytest.fixture(params=[None, 1, 3], ids=["no_context", "1_thread", "3_threads"])
def context(request):
    return None if request.param is None else bq.Context(threads=request.param)


@pytest.mark.parametrize("preset", PRESETS)
def test_as_one_by_one(preset, context):
    arrays = [array for array in ARRAYS
              if array.ndim or bq.Config.preset(preset).granularity != "channel"]
    tensors = bq.quantize_batch(arrays, preset, context=context)
    values = bq.dequantize_batch(tensors, context=context)
    assert len(tensors) == len(values) == len(arrays)
    for array, tensor, value in zip(arrays, tensors, values):
        single = bq.quantize(array, preset)
        assert (tensor.shape, tensor.config) == (array.shape, single.config)
        for part in ("codes", "scale_data", "zero_points"):
            assert np.array_equal(getattr(tensor, part), getattr(single, part))
        assert value.shape == array.shape and value.dtype == np.float32
        assert np.array_equal(value, single.dequantize())


def test_an_array_is_a_batch_of_its_first_dimension():
    tensors = bq.quantize_batch(ARRAYS[6].reshape(4, 16, 300), "nf4")
    assert [tensor.shape for tensor in tensors] == [(16, 300)] * 4
    assert np.array_equal(np.concatenate(bq.dequantize_batch(tensors)),
                          np.concatenate([bq.quantize(part, "nf4").dequantize()
                                          for part in ARRAYS[6].reshape(4, 16, 300)]))


def test_empty_batch(context):
    assert bq.quantize_batch([], "nf4", context=context) == []
    assert bq.dequantize_batch([], context=context) == []


@pytest.mark.parametrize("dtype", ["F32", "f16", "bf16"])
def test_dequantize_types_and_formats_mixed(dtype, context):
    tensors = [bq.quantize(array, preset) for array in ARRAYS[3:] for preset in
               ("ternary", "nf4_double_quant", "f16", "int8_outliers")]
    out = [np.empty_like(tensor.dequantize(dtype)) for tensor in tensors]
    values = bq.dequantize_batch(iter(tensors), dtype, out=out, context=context)
    for value, given, tensor in zip(values, out, tensors):
        assert value is given and np.array_equal(value, tensor.dequantize(dtype))


def test_bf16_input():
    words = (ARRAYS[3].view(np.uint32) >> 16).astype(np.uint16)
    tensor, = bq.quantize_batch([words], "int8_per_channel", dtype="bf16")
    assert np.array_equal(tensor.codes, bq.quantize(words, "int8_per_channel", dtype="bf16").codes)


def test_tensors_of_a_batch_keep_their_memory():
    tensors = bq.quantize_batch(ARRAYS[3:5], format="int8")
    expected = [bq.quantize(array, format="int8").dequantize() for array in ARRAYS[3:5]]
    view = tensors.pop(0).codes  # of a tensor that is gone
    assert np.array_equal(tensors[0].dequantize(), expected[1])
    assert np.array_equal(view, bq.quantize(ARRAYS[3], format="int8").codes)


def test_memory_does_not_grow_with_the_batch():
    big = np.ones((256, 4096), np.float32)
    tensors, out = [bq.quantize(big)] * 16, [np.empty_like(big) for _ in range(16)]
    tracemalloc.start()
    bq.dequantize_batch(tensors, out=out)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < big.nbytes / 16


def test_errors_name_the_array():
    bad = ARRAYS[3].copy()
    bad[2, 1] = np.nan
    with pytest.raises(bq.NonFiniteError, match="array 2.*101"):
        bq.quantize_batch([ARRAYS[3], ARRAYS[4], bad])
    with pytest.raises(bq.BitNetQuantError, match="array 1: .*axis") as caught:
        bq.quantize_batch([ARRAYS[3], ARRAYS[4]], granularity="channel", axis=1)
    with pytest.raises(type(caught.value)):
        bq.quantize(ARRAYS[4], granularity="channel", axis=1)
    with pytest.raises(ValueError, match=r"arrays\[1\] is not C-contiguous"):
        bq.quantize_batch([ARRAYS[3], ARRAYS[3].T])
    with pytest.raises(TypeError, match=r"arrays\[0\] must be a numpy array, got list"):
        bq.quantize_batch([[1.0]])


def test_dequantize_refuses():
    tensors = bq.quantize_batch(ARRAYS[3:5])
    with pytest.raises(TypeError, match=r"tensors\[1\] must be a QuantizedTensor, got ndarray"):
        bq.dequantize_batch([tensors[0], ARRAYS[0]])
    with pytest.raises(ValueError, match="out has 1 arrays; 2 are needed"):
        bq.dequantize_batch(tensors, out=[np.empty((3, 50), np.float32)])
    with pytest.raises(ValueError, match=r"out\[1\] has shape \(8,\); \(7,\) is needed"):
        bq.dequantize_batch(tensors, out=[np.empty((3, 50), np.float32), np.empty(8, np.float32)])
    with pytest.raises((bq.UnsupportedError, bq.InvalidArgumentError)):
        bq.dequantize_batch(tensors, "F64")
