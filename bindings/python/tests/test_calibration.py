"""Calibrators and named sets of them, beyond what the shared vectors hold them to."""
import copy
import pickle
import threading

import bitnet_quant as bq
import numpy as np
import pytest

RNG = np.random.default_rng(11)
BATCHES = [RNG.standard_normal((32, 6)).astype(np.float32) * scale for scale in (1, 3, 2)]
METHODS = next(o.values for o in bq.calibration_options() if o.name == "method")


def observed(**options):
    calibrator = bq.Calibrator(**options)
    for batch in BATCHES:
        calibrator.observe(batch)
    return calibrator


def test_method_names_are_those_of_the_library():
    assert tuple(method.value for method in bq.CalibrationMethod) == METHODS
    for method in bq.CalibrationMethod:
        calibrator = bq.Calibrator(method=method)
        assert calibrator.method == method == calibrator.options["method"]


def test_options():
    defaults = bq.Calibrator().options
    assert defaults == {o.name: o.default for o in bq.calibration_options()}
    for option in bq.calibration_options():
        for value in option.values or (option.min, option.max):
            calibrator = bq.Calibrator(**{option.name: value})
            assert calibrator.options == {**defaults, option.name: value}
            assert bq.Calibrator(**calibrator.options).to_bytes() == calibrator.to_bytes()
        for value in (option.min - 1, option.max * 2 + 1):
            with pytest.raises(bq.InvalidArgumentError, match=option.name):
                bq.Calibrator(**{option.name: value})
    with pytest.raises(bq.NotFoundError, match="metod"):
        bq.Calibrator(metod="kl")
    with pytest.raises(bq.InvalidArgumentError, match="minmax.*kl"):
        bq.Calibrator(method="best")
    with pytest.raises(TypeError, match="bins must be a str or int, got 1.5"):
        bq.Calibrator(bins=1.5)


def test_range_of_the_tensor_and_of_channels():
    everything = np.concatenate(BATCHES)
    lo, hi = observed(scheme="asymmetric").range()
    assert (lo.dtype, lo.shape) == (np.float32, (1,))
    assert (lo[0], hi[0]) == (everything.min(), everything.max())
    for axis, channels, others in ((-1, 6, (0, 1)), (1, 6, (0, 1)), (0, 32, (0, 2))):
        calibrator = observed(scheme="asymmetric", granularity="channel", axis=axis)
        lo, hi = calibrator.range(context=bq.Context(threads=2))
        assert calibrator.channels == channels
        assert np.array_equal(lo, np.stack(BATCHES).min(axis=others))
        assert np.array_equal(hi, np.stack(BATCHES).max(axis=others))


@pytest.mark.parametrize("dtype", ["F64", "F16", "bf16"])
def test_other_types(dtype):
    if dtype == "bf16":
        words = [(batch.view(np.uint32) >> 16).astype(np.uint16) for batch in BATCHES]
        values = [(word.astype(np.uint32) << 16).view(np.float32) for word in words]
    else:
        words = [batch.astype(f"float{dtype[1:]}") for batch in BATCHES]
        values = [word.astype(np.float32) for word in words]
    typed, plain = bq.Calibrator(method="mse"), bq.Calibrator(method="mse")
    for word, value in zip(words, values):
        typed.observe(word, dtype=dtype)
        plain.observe(value)
    assert typed.to_bytes() == plain.to_bytes()


def test_arrays_that_cannot_be_used_as_they_are():
    calibrator = bq.Calibrator()
    with pytest.raises(ValueError, match="values is not C-contiguous"):
        calibrator.observe(BATCHES[0].T)
    calibrator.observe(BATCHES[0].T, copy=True)
    assert calibrator.batches == 1
    with pytest.raises(TypeError, match="values must be a numpy array, got list"):
        calibrator.observe([1.0])


@pytest.mark.parametrize("method", METHODS)
def test_params_quantize_as_the_range_says(method):
    calibrator = observed(method=method, granularity="channel", axis=1)
    params = calibrator.params(format="int8")
    assert params.scales == pytest.approx(calibrator.range().hi / 127, rel=1e-6)
    assert params.zero_points.size == 0 and params.config.format == "int8"
    scales, zero_points, config, _ = calibrator.params("int8_asymmetric")
    assert len(zero_points) == 6 and zero_points.dtype == np.int8
    assert config == bq.Config.preset("int8_asymmetric")
    with pytest.raises(bq.UnsupportedError, match="f16"):
        calibrator.params("f16")


