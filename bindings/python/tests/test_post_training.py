"""Quantizing with parameters that are given, calibrated or followed; the whole way on a
trained model; the distribution of errors."""
import sys

import bitnet_quant as bq
import numpy as np
import pytest
from conftest import DIGITS, ROOT

sys.path.insert(0, str(ROOT / "tests" / "models"))
import digits  # noqa: E402

RNG = np.random.default_rng(13)
VALUES = RNG.standard_normal((24, 50)).astype(np.float32)
ASYMMETRIC = "int8_asymmetric"


def same(a, b):
    return (a.config == b.config and a.shape == b.shape and np.array_equal(a.codes, b.codes)
            and np.array_equal(a.scales, b.scales) and np.array_equal(a.zero_points, b.zero_points))


def at_the_ends(tensor):
    """How many values have the least or the greatest code."""
    codes, format = tensor.unpack(), next(f for f in bq.formats() if f.name == tensor.format)
    return np.isin(codes, (codes.min(), codes.max(), format.min_code, format.max_code)).sum()


@pytest.mark.parametrize("preset", ["int8_symmetric", ASYMMETRIC, "int8_per_channel",
                                    "int4_per_group_32", "int4_per_group_128_asymmetric",
                                    "nf4", "int8_dynamic", "ternary"])
def test_static_with_the_parameters_found(preset):
    """What quantize finds, given back to quantize_static, gives the same tensor."""
    found = bq.quantize(VALUES, preset)
    for context in (None, bq.Context(threads=3)):
        tensor, clamped = bq.quantize_static(VALUES, found.scales, found.zero_points, preset,
                                             context=context)
        assert same(tensor, found)
        # By so little that rounding decides, except for ternary's absmean.
        assert clamped <= at_the_ends(found)
        if preset == "ternary":
            # Those that a second step would be nearer to.
            steps = np.abs(VALUES) * (np.float32(1) / found.scales[0])
            assert clamped == (np.rint(steps) > 1).sum()


def test_static_by_hand():
    x = np.float32([-3, -1, -0.26, 0, 0.24, 1, 200])
    tensor, clamped = bq.quantize_static(x, 0.5)
    assert tensor.unpack().tolist() == [-6, -2, -1, 0, 0, 2, 127] and clamped == 1
    tensor, clamped = bq.quantize_static(x, [0.5], [-10], ASYMMETRIC)
    assert tensor.unpack().tolist() == [-16, -12, -11, -10, -10, -8, 127] and clamped == 1
    assert tensor.dequantize().tolist() == [-3, -1, -0.5, 0, 0, 1, 68.5]
    tensor, _ = bq.quantize_static(x[:6].reshape(2, 3), np.array([1, 2]), granularity="channel")
    assert tensor.unpack().tolist() == [[-3, -1, 0], [0, 0, 0]]
    halves = (x.view(np.uint32) >> 16).astype(np.uint16)
    assert bq.quantize_static(halves, 0.5, dtype="bf16").clamped == 1
    assert bq.quantize_static(x[::2], 0.5, copy=True).clamped == 1


@pytest.mark.parametrize("scales, zero_points, error, message", [
    ([0.5, 0.5], [0], bq.InvalidArgumentError, "scale"),
    ([np.nan], [0], bq.InvalidArgumentError, "scale"),
    ([-1], [0], bq.InvalidArgumentError, "scale"),
    ([0.5], [], bq.InvalidArgumentError, "zero"),
    ([0.5], [1, 2], bq.InvalidArgumentError, "zero"),
    ([0.5], [128], ValueError, r"zero_points\[0\] is 128"),
    ([0.5], [0.0], TypeError, "zero_points has dtype float64"),
    (["wide"], [0], ValueError, "wide"),
])
def test_bad_parameters(scales, zero_points, error, message):
    with pytest.raises(error, match=message):
        bq.quantize_static(VALUES, scales, zero_points, ASYMMETRIC)


