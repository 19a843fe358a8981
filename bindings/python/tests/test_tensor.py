"""QuantizedTensor: what it shows, for how long, and what it refuses."""
import copy
import gc
import pickle
import threading
import weakref

import bitnet_quant as bq
import numpy as np
import pytest
from conftest import DIGITS

RNG = np.random.default_rng(1)
WEIGHTS = RNG.standard_normal((6, 5, 4)).astype(np.float32)
CONFIGS = {f.name: bq.Config(format=f.name, group_size=8) for f in bq.formats()}
CONFIGS["int8_asymmetric"] = bq.Config(format="int8", scheme="asymmetric", group_size=8)
CONFIGS["int4_f16"] = bq.Config(format="int4", scale_dtype="f16", group_size=8)
CONFIGS["nf4_bf16"] = bq.Config(format="nf4", scale_dtype="bf16", group_size=8)
CONFIGS["fp4_double_quant"] = bq.Config(format="fp4", double_quant=True, group_size=8)
CONFIGS["ternary_base3"] = bq.Config(format="ternary", packing="base3", group_size=8)
SCALED = [f.name for f in bq.formats() if f.scaled]


@pytest.fixture(params=CONFIGS)
def config(request):
    return CONFIGS[request.param]


@pytest.fixture
def tensor(config):
    return bq.quantize(WEIGHTS, config)


def to_bf16(values):
    """Rounds finite float32 to bfloat16, half to even."""
    word = values.view(np.uint32)
    return ((word + 0x7FFF + ((word >> 16) & 1)) >> 16).astype(np.uint16)


def test_properties(tensor, config):
    assert tensor.format == config.format
    assert tensor.config == config
    assert not tensor.outlier_columns.size and tensor.outlier_dtype is None
    assert tensor.outlier_values.shape == (6, 5, 0) and not tensor.saturated_scales
    assert (tensor.shape, tensor.ndim, tensor.size) == ((6, 5, 4), 3, 120)
    assert (tensor.rows, tensor.columns) == (6, 20)
    assert tensor.nbytes == (tensor.codes.nbytes + tensor.scale_data.nbytes
                             + tensor.zero_points.nbytes + tensor.codebook.nbytes)
    assert tensor.bits_per_weight == pytest.approx(tensor.nbytes * 8 / 120)
    # 20 columns in groups of 8
    assert tensor.scales.size == (6 * 3 if config.format in SCALED else 0)
    assert tensor.zero_points.size == (18 if config.scheme == "asymmetric" else 0)
    assert repr(tensor).startswith(f"QuantizedTensor(format='{config.format}', shape=(6, 5, 4)")


def test_it_cannot_be_made_empty():
    with pytest.raises(TypeError, match="quantize"):
        bq.QuantizedTensor()


@pytest.mark.parametrize("name, dtype", [
    ("codes", np.uint8), ("scales", np.float32), ("scale_data", np.uint8),
    ("zero_points", np.int8), ("outlier_columns", np.uint32)])
def test_views(tensor, config, name, dtype):
    view, again = getattr(tensor, name), getattr(tensor, name)
    assert view.dtype == dtype and view.ndim == 1
    assert not view.flags.writeable
    if name == "scales" and (config.scale_dtype != "f32" or config.double_quant):
        assert np.array_equal(view, again)  # converted at each look
    elif view.size:
        assert np.shares_memory(view, again)
        with pytest.raises(ValueError):
            view.flags.writeable = True


def test_views_keep_the_memory_alive():
    tensor = bq.quantize(WEIGHTS, CONFIGS["int8_asymmetric"])
    handle = weakref.ref(tensor._handle)
    views = [tensor.codes, tensor.scales[1:], tensor.scale_data, tensor.zero_points]
    copies = [view.copy() for view in views]
    del tensor
    gc.collect()
    assert handle() is not None
    for view, copy in zip(views, copies):
        assert np.array_equal(view, copy)
    while views:
        assert handle() is not None
        views.pop()
        del view
        view = None
        gc.collect()
    assert handle() is None