def test_statistics():
    calibrator = observed(moments=True, outliers="deviations", outlier_deviations=3)
    found, values = calibrator.statistics(), np.concatenate(BATCHES).astype(float)
    assert tuple(found) == bq.statistics()
    assert (found.count, found.min, found.max) == (values.size, values.min(), values.max())
    assert (found.mean, found.variance) == pytest.approx((values.mean(), values.var()))
    assert found.kurtosis == pytest.approx(
        ((values - values.mean()) ** 4).mean() / values.var() ** 2)
    beyond = np.abs(values - values.mean()) > 3 * values.std()
    # As far as bins tell.
    assert 0 < found.outliers == pytest.approx(beyond.sum(), abs=3)
    assert found == calibrator.statistics(0)
    assert pickle.loads(pickle.dumps(found)) == found
    assert {"mean", "kurtosis"} <= set(dir(found)) and repr(found).startswith("Statistics(count=")
    with pytest.raises(AttributeError, match="median"):
        found.median
    assert np.isnan(observed().statistics().mean)


def test_histogram_is_numpys():
    values = np.concatenate(BATCHES)
    counts, edges = observed(method="kl").histogram()
    assert counts.dtype == np.uint64 and len(edges) == len(counts) + 1
    assert np.array_equal(counts, np.histogram(values, edges)[0])
    assert 2048 <= len(counts) <= 4096
    with pytest.raises(bq.InvalidArgumentError, match="channel"):
        observed(histogram=True).histogram(1)
    with pytest.raises(ValueError, match="channel"):
        observed().histogram(-1)


def test_non_finite_values():
    bad = BATCHES[0].copy()
    bad[1, 1] = np.nan
    bad[2, 2] = np.inf
    calibrator = observed()
    before = calibrator.to_bytes()
    with pytest.raises(bq.NonFiniteError, match="7"):
        calibrator.observe(bad)
    assert calibrator.to_bytes() == before
    skipping = bq.Calibrator(non_finite="skip")
    skipping.observe(bad)
    assert skipping.statistics().non_finite == 2
    assert skipping.range().hi == np.abs(bad[np.isfinite(bad)]).max()


def test_before_there_are_data():
    for calibrator in (bq.Calibrator(), observed()):
        calibrator.reset()
        calibrator.observe(np.empty((0, 6), np.float32))  # does nothing
        assert (calibrator.batches, calibrator.channels) == (0, 0)
        for question in (calibrator.range, calibrator.params, calibrator.statistics,
                         bq.Calibrator(histogram=True).histogram):
            with pytest.raises(bq.NoDataError):
                question()


def test_another_number_of_channels():
    calibrator = observed(granularity="channel", axis=1)
    with pytest.raises(bq.InvalidArgumentError, match="channels"):
        calibrator.observe(BATCHES[0][:, :5], copy=True)
    with pytest.raises(bq.InvalidArgumentError, match="axis"):
        calibrator.observe(BATCHES[0].ravel())


def test_options_that_can_change_with_data():
    calibrator = observed(method="kl", bins=512)
    for method in ("mse", "percentile", "minmax"):
        calibrator.set(method=method, percentile=99)
        assert calibrator.range().hi == observed(
            method=method, percentile=99, bins=512, histogram=True).range().hi
    with pytest.raises(bq.InvalidArgumentError, match="bins"):
        calibrator.set(bins=1024)
    with pytest.raises(bq.InvalidArgumentError):
        observed().set(method="kl")  # which has no histogram


def test_merge():
    whole, parts = observed(method="kl"), [bq.Calibrator(method="kl") for _ in BATCHES]
    for part, batch in zip(parts, BATCHES):
        part.observe(batch)
    for part in parts[:0:-1]:
        parts[0].merge(part)
    assert parts[0].to_bytes() == whole.to_bytes()
    with pytest.raises(bq.InvalidArgumentError, match="bins"):
        whole.merge(bq.Calibrator(method="kl", bins=64))
    with pytest.raises(bq.UnsupportedError, match="order"):
        observed(method="adaptive").merge(bq.Calibrator(method="adaptive"))
    with pytest.raises(TypeError, match="Calibrator is needed, got bytes"):
        whole.merge(whole.to_bytes())


def test_copies_are_apart():
    calibrator = observed(method="mse")
    others = [calibrator.copy(), copy.deepcopy(calibrator), pickle.loads(pickle.dumps(calibrator)),
              bq.Calibrator.from_bytes(bytearray(calibrator.to_bytes()))]
    calibrator.reset()
    for other in others:
        assert other.to_bytes() == observed(method="mse").to_bytes()
        assert other.options == calibrator.options


def test_damaged_bytes():
    data = observed().to_bytes()
    for bad in (b"", data[:-1], data + b"\0", data[:20] + b"\xff" + data[21:]):
        with pytest.raises(bq.CorruptFileError):
            bq.Calibrator.from_bytes(bad)
    with pytest.raises(TypeError, match="data"):
        bq.Calibrator.from_bytes("text")


def test_repr():
    assert repr(observed(method="kl", bins=64)) == (
        "<Calibrator method='kl', bins=64: 3 batches, 1 channels>")


def test_many_calibrators_on_many_threads():
    """Each on a thread of its own, all in one context."""
    context, calibrators = bq.Context(threads=2), [bq.Calibrator(method="kl") for _ in range(4)]

    def work(calibrator):
        for batch in BATCHES:
            calibrator.observe(batch, context=context)

    threads = [threading.Thread(target=work, args=(c,)) for c in calibrators]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {c.to_bytes() for c in calibrators} == {observed(method="kl").to_bytes()}