def test_calibrated():
    calibrator = bq.Calibrator(method="percentile", percentile=99, scheme="asymmetric")
    calibrator.observe(VALUES)
    tensor, clamped = bq.quantize_calibrated(VALUES, calibrator, ASYMMETRIC)
    lo, hi = calibrator.range()
    # The codes reach as far as the range, but for the rounding of the zero point.
    step = tensor.scales[0]
    outside = ((VALUES < lo - step) | (VALUES > hi + step)).sum()
    assert 0 < outside <= clamped <= at_the_ends(tensor)
    assert same(tensor, bq.quantize_static(VALUES, *calibrator.params(ASYMMETRIC)).tensor)


def test_calibrated_per_channel():
    calibrator = bq.Calibrator(granularity="channel", axis=1)
    calibrator.observe(VALUES)
    config = bq.Config(format="int8", granularity="channel", axis=-1)
    tensor, clamped = bq.quantize_calibrated(VALUES, calibrator, config)
    assert same(tensor, bq.quantize(VALUES, config)) and clamped <= at_the_ends(tensor)
    assert same(tensor, bq.quantize_static(VALUES, *calibrator.params(config)).tensor)
    for wrong, message in ((config.replace(axis=0), "axis"), ("int8_symmetric", "granularity")):
        with pytest.raises(bq.InvalidArgumentError, match=message):
            bq.quantize_calibrated(VALUES, calibrator, wrong)
    with pytest.raises(bq.NoDataError):
        bq.quantize_calibrated(VALUES, bq.Calibrator())
    with pytest.raises(TypeError, match="Calibrator is needed, got str"):
        bq.quantize_calibrated(VALUES, "int8_symmetric")


@pytest.mark.parametrize("method", bq.CalibrationMethod)
def test_auto(method):
    calibrator = bq.Calibrator(method=method, scheme="asymmetric")
    calibrator.observe(VALUES)
    expected = bq.quantize_calibrated(VALUES, calibrator, ASYMMETRIC).tensor
    assert same(bq.quantize_tensor_auto(VALUES, ASYMMETRIC, method), expected)
    assert same(bq.quantize_tensor_auto(VALUES, ASYMMETRIC, method.value), expected)


def test_auto_in_short():
    assert same(bq.quantize_tensor_auto(VALUES), bq.quantize(VALUES, "int8_symmetric"))
    assert same(bq.quantize_tensor_auto(VALUES, granularity="channel"),
                bq.quantize(VALUES, "int8_per_channel"))
    with pytest.raises(bq.InvalidArgumentError, match="best"):
        bq.quantize_tensor_auto(VALUES, method="best")
    with pytest.raises(bq.InvalidArgumentError, match="granularity"):
        bq.quantize_tensor_auto(VALUES, "int4_per_group_32")


def test_percentile():
    wild = VALUES.copy()
    wild[3, 3] = 1000
    for config in ("int8_symmetric", "int4_per_group_32"):
        expected = bq.quantize(wild, config, scale_rule="percentile", percentile=99.9)
        assert same(bq.quantize_tensor_percentile(wild, config), expected)
        assert same(bq.quantize_tensor_percentile(wild, config, 90), bq.quantize(
            wild, config, scale_rule="percentile", percentile=90))
    # Robust to the outlier, which costs absmax everything else.
    rest = wild != 1000
    errors = [np.abs(wild - tensor.dequantize())[rest].max() for tensor in (
        bq.quantize_tensor_percentile(wild), bq.quantize(wild, "int8_symmetric"))]
    assert errors[0] < 0.1 < 1 < errors[1]
    with pytest.raises(bq.InvalidArgumentError, match="percentile"):
        bq.quantize_tensor_percentile(wild, percentile=101)