@pytest.mark.parametrize("dtype, round_to", [
    ("F32", np.float32), (np.float32, np.float32), ("f16", np.float16), (np.float16, np.float16),
    ("float16", np.float16), ("bf16", to_bf16)])
def test_dequantize_types(tensor, dtype, round_to):
    exact = tensor.dequantize()
    expected = round_to(exact) if round_to is to_bf16 else exact.astype(round_to)
    found = tensor.dequantize(dtype)
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


def test_dequantize_refuses_other_types(tensor):
    for dtype in ("F64", np.int8, "F8_E4M3"):
        with pytest.raises((bq.UnsupportedError, bq.InvalidArgumentError)):
            tensor.dequantize(dtype)


@pytest.mark.parametrize("rows, expected", [
    (slice(None), slice(0, 6)), (slice(2, 5), slice(2, 5)), (slice(-1, None), slice(5, 6)),
    (slice(4, 100), slice(4, 6)), (slice(3, 3), slice(3, 3)), (slice(5, 2), slice(0, 0))])
def test_dequantize_rows(tensor, rows, expected):
    part = tensor.dequantize(rows=rows)
    assert np.array_equal(part, tensor.dequantize()[expected])


def test_dequantize_rows_of_low_rank():
    vector = bq.quantize(WEIGHTS.ravel())
    assert np.array_equal(vector.dequantize(rows=slice(0, 1)), vector.dequantize())
    assert vector.dequantize(rows=slice(1, 2)).shape == (0,)
    with pytest.raises(ValueError, match=r"rows is slice\(0, 4, 2\)"):
        vector.dequantize(rows=slice(0, 4, 2))
    with pytest.raises(ValueError, match="rows is 3"):
        vector.dequantize(rows=3)


def test_out(tensor):
    out = np.empty(tensor.shape, np.float32)
    assert tensor.dequantize(out=out) is out
    assert np.array_equal(out, tensor.dequantize())
    # A part of a larger array, where it is.
    large = np.full((8, 5, 4), 7, np.float32)
    tensor.dequantize(out=large[1:4], rows=slice(3, 6))
    assert np.array_equal(large[1:4], out[3:])
    assert (large[0] == 7).all() and (large[4:] == 7).all()
    codes = np.empty(tensor.shape, np.int8)
    if tensor.format in SCALED:
        assert tensor.unpack(out=codes) is codes
        assert np.array_equal(codes, tensor.unpack())


def unaligned(shape):
    size = int(np.prod(shape)) * 4
    return np.frombuffer(bytearray(size + 1), np.float32, offset=1).reshape(shape)


@pytest.mark.parametrize("out, error, message", [
    ([0.0], TypeError, "out must be a numpy array, got list"),
    (np.empty((6, 5, 4), np.float64), TypeError, "out has dtype '<f8'; '<f4' is needed"),
    (np.empty((6, 20), np.float32), ValueError, r"out has shape \(6, 20\); \(6, 5, 4\)"),
    (np.empty((4, 5, 6), np.float32).T, ValueError, "out is not C-contiguous"),
    (unaligned((6, 5, 4)), ValueError, "aligned"),
    (np.broadcast_to(np.float32(0), (6, 5, 4)), ValueError, "out is read-only"),
])
def test_bad_out(out, error, message):
    with pytest.raises(error, match=message):
        bq.quantize(WEIGHTS).dequantize(out=out)


def test_from_packed(tensor, config):
    zero_points = tensor.zero_points if tensor.zero_points.size else None
    if tensor.codebook.size:
        with pytest.raises(bq.InvalidArgumentError, match="codebook take"):
            bq.QuantizedTensor.from_packed(tensor.codes, tensor.scale_data, shape=WEIGHTS.shape,
                                           config=config)
        other = bq.QuantizedTensor.from_parts(tensor.parts, shape=WEIGHTS.shape, config=config)
        assert np.array_equal(other.dequantize(), tensor.dequantize())
        return
    for copy in (True, False):
        other = bq.QuantizedTensor.from_packed(
            tensor.codes, tensor.scale_data, zero_points, shape=WEIGHTS.shape, config=config,
            copy=copy)
        assert np.array_equal(other.dequantize(), tensor.dequantize())
        assert other.config == config
        assert np.shares_memory(other.codes, tensor.codes) is not copy
        if config.format in SCALED:
            assert np.shares_memory(other.scale_data, tensor.scale_data) is not copy


