"""QuantizedTensor: what it shows, for how long, and what it refuses."""
import gc
import pickle
import threading
import weakref

import bitnet_quant as bq
import numpy as np
import pytest

RNG = np.random.default_rng(1)
WEIGHTS = RNG.standard_normal((6, 5, 4)).astype(np.float32)
CONFIGS = {f.name: bq.Config(format=f.name, group_size=8) for f in bq.formats()}
CONFIGS["int8_asymmetric"] = bq.Config(format="int8", scheme="asymmetric", group_size=8)


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
    assert (tensor.shape, tensor.ndim, tensor.size) == ((6, 5, 4), 3, 120)
    assert (tensor.rows, tensor.columns) == (6, 20)
    assert tensor.nbytes == tensor.codes.nbytes + tensor.scales.nbytes + tensor.zero_points.nbytes
    assert tensor.bits_per_weight == pytest.approx(tensor.nbytes * 8 / 120)
    assert tensor.scales.size == 6 * 3  # 20 columns in groups of 8
    assert tensor.zero_points.size == (18 if config.scheme == "asymmetric" else 0)
    assert repr(tensor).startswith(f"QuantizedTensor(format='{config.format}', shape=(6, 5, 4)")


def test_it_cannot_be_made_empty():
    with pytest.raises(TypeError, match="quantize"):
        bq.QuantizedTensor()


@pytest.mark.parametrize("name, dtype", [
    ("codes", np.uint8), ("scales", np.float32), ("zero_points", np.int32)])
def test_views(tensor, name, dtype):
    view, again = getattr(tensor, name), getattr(tensor, name)
    assert view.dtype == dtype and view.ndim == 1
    assert not view.flags.writeable
    if view.size:
        assert np.shares_memory(view, again)
        with pytest.raises(ValueError):
            view.flags.writeable = True


def test_views_keep_the_memory_alive():
    tensor = bq.quantize(WEIGHTS, CONFIGS["int8_asymmetric"])
    handle = weakref.ref(tensor._handle)
    views = [tensor.codes, tensor.scales[1:], tensor.zero_points]
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
    for copy in (True, False):
        other = bq.QuantizedTensor.from_packed(
            tensor.codes, tensor.scales, zero_points, shape=WEIGHTS.shape, config=config, copy=copy)
        assert np.array_equal(other.dequantize(), tensor.dequantize())
        assert np.shares_memory(other.codes, tensor.codes) is not copy
        assert np.shares_memory(other.scales, tensor.scales) is not copy


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
            "zero_points": np.empty(18, np.int32)}
    config = CONFIGS["int8_asymmetric"]
    bq.quantize_into(WEIGHTS, **good, config=config)
    assert np.array_equal(good["codes"], bq.quantize(WEIGHTS, config).codes)
    for name, bad in {"codes": np.empty(119, np.uint8), "scales": np.empty(18),
                      "zero_points": None}.items():
        with pytest.raises((TypeError, ValueError), match=name):
            bq.quantize_into(WEIGHTS, **{**good, name: bad}, config=config)


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
    with pytest.raises(AttributeError, match="no attribute or metric 'rmse'"):
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