def test_adaptive():
    quantizer = bq.AdaptiveActivationQuantizer(ASYMMETRIC, averaging=0.5, max_growth=0.25)
    calibrator = bq.Calibrator(method="adaptive", averaging=0.5, max_growth=0.25,
                               scheme="asymmetric")
    total = 0
    for scale in (1, 1.2, 50, 1, 0.01):
        batch = VALUES * np.float32(scale)
        calibrator.observe(batch)
        expected = bq.quantize_calibrated(batch, calibrator, ASYMMETRIC)
        tensor, clamped = quantizer.quantize(batch)
        assert same(tensor, expected.tensor) and clamped == expected.clamped
        total += clamped
        if scale == 50:
            # The wild batch is clamped, and has moved either end by a quarter at most.
            assert clamped > batch.size / 2
            assert np.ptp(quantizer.calibrator.range()) < 1.5 * 1.3 * np.ptp(VALUES)
    assert quantizer.clamped == total and str(total) in repr(quantizer)
    before = quantizer.calibrator.to_bytes()
    quantizer.quantize(VALUES, follow=False)
    assert quantizer.calibrator.to_bytes() == before
    quantizer.reset()
    assert quantizer.clamped == 0 == quantizer.calibrator.batches
    with pytest.raises(bq.NoDataError):
        quantizer.quantize(VALUES, follow=False)


@pytest.mark.parametrize("method", bq.CalibrationMethod)
@pytest.mark.parametrize("config", [
    "int8_symmetric", "int8_asymmetric", "format=int4,granularity=tensor", "ternary",
    "format=int4,granularity=channel,axis=-1,scheme=asymmetric", "nf4,granularity=channel,axis=1"])
def test_the_calibrator_is_the_one_that_suits_the_config(config, method):
    """The one of quantize_tensor_auto, whose choice is the library's: kl with the bits of
    another format finds another range."""
    expected = bq.quantize_tensor_auto(VALUES, config, method)
    weight, params = bq.post_training_quantization(VALUES, [VALUES], "nf4", method,
                                                   activation_config=config)
    assert same(bq.quantize_static(VALUES, *params).tensor, expected)
    named = bq.post_training_quantization({}, {"x": VALUES}, method=method,
                                          activation_config=config).activations["x"]
    assert named.scales.tolist() == params.scales.tolist()
    calibrator = bq.Calibrator.for_config(config, method=method)
    calibrator.observe(VALUES)
    assert same(bq.quantize_calibrated(VALUES, calibrator, config).tensor, expected)


def test_the_defaults_of_post_training_are_the_librarys():
    weight, params = bq.post_training_quantization(VALUES, [VALUES])
    assert weight.config == bq.quantize(VALUES, "int8_per_channel").config
    assert params.config == bq.Config.preset("int8_symmetric")
    with pytest.raises(bq.InvalidArgumentError, match="granularity = group"):
        bq.Calibrator.for_config("int8_per_group_128")


def test_adaptive_per_channel():
    quantizer = bq.AdaptiveActivationQuantizer(
        bq.Config(format="int8", granularity="channel", axis=1))
    assert quantizer.quantize(VALUES).tensor.scales.size == quantizer.calibrator.channels == 50
    with pytest.raises(bq.InvalidArgumentError, match="granularity"):
        bq.AdaptiveActivationQuantizer("int4_per_group_32")
    with pytest.raises(bq.NotFoundError, match="averagin"):
        bq.AdaptiveActivationQuantizer(averagin=1)


def test_post_training_of_one_layer():
    batches = [VALUES * np.float32(scale) for scale in (1, 2, 3)]
    expected = bq.Calibrator(method="mse")
    for batch in batches:
        expected.observe(batch)
    fed = expected.copy()
    for data, method in ((batches, "mse"), (iter(batches), "mse"), (fed, None),
                         (bq.CalibrationDataset(batches), bq.CalibrationMethod.MSE)):
        weight, params = bq.post_training_quantization(VALUES, data, "nf4", method)
        assert same(weight, bq.quantize(VALUES, "nf4"))
        assert params.scales == expected.params().scales and params.zero_points.size == 0
    assert bq.post_training_quantization(VALUES, batches).activations.scales == (
        np.abs(batches[2]).max() / np.float32(127))
    with pytest.raises(TypeError, match="method.*exclude"):
        bq.post_training_quantization(VALUES, fed, method="kl")
    with pytest.raises(bq.NoDataError):
        bq.post_training_quantization(VALUES, [])