@pytest.mark.parametrize("scale_dtype, dtype", [
    ("f32", np.float32), ("f16", np.float16), ("bf16", np.uint16)])
def test_from_packed_takes_scales_of_their_type(scale_dtype, dtype):
    config = bq.Config(format="int4", group_size=8, scale_dtype=scale_dtype)
    tensor = bq.quantize(WEIGHTS, config)
    scales = tensor.scale_data.view(dtype)
    assert scales.size == tensor.scales.size
    other = bq.QuantizedTensor.from_packed(tensor.codes, scales, shape=WEIGHTS.shape, config=config)
    assert np.array_equal(other.dequantize(), tensor.dequantize())
    codes, written = np.empty_like(tensor.codes), np.empty_like(scales)
    bq.quantize_into(WEIGHTS, codes, written, config=config)
    assert np.array_equal(written, scales) and np.array_equal(codes, tensor.codes)
    with pytest.raises(TypeError, match=f"scales has dtype float64; {np.dtype(dtype)} is needed"):
        bq.QuantizedTensor.from_packed(tensor.codes, scales.astype(float), shape=WEIGHTS.shape,
                                       config=config)


def test_double_quantized_scales_are_bytes():
    config, tensor = CONFIGS["fp4_double_quant"], bq.quantize(WEIGHTS, CONFIGS["fp4_double_quant"])
    with pytest.raises(TypeError, match="scales has dtype float32; uint8 is needed"):
        bq.QuantizedTensor.from_packed(tensor.codes, tensor.scales, shape=WEIGHTS.shape,
                                       config=config)
    # As the layout of scale_data is described: 18 codes, 2 zeros, 1 greatest, the offset.
    codes, (greatest, offset) = tensor.scale_data[:18], tensor.scale_data[20:].view(np.float32)
    assert tensor.scale_data[18:20].tolist() == [0, 0]
    assert np.array_equal(tensor.scales, bq.dynamic_map()[codes] * greatest + offset)
    assert np.abs(tensor.scales - bq.quantize(WEIGHTS, config, double_quant=False).scales
                  ).max() <= greatest / 64


def test_dynamic_map():
    values = bq.dynamic_map()
    assert values.shape == (256,) and values.dtype == np.float32 and not values.flags.writeable
    assert (np.diff(values) > 0).all() and values[127] == 0 and values[255] == 1


@pytest.mark.parametrize("format", ["f16", "bf16"])
def test_formats_without_scales(format):
    tensor = bq.quantize(WEIGHTS, format=format)
    expected = to_bf16(WEIGHTS) if format == "bf16" else WEIGHTS.astype(np.float16)
    assert np.array_equal(tensor.codes.view(expected.dtype).reshape(6, 5, 4), expected)
    assert np.array_equal(tensor.dequantize(format), expected)
    assert tensor.bits_per_weight == 16 and not tensor.scale_data.size
    with pytest.raises(bq.UnsupportedError, match=format):
        tensor.unpack()
    other = bq.QuantizedTensor.from_packed(tensor.codes, shape=WEIGHTS.shape, format=format)
    assert np.array_equal(other.dequantize(), tensor.dequantize())
    codes = np.empty_like(tensor.codes)
    bq.quantize_into(WEIGHTS, codes, format=format)
    assert np.array_equal(codes, tensor.codes)


def test_from_packed_borrows_for_as_long_as_needed():
    codes, scales = np.array([1, 2, 3], np.uint8), np.ones(1, np.float32)
    kept = weakref.ref(codes)
    tensor = bq.QuantizedTensor.from_packed(codes, scales, shape=[3], format="int8", copy=False)
    del codes
    gc.collect()
    assert tensor.dequantize().tolist() == [1, 2, 3]
    view = tensor.codes
    del tensor
    gc.collect()
    assert kept() is not None and view.tolist() == [1, 2, 3]
    del view
    gc.collect()
    assert kept() is None