@pytest.fixture
def calibration():
    result = bq.Calibration(method="mse", scheme="asymmetric")
    for name in ("b", "a", "ä"):
        for batch in BATCHES:
            result.observe(name, batch * (ord(name) - 96))
    return result


def test_calibration_is_a_mapping(calibration):
    assert list(calibration) == ["a", "b", "ä"] and len(calibration) == 3
    assert "a" in calibration and "c" not in calibration and calibration.get("") is None
    with pytest.raises(KeyError, match="'c'"):
        calibration["c"]
    assert {name: c.options for name, c in calibration.items()} == {
        name: bq.Calibrator(method="mse", scheme="asymmetric").options for name in "abä"}
    assert calibration["a"].to_bytes() == observed(method="mse", scheme="asymmetric").to_bytes()
    many = bq.Calibration()
    for index in range(20):
        many.observe(f"layer.{index}", np.float32([index]))
    assert [many[name].range().hi[0] for name in many] == [int(n[6:]) for n in many]
    assert repr(calibration) == "<Calibration: a, b, ä>" and "empty" in repr(bq.Calibration())


def test_calibrators_of_a_set_are_copies(calibration):
    taken = calibration["a"]
    taken.observe(np.float32([1e6]))
    assert calibration["a"].batches == taken.batches - 1 == 3
    del calibration
    assert taken.range().hi[0] > 1e3


def test_params_of_a_set(calibration):
    params = calibration.params("int8_asymmetric", format="int4")
    assert list(params) == list(calibration)
    for name, found in params.items():
        expected = calibration[name].params(format="int4", scheme="asymmetric")
        assert found.scales == expected.scales and found.zero_points == expected.zero_points
        assert found.config == bq.Config.preset("int8_asymmetric", format="int4")


def test_set_options_of_a_set(calibration):
    calibration.set(method="percentile", percentile=97.5)
    calibration.observe("new", BATCHES[0])
    for calibrator in calibration.values():
        assert (calibrator.method, calibrator.options["percentile"]) == ("percentile", 97.5)
    with pytest.raises(bq.InvalidArgumentError, match="bins"):
        calibration.set(bins=64)
    with pytest.raises(TypeError, match="bins must be a str or int"):
        calibration.set(bins=0.5)
    assert {c.options["bins"] for c in calibration.values()} == {2048}


def test_merge_sets(calibration):
    other, both = bq.Calibration(method="mse", scheme="asymmetric"), pickle.loads(
        pickle.dumps(calibration))
    other.observe("a", BATCHES[0] * 10)
    other.observe("z", BATCHES[1])
    both.merge(other)
    assert list(both) == ["a", "b", "z", "ä"]
    assert both["z"].to_bytes() == other["z"].to_bytes()
    merged = calibration["a"]
    merged.merge(other["a"])
    assert both["a"].to_bytes() == merged.to_bytes() != calibration["a"].to_bytes()
    with pytest.raises(TypeError, match="Calibration is needed, got Calibrator"):
        both.merge(merged)


def test_save_and_load(calibration, tmp_path):
    path = tmp_path / "set.bnq"
    calibration.save(path)
    assert calibration.to_bytes() == path.read_bytes()
    assert bq.Calibration.from_bytes(path.read_bytes()).to_bytes() == path.read_bytes()
    with pytest.raises(bq.CorruptFileError):
        bq.Calibration.from_bytes(b"")
    loaded = bq.Calibration.load(path)
    for again in (loaded, pickle.loads(pickle.dumps(calibration)), copy.deepcopy(calibration)):
        assert {n: c.to_bytes() for n, c in again.items()} == {
            n: c.to_bytes() for n, c in calibration.items()}
    # The options of those to come are kept, too.
    loaded.observe("later", BATCHES[0])
    assert loaded["later"].options == calibration["a"].options
    with pytest.raises(bq.ExistsError, match="set.bnq"):
        calibration.save(path)
    first = path.read_bytes()
    calibration.save(path, overwrite=True)
    assert path.read_bytes() == first
    with pytest.raises(FileNotFoundError, match="nowhere"):
        bq.Calibration.load(tmp_path / "nowhere")
    path.write_bytes(first[:-10])
    with pytest.raises(bq.CorruptFileError):
        bq.Calibration.load(path)


def test_what_a_set_refuses(calibration):
    with pytest.raises(bq.NonFiniteError):
        calibration.observe("a", np.float32([np.nan]))
    with pytest.raises(ValueError, match="the values of 'a' is not C-contiguous"):
        calibration.observe("a", BATCHES[0].T)
    with pytest.raises(TypeError, match="name must be a str, got int"):
        calibration.observe(3, BATCHES[0])
    with pytest.raises(bq.InvalidArgumentError, match="method"):
        bq.Calibration(method="")
    assert calibration["a"].batches == 3