def test_post_training_by_name(tmp_path):
    np.save(tmp_path / "b.npy", VALUES)
    weights = {"a.weight": VALUES, "b.weight": VALUES[:5]}
    tensors, params = bq.post_training_quantization(
        weights, {"a": [VALUES, VALUES + 1], "b": tmp_path / "b.npy"}, format="int4",
        activation_config=bq.Config(format="int8", granularity="channel", axis=-1,
                                    scheme="asymmetric"))
    assert list(tensors) == list(weights)
    for name, tensor in tensors.items():
        assert same(tensor, bq.quantize(weights[name], "int8_per_channel", format="int4"))
    assert {name: found.scales.shape for name, found in params.items()} == {
        "a": (50,), "b": (50,)}
    dataset = bq.CalibrationDataset({"a": [VALUES, VALUES * 2], "b": VALUES})
    found = bq.post_training_quantization(VALUES, dataset, method="kl").activations
    assert {name: params.scales.size for name, params in found.items()} == {"a": 1, "b": 1}
    with pytest.raises(bq.NoDataError):
        bq.post_training_quantization(VALUES, {})
    calibration = bq.Calibration()
    calibration.observe("x", VALUES)
    assert list(bq.post_training_quantization(weights, calibration).activations) == ["x"]
    bad = np.where(VALUES > 2, np.float32(np.inf), VALUES)
    with pytest.raises(bq.NonFiniteError, match="weight 'bad'"):
        bq.post_training_quantization({"ok": VALUES, "bad": bad}, calibration)


def layers(model):
    """The activations before each layer, on the held-out images, and the answers."""
    x, _ = digits.held_out()
    for index in range(3):
        yield f"layers.{index}", x
        x = x @ model[f"layers.{index}.weight"].T + model[f"layers.{index}.bias"]
        x = np.maximum(x, 0) if index < 2 else x


@pytest.mark.parametrize("method", ["minmax", "percentile", "kl", "mse"])
@pytest.mark.parametrize("activations", ["int8_symmetric", ASYMMETRIC])
def test_the_whole_way_on_a_trained_model(tmp_path, method, activations):
    """From a model file to one with static parameters, which still reads digits."""
    model = digits.read_safetensors(DIGITS)
    asymmetric = activations == ASYMMETRIC
    calibration = bq.Calibration(method=method,
                                 scheme="asymmetric" if asymmetric else "symmetric")
    for name, values in layers(model):
        for batch in np.array_split(values, 5):
            calibration.observe(name, batch)

    calls, output = [], tmp_path / "model.bnq"
    report = bq.post_training_quantize_file(
        DIGITS, output, calibration, "int8_per_channel", activation_config=activations,
        progress=lambda *call: calls.append(call), context=bq.Context(threads=2))
    assert {row.name for row in report} >= set(model) and calls[-1][0] == calls[-1][1]
    with bq.open_file(output) as file:
        stored = {name: file[name] for name in file}
    params = calibration.params(activations)
    for name, expected in params.items():
        assert stored[f"{name}.input_scale"].ravel() == expected.scales
        assert (f"{name}.input_zero_point" in stored) == asymmetric
        if asymmetric:
            assert stored[f"{name}.input_zero_point"].ravel() == expected.zero_points

    x, labels = digits.held_out()
    for index in range(3):
        name = f"layers.{index}"
        weight = stored[f"{name}.weight"]
        assert same(weight, bq.quantize(model[f"{name}.weight"], "int8_per_channel"))
        quantized, clamped = bq.quantize_static(x, stored[f"{name}.input_scale"],
                                                stored.get(f"{name}.input_zero_point", ()),
                                                activations)
        assert clamped < x.size / 50
        x = quantized.dequantize() @ weight.dequantize().T + stored[f"{name}.bias"]
        x = np.maximum(x, 0) if index < 2 else x
    accuracy = (x.argmax(axis=1) == labels).mean()
    assert accuracy > digits.accuracy(DIGITS) - 0.01