def test_from_packed_refuses():
    codes, scales = np.array([1, 2, 3], np.uint8), np.ones(1, np.float32)
    make = bq.QuantizedTensor.from_packed
    with pytest.raises(TypeError, match="scales has dtype float64; float32 is needed"):
        make(codes, scales.astype(float), shape=[3], format="int8")
    with pytest.raises(bq.InvalidArgumentError):
        make(codes, scales, shape=[4], format="int8")
    with pytest.raises(bq.InvalidArgumentError, match="scale"):
        make(codes, np.array([np.inf], np.float32), shape=[3], format="int8")
    with pytest.raises(bq.InvalidArgumentError, match="3"):
        make(np.array([0xFF], np.uint8), scales, shape=[4], format="ternary")
    with pytest.raises(ValueError, match="dimension -3"):
        make(codes, scales, shape=[-3], format="int8")
    with pytest.raises(ValueError, match="codes is not C-contiguous"):
        make(np.zeros(6, np.uint8)[::2], scales, shape=[3], format="int8", copy=False)
    with pytest.raises(ValueError, match="scales is not aligned"):
        make(codes, unaligned((1,)), shape=[3], format="int8", copy=False)
    with pytest.raises(bq.InvalidArgumentError):
        make(codes, scales, shape=[2**63, 2**63], format="int8")


def test_pack_refuses_codes_out_of_range():
    with pytest.raises(bq.InvalidArgumentError, match="2"):
        bq.pack(np.array([0, 1, 2], np.int8), format="ternary")
    with pytest.raises(TypeError, match="codes has dtype int64; int8 is needed"):
        bq.pack(np.array([0, 1]))


def test_quantize_into_refuses():
    good = {"codes": np.empty(120, np.uint8), "scales": np.empty(18, np.float32),
            "zero_points": np.empty(18, np.int8)}
    config = CONFIGS["int8_asymmetric"]
    bq.quantize_into(WEIGHTS, **good, config=config)
    assert np.array_equal(good["codes"], bq.quantize(WEIGHTS, config).codes)
    for name, bad in {"codes": np.empty(119, np.uint8), "scales": np.empty(18),
                      "zero_points": None}.items():
        with pytest.raises((TypeError, ValueError), match=name):
            bq.quantize_into(WEIGHTS, **{**good, name: bad}, config=config)
    for scales in (None, np.empty(73, np.uint8)[1:]):
        with pytest.raises((TypeError, ValueError), match="scales must be|scales is not aligned"):
            bq.quantize_into(WEIGHTS, **{**good, "scales": scales}, config=config)


@pytest.fixture(scope="module")
def layers():
    """The matrices of a trained network."""
    with bq.open_file(DIGITS) as file:
        found = {name: np.array(array) for name, array in file.items() if array.ndim == 2}
    assert len(found) > 1
    return found


@pytest.mark.parametrize("granularity", ["tensor", "channel", "group", "token", "block"])
def test_repack(layers, granularity):
    for weight in layers.values():
        tensor = bq.quantize(weight, format="ternary", granularity=granularity, group_size=50)
        small = tensor.repack("base3", context=bq.Context(threads=2))
        assert small.config == tensor.config.replace(packing="base3")
        assert small.codes.size < tensor.codes.size * 0.82
        assert small.codes.tobytes() == bq.quantize(weight, small.config).codes.tobytes()
        assert np.array_equal(small.unpack(), tensor.unpack())
        assert np.array_equal(small.dequantize(), tensor.dequantize())
        back = small.repack("default")
        assert back.config == tensor.config
        assert back.codes.tobytes() == tensor.codes.tobytes()
        assert back.scales.tobytes() == tensor.scales.tobytes()


def test_repack_refuses():
    with pytest.raises(bq.UnsupportedError, match="int8"):
        bq.quantize(WEIGHTS, format="int8").repack("base3")
    with pytest.raises(bq.InvalidArgumentError, match="packing.*base4.*base3"):
        bq.quantize(WEIGHTS).repack("base4")


def to_float32(array, dtype):
    return array.astype(np.float32) if dtype == "F16" else (
        array.astype(np.uint32) << 16).view(np.float32)


@pytest.mark.parametrize("dtype, greatest, held", [
    ("F32", 60.0, "F16"), ("F16", 60.0, "F16"), ("BF16", 60.0, "BF16"), ("F32", 1e6, "BF16")])
def test_outliers(dtype, greatest, held):
    """The columns with some |x| >= 6 are kept; the others lose nothing by them."""
    activations = RNG.uniform(-1, 1, (3, 4, 50)).astype(np.float32)
    activations[1, 2, 7], activations[0, 0, 30] = -greatest, 6
    source = {"F32": lambda x: x, "F16": lambda x: x.astype(np.float16), "BF16": to_bf16}[dtype](
        activations)
    tensor = bq.quantize(source, "int8_outliers", dtype=dtype)
    assert tensor.outlier_columns.tolist() == [7, 30]
    assert tensor.outlier_values.shape == (3, 4, 2) and tensor.outlier_dtype == held
    assert not tensor.outlier_values.flags.writeable
    kept = activations[..., [7, 30]]
    expected = kept.astype(np.float16) if held == "F16" else to_bf16(kept)
    assert np.array_equal(tensor.outlier_values, expected)
    restored = tensor.dequantize()
    assert np.array_equal(restored[..., [7, 30]], to_float32(expected, held))
    assert not tensor.unpack()[..., [7, 30]].any()
    others = np.delete(np.arange(50), [7, 30])
    assert np.abs(restored - activations)[..., others].max() < 1 / 127
    assert tensor.nbytes == tensor.codes.size + 4 * 12 + 4 * 2 + 2 * 24
    for copied in (pickle.loads(pickle.dumps(tensor)), copy.deepcopy(tensor)):
        assert copied.config == tensor.config
        assert np.array_equal(copied.dequantize(), restored)
        assert np.array_equal(copied.outlier_values, tensor.outlier_values)
    # The parts of from_packed alone: outlier columns hold zeros then.
    without = bq.QuantizedTensor.from_packed(tensor.codes, tensor.scales, shape=tensor.shape,
                                             config="int8_outliers")
    assert not without.outlier_columns.size and without.outlier_dtype is None
    assert not without.dequantize()[..., [7, 30]].any()
    assert np.array_equal(np.delete(without.dequantize(), [7, 30], -1), restored[..., others])


def test_a_threshold_that_nothing_reaches():
    tensor = bq.quantize(WEIGHTS, "int8_outliers", outlier_threshold=100)
    assert not tensor.outlier_columns.size and tensor.outlier_dtype is None
    assert tensor.codes.tobytes() == bq.quantize(WEIGHTS, "int8_dynamic").codes.tobytes()
    assert np.array_equal(pickle.loads(pickle.dumps(tensor)).dequantize(), tensor.dequantize())


def test_saturated_scales():
    """Scales beyond float16 are its ends, neither infinite nor 0."""
    values = np.float32([[1e-9, -1e-9], [0.5, 1], [1e9, -1e9]])
    tensor = bq.quantize(values, format="int8", granularity="channel", scale_dtype="f16")
    assert tensor.saturated_scales == 2
    assert tensor.scales[0] == 2.0 ** -24 and tensor.scales[2] == 65504
    assert bq.quantize(values, format="int8", granularity="channel").saturated_scales == 0


def test_pickle(tensor):
    other = pickle.loads(pickle.dumps(tensor))
    assert other.config == tensor.config
    assert np.array_equal(other.dequantize(), tensor.dequantize())


def test_compare_with_a_tensor(tensor):
    metrics = bq.compare(WEIGHTS, tensor)
    assert metrics == bq.compare(WEIGHTS, tensor.dequantize())
    assert metrics.mse == metrics["mse"] == pytest.approx(
        float(np.mean((WEIGHTS.astype(float) - tensor.dequantize()) ** 2)), rel=1e-9)
    assert pickle.loads(pickle.dumps(metrics)) == metrics
    assert "mse=" in repr(metrics)
    with pytest.raises(AttributeError, match="no attribute or value 'rmse'"):
        metrics.rmse
    with pytest.raises(bq.InvalidArgumentError):
        bq.compare(WEIGHTS.ravel(), tensor)