def test_post_training_file_options(tmp_path):
    output = tmp_path / "model.bnq"
    calibration = bq.Calibration()
    for name, values in layers(digits.read_safetensors(DIGITS)):
        calibration.observe(name, values)
    dry = bq.post_training_quantize_file(DIGITS, None, calibration, format="int4", dry_run=True)
    assert not output.exists()
    plan = bq.Plan()
    plan.add("layers.2.*", None)
    plan.add("*.weight", "int4_per_group_32")
    for given in (plan, "int4_per_group_32"):
        report = bq.post_training_quantize_file(DIGITS, output, calibration, given,
                                                overwrite=True, compress=True)
        assert [row.name for row in report] == [row.name for row in dry]
        file = bq.open_file(output)
        assert (file.info("layers.2.weight").format is None) == (given is plan)
    with pytest.raises(bq.ExistsError):
        bq.post_training_quantize_file(DIGITS, output, calibration)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        bq.post_training_quantize_file(tmp_path / "nowhere", tmp_path / "new", calibration)
    with pytest.raises(TypeError, match="Calibration is needed, got dict"):
        bq.post_training_quantize_file(DIGITS, tmp_path / "new", dict(calibration))
    error = RuntimeError("mine")

    def progress(*_):
        raise error

    with pytest.raises(RuntimeError) as caught:
        bq.post_training_quantize_file(DIGITS, tmp_path / "new", calibration, progress=progress)
    assert caught.value is error
    assert [path.name for path in tmp_path.iterdir()] == ["model.bnq"]


def test_compare_histogram():
    other = VALUES + np.linspace(-1, 1, VALUES.size, dtype=np.float32).reshape(VALUES.shape)
    errors = VALUES.astype(float) - other
    for bins in (2, 7, 256):
        found = bq.compare_histogram(VALUES, other, bins)
        assert found.max_error == np.abs(errors).max() and found.counts.dtype == np.uint64
        assert len(found.edges) == bins + 1
        # numpy decides otherwise about some that lie on an edge.
        assert np.abs(found.counts.astype(int)
                      - np.histogram(errors, found.edges)[0]).sum() <= 2
        assert found.counts.sum() == VALUES.size and found.kl_divergence > 0
    tensor = bq.quantize(VALUES, "int4_per_group_32")
    assert str(bq.compare_histogram(VALUES, tensor)) == str(
        bq.compare_histogram(VALUES, tensor.dequantize(), context=bq.Context(threads=2)))


def test_divergence_by_hand():
    """Two bins with shares 3/4, 1/4 and 1/4, 3/4."""
    found = bq.compare_histogram(np.float32([0, 0, 0, 1]), np.float32([0, 1, 1, 1]), 2)
    assert found.kl_divergence == pytest.approx(0.5 * np.log(3), abs=1e-8)
    # An error on an edge counts above it.
    assert found.counts.tolist() == [2, 2] and found.edges.tolist() == [-1, 0, 1]
    same_values = bq.compare_histogram(VALUES, VALUES, 5)
    assert same_values.counts.tolist() == [0, 0, VALUES.size, 0, 0]
    assert same_values.max_error == same_values.kl_divergence == 0
    assert same_values.edges.tolist() == [0] * 6


def test_what_compare_histogram_refuses():
    for bins in (1, 65537):
        with pytest.raises(bq.InvalidArgumentError, match="bins"):
            bq.compare_histogram(VALUES, VALUES, bins)
    with pytest.raises(ValueError, match="bins is -1"):
        bq.compare_histogram(VALUES, VALUES, -1)
    with pytest.raises(bq.InvalidArgumentError, match="shape"):
        bq.compare_histogram(VALUES, VALUES[:3])
    with pytest.raises(bq.NoDataError):
        bq.compare_histogram(VALUES[:0], VALUES[:0])
    with pytest.raises(bq.NonFiniteError):
        bq.compare_histogram(VALUES, VALUES * np.float32(np.nan))


def test_metrics_by_their_other_name():
    assert isinstance(bq.compare(VALUES, VALUES), bq.QuantizationMetrics)