def test_non_finite_policy():
    values = np.array([1, np.nan, -np.inf, 0.5], np.float32)
    with pytest.raises(bq.NonFiniteError, match="1"):
        bq.quantize(values)
    zeroed = bq.quantize(values, non_finite="zero")
    assert np.array_equal(zeroed.dequantize(),
                          bq.quantize(np.float32([1, 0, 0, 0.5])).dequantize())
    kept = bq.quantize(values, "bf16", non_finite="keep")
    assert np.array_equal(kept.dequantize(), values, equal_nan=True)
    with pytest.raises((bq.UnsupportedError, bq.InvalidArgumentError), match="keep"):
        bq.quantize(values, "int8_per_channel", non_finite="keep")
    with pytest.raises(bq.NonFiniteError, match="1"):  # by overflow
        bq.quantize(np.float32([1, 1e6]), "f16")


def test_threads_share_a_tensor_and_a_context():
    context = bq.Context(threads=2)
    weights = RNG.standard_normal((64, 300)).astype(np.float32)
    tensor = bq.quantize(weights, format="int8")
    expected, failures = tensor.dequantize(), []

    def work():
        try:
            for _ in range(20):
                assert np.array_equal(tensor.dequantize(context=context), expected)
                other = bq.quantize(weights, format="int8", context=context)
                assert other.codes.tobytes() == tensor.codes.tobytes()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_the_last_error_is_each_threads_own():
    messages, barrier = {}, threading.Barrier(2)

    def work(size):
        for _ in range(50):
            barrier.wait()
            try:
                bq.Config(group_size=-size)
            except bq.InvalidArgumentError as error:
                messages.setdefault(size, set()).add(str(error))

    threads = [threading.Thread(target=work, args=(size,)) for size in (1111, 2222)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for size in (1111, 2222):
        assert all(str(size) in message for message in messages[size])
        assert len(messages[size]) == 1


def test_importance_weighs_the_errors_of_columns():
    weights = np.random.default_rng(3).standard_normal((16, 64)).astype(np.float32)
    importance = np.ones(64)
    importance[::4] = 500
    options = {"format": "int4", "group_size": 32, "scale_rule": "mse"}

    def loss(tensor):
        return float((importance * (tensor.dequantize() - weights) ** 2).sum())

    plain = bq.quantize(weights, **options)
    weighted = bq.quantize(weights, importance=importance, **options)
    assert loss(weighted) < 0.95 * loss(plain)
    # Only ratios count, and equal weights change nothing.
    same = bq.quantize(weights, importance=importance * 3e-20, **options)
    assert same.codes.tobytes() == weighted.codes.tobytes()
    ones = bq.quantize(weights, importance=np.full(64, 7.0), **options)
    assert ones.codes.tobytes() == plain.codes.tobytes()


@pytest.mark.parametrize("importance, options, message", [
    (np.ones(31), {}, "31 weights, must be 32"),
    (np.r_[np.ones(31), np.nan], {}, "importance 31 = nan"),
    (np.r_[-1, np.ones(31)], {}, "importance 0 = -1"),
    (np.zeros(32), {}, "0 throughout"),
    (np.ones(32), {"scale_rule": "absmax"}, "scale_rule = absmax"),
    (np.ones(32), {"format": "binary"}, "format = binary"),
])
def test_importance_that_cannot_be(importance, options, message):
    options = {"format": "int4", "scale_rule": "mse", **options}
    with pytest.raises(bq.InvalidArgumentError, match=message):
        bq.quantize(np.ones((2, 32), np.float32), importance=importance, **options)
    with pytest.raises(ValueError, match="one dimension"):
        bq.quantize(np.ones((2, 32), np.float32), importance=np.ones((2, 32)), **options)
