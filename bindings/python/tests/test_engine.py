"""Ryzanstein's interface: every call that its two documents show, and what its own
implementation gets wrong."""
import json
import pickle

import numpy as np
import pytest

import bitnet_quant as bq
from bitnet_quant import engine as ryzanstein
from bitnet_quant.engine import (BatchQuantizer, QuantConfig, QuantizationConfig,
                                 QuantizationEngine, TernaryWeight, WeightLoader,
                                 WeightLoaderConfig, estimate_model_size)
from conftest import DIGITS


@pytest.fixture
def weights():
    return np.random.default_rng(1).standard_normal((32, 64), dtype=np.float32)


def test_config_has_the_documented_defaults_and_a_repr_that_names_them():
    config = ryzanstein.create_default_config()
    assert config == QuantizationConfig(128, True, 6.0, True, np.float32, np.float32)
    assert "QuantizationConfig" in repr(config) and "weight_group_size=128" in repr(config)
    aggressive = ryzanstein.create_aggressive_config()
    assert aggressive == QuantizationConfig(256, True, 4.0, True)


@pytest.mark.parametrize("config", [
    QuantizationConfig(), QuantizationConfig(64, False, 3.5, False),
    QuantizationConfig(weight_group_size=7, activation_clip_value=0.0)])
def test_cpp_config_is_the_librarys_and_comes_back(config):
    cpp = config.to_cpp_config()
    assert isinstance(cpp, bq.Config) and cpp.format == "ternary"
    assert QuantizationConfig.from_cpp_config(cpp) == config
    assert pickle.loads(pickle.dumps(cpp)) == cpp
    changed = QuantConfig()
    for name in ("weight_group_size", "per_group_scaling", "activation_clip_value",
                 "symmetric_activations"):
        setattr(changed, name, getattr(cpp, name))
    assert changed == cpp
    with pytest.raises(ValueError, match="nf4"):
        QuantizationConfig.from_cpp_config(bq.Config.preset("nf4"))


def test_weights_become_ternary_in_flat_groups(weights):
    config = QuantizationConfig(weight_group_size=100)
    ternary = QuantizationEngine(config).quantize_weights(weights)
    assert (ternary.rows, ternary.cols, ternary.group_size) == (32, 64, 100)
    assert (ternary.size(), ternary.num_scales()) == (2048, 21)
    assert set(np.unique(ternary.values)) == {-1, 0, 1} and ternary.values.dtype == np.int8
    scales = [ternary.get_scale(i) for i in range(21)]
    assert scales == list(ternary.scales)
    with pytest.raises(IndexError, match="21 scales"):
        ternary.get_scale(21)
    groups = np.arange(2048) // 100
    restored = QuantizationEngine(config).dequantize_weights(ternary)
    assert np.array_equal(restored.ravel(), ternary.values * ternary.scales[groups])


def test_one_scale_without_groups(weights):
    ternary = QuantizationEngine(QuantizationConfig(per_group_scaling=False)).quantize_weights(
        weights)
    assert (ternary.num_scales(), ternary.group_size) == (1, 2048)


def test_scales_lose_less_than_those_of_ternary_weight_networks(weights):
    # Ryzanstein's rule: threshold 0.7 mean |w|, scale the mean of what is above it.
    groups = weights.reshape(-1, 128)
    magnitude = np.abs(groups)
    kept = magnitude > 0.7 * magnitude.mean(1, keepdims=True)
    scale = (magnitude * kept).sum(1, keepdims=True) / kept.sum(1, keepdims=True)
    theirs = np.mean((groups - np.sign(groups) * kept * scale) ** 2)
    result = QuantizationEngine().quantize_and_measure(weights)
    assert 0.015 < result["error"] <= theirs < 0.23


def test_a_vector_is_a_column_and_comes_back_a_vector():
    values = np.linspace(-1, 1, 300, dtype=np.float32)
    engine = QuantizationEngine()
    ternary = engine.quantize_weights(values)
    assert (ternary.rows, ternary.cols, ternary.num_scales()) == (300, 1, 3)
    assert engine.dequantize_weights(ternary).shape == (300,)


@pytest.mark.parametrize("values, what", [
    (np.zeros((2, 2)), "FP32"), (np.zeros((2, 2), np.int8), "FP32"),
    (np.zeros((0, 4), np.float32), "empty"), (np.zeros((2, 2, 2), np.float32), "dimensions"),
    (np.array([[1, np.nan]], np.float32), r"\[0, 1\]|index")])
def test_weights_that_cannot_be_are_errors(values, what):
    with pytest.raises(ValueError, match=what):
        QuantizationEngine().quantize_weights(values)


def test_the_dtypes_of_a_config_are_those_of_the_results(weights):
    engine = QuantizationEngine(QuantizationConfig(dtype_weights=np.float16,
                                                   dtype_activations=np.float16))
    assert engine.dequantize_weights(engine.quantize_weights(weights)).dtype == np.float16
    activations = engine.quantize_activations(weights)
    assert engine.dequantize_activations(activations).dtype == np.float16


def test_a_clip_is_the_range_of_symmetric_activations_whatever_they_are():
    values = np.array([-6, -3, 0, 3, 6], np.float32)
    engine = QuantizationEngine()
    assert list(engine.quantize_activations(values).values) == [-127, -64, 0, 64, 127]
    quiet = engine.quantize_activations(values / 10)
    assert quiet.scale == np.float32(6 / 127) and quiet.zero_point == 0 and quiet.size() == 5
    loud = engine.quantize_activations(values * 10)
    assert list(engine.dequantize_activations(loud)) == pytest.approx([-6, -6, 0, 6, 6])
    free = QuantizationEngine(QuantizationConfig(activation_clip_value=0))
    assert free.quantize_activations(values / 10).scale == np.float32(0.6) / np.float32(127)


def test_asymmetric_activations_have_a_zero_point_and_are_clipped():
    values = np.random.default_rng(0).uniform(0, 9, (4, 64)).astype(np.float32)
    engine = QuantizationEngine(QuantizationConfig(symmetric_activations=False))
    activation = engine.quantize_activations(values)
    assert activation.zero_point == -128 and activation.values.dtype == np.int8
    restored = engine.dequantize_activations(activation)
    assert restored.shape == values.shape
    assert np.abs(restored - np.minimum(values, 6)).max() <= activation.scale


def test_errors_are_mean_squares_in_double_of_equal_shapes(weights):
    engine = QuantizationEngine()
    assert engine.compute_error(weights, weights) == 0
    other = weights + np.float32(0.5)
    assert engine.compute_error(weights, other) == pytest.approx(
        np.mean((weights.astype(np.float64) - other) ** 2), rel=1e-12)
    with pytest.raises(ValueError, match="Shape"):
        engine.compute_error(weights, weights[0])


def test_quantize_and_measure_recovers_if_asked(weights):
    result = QuantizationEngine().quantize_and_measure(weights)
    assert set(result) == {"ternary", "compression", "recovered", "error"}
    assert result["compression"] == pytest.approx(14.22, abs=0.01)  # 2.25 bits of 32
    assert result["error"] == pytest.approx(
        np.mean((weights - result["recovered"].astype(np.float64)) ** 2), rel=1e-9)
    assert set(QuantizationEngine().quantize_and_measure(weights, recover=False)) == {
        "ternary", "compression"}


def test_the_cache_knows_the_array_and_the_config_and_not_only_the_name(weights):
    engine = QuantizationEngine()
    first = engine.quantize_weights(weights, name="a", cache=True)
    assert engine.quantize_weights(weights.copy(), name="a", cache=True) is first
    assert engine.quantize_weights(weights, name="a") is not first
    other = engine.quantize_weights(-weights, name="a", cache=True)
    assert np.array_equal(other.values, -first.values)
    engine.config.weight_group_size = 64
    assert engine.quantize_weights(-weights, name="a", cache=True).num_scales() == 32
    activation = engine.quantize_activations(weights, name="x", cache=True)
    assert engine.quantize_activations(weights, name="x", cache=True) is activation
    engine.config.activation_clip_value = 2.0
    assert engine.quantize_activations(weights, name="x", cache=True).scale != activation.scale
    assert engine.get_cache_stats() == {"cached_weights": 1, "cached_activations": 1}
    engine.clear_cache(weights=True, activations=False)
    assert engine.get_cache_stats() == {"cached_weights": 0, "cached_activations": 1}
    engine.clear_cache()
    assert engine.get_cache_stats() == {"cached_weights": 0, "cached_activations": 0}


def test_batches_by_name(weights):
    quantizer = BatchQuantizer(QuantizationConfig(weight_group_size=64))
    layer = {"attention": weights, "mlp_up": weights.T.copy()}
    results = quantizer.quantize_dict(layer, measure_error=True)
    assert set(results) == {"attention", "attention_error", "mlp_up", "mlp_up_error"}
    assert isinstance(results["attention"], TernaryWeight) and results["mlp_up_error"] > 0
    plain = quantizer.quantize_layer_weights(layer)
    assert set(plain) == set(layer) and plain["attention"].num_scales() == 32
    with pytest.raises(ValueError, match="'bad'.*FP32"):
        quantizer.quantize_dict({"good": weights, "bad": np.zeros(3)})
    bad = weights.copy()
    bad[3, 4] = np.inf
    with pytest.raises(bq.NonFiniteError, match="'bad'"):
        quantizer.quantize_layer_weights({"bad": bad})


def test_sizes_are_exactly_those_of_what_is_made(weights):
    shapes = {"attn": (768, 768), "mlp_up": (768, 3072), "mlp_down": (3072, 768)}
    sizes = estimate_model_size(shapes)
    assert sizes["original_mb"] == 20.25
    assert sizes["compression_ratio"] == pytest.approx(14.22, abs=0.01)
    config = ryzanstein.create_aggressive_config()
    made = QuantizationEngine(config).quantize_weights(weights).tensor.nbytes
    estimated = estimate_model_size({"w": weights.shape}, 16, config)
    assert estimated["ternary_mb"] * 1024**2 == made
    assert estimated["original_mb"] * 1024**2 == weights.nbytes / 2
    with pytest.raises(ValueError, match="no weights"):
        estimate_model_size({})


def test_the_five_functions_of_the_summary(weights):
    config = QuantConfig(weight_group_size=64)
    ternary = ryzanstein.quantize_weights_ternary(weights.ravel(), 32, 64, config)
    assert (ternary.rows, ternary.cols, ternary.num_scales()) == (32, 64, 32)
    restored = ryzanstein.dequantize_weights(ternary)
    assert restored.shape == weights.shape
    error = ryzanstein.compute_quantization_error(weights, restored)
    assert error == bq.compare(weights, ternary.tensor).mse
    activation = ryzanstein.quantize_activations_int8(weights, config)
    assert ryzanstein.dequantize_activations(activation).shape == weights.shape
    with pytest.raises(ValueError, match="2048 elements.*99"):
        ryzanstein.quantize_weights_ternary(weights, 9, 11, config)


def test_a_loader_makes_weights_ternary_and_tells_what_that_cost(tmp_path):
    loader = WeightLoader(WeightLoaderConfig(use_cache=True, cache_dir=tmp_path / "cache"))
    weights = loader.load(DIGITS)
    with bq.open_file(DIGITS) as file:
        for name in file:
            if file[name].ndim > 1:
                assert isinstance(weights[name], TernaryWeight)
                assert weights[name].shape == file[name].shape
            else:
                assert np.array_equal(weights[name], file[name])
        assert loader.stats.total_parameters == sum(file[name].size for name in file)
    stats = json.loads(loader.stats.to_json())
    assert stats["compression_ratio"] > 8 and 0 < stats["mean_error"] <= stats["max_error"]
    assert [layer["name"] for layer in stats["layers"]] == list(weights)
    again = WeightLoader(loader.config)
    assert np.array_equal(again.load(DIGITS, ["layers.0"])["layers.0.weight"].values,
                          weights["layers.0.weight"].values)
    assert again._cache.statistics().disk_hits > 0
    assert set(again.load(DIGITS, ["1.w"])) == {"layers.1.weight"}
    aggressive = WeightLoader(WeightLoaderConfig(auto_aggressive=True)).load(DIGITS)
    assert aggressive["layers.0.weight"].group_size == 256


def test_loading_by_suffix(tmp_path, weights):
    np.save(tmp_path / "w.npy", weights)
    (loaded,) = bq.load_and_quantize(tmp_path / "w.npy").values()
    assert np.array_equal(loaded.values, QuantizationEngine().quantize_weights(weights).values)
    with bq.Writer(tmp_path / "w.bnq") as writer:
        writer.add("a", loaded.tensor)
        writer.add("b", bq.quantize(weights, "nf4"))
        writer.add("c", bq.quantize(weights, "bf16").dequantize("bf16"), dtype="bf16")
    loader = WeightLoader()
    found = loader.load(tmp_path / "w.bnq")
    assert np.array_equal(found["a"].values, loaded.values)
    assert isinstance(found["b"], bq.QuantizedTensor) and isinstance(found["c"], TernaryWeight)
    plain = bq.load_weights(tmp_path / "w.npy")
    assert np.array_equal(next(iter(plain.values())), weights)


def test_a_model_that_is_quantized_already_is_recognised(tmp_path):
    with bq.Writer(tmp_path / "m.safetensors") as writer:
        writer.add("l.weight", np.zeros((64, 32), np.uint8))
        writer.add("l.weight_scale", np.ones(64, np.float32))
        writer.add("n.weight", np.ones((8, 8), np.float32))
    with pytest.raises(bq.UnsupportedError, match="quantized already"):
        bq.load_and_quantize(tmp_path / "m.safetensors")
    assert set(bq.load_weights(tmp_path / "m.safetensors")) == {
        "l.weight", "l.weight_scale", "n.weight"}


def test_what_cannot_be_loaded_names_the_weight(tmp_path):
    np.save(tmp_path / "w.npy", np.full((2, 2), np.nan, np.float32))
    with pytest.raises(bq.NonFiniteError, match="weight '"):
        bq.load_and_quantize(tmp_path / "w.npy")
    np.save(tmp_path / "k.npy", np.ones((2, 2, 3), np.float32))
    strict = WeightLoader(WeightLoaderConfig(validate_shapes=True))
    with pytest.raises(ValueError, match=r"\(2, 2, 3\)"):
        strict.load(tmp_path / "k.npy")
    assert next(iter(WeightLoader().load(tmp_path / "k.npy").values())).shape == (2, 2, 3)


def test_files_of_torch_need_torch_and_run_nothing(tmp_path, weights):
    torch = pytest.importorskip("torch")
    torch.save({"w": torch.tensor(weights), "h": torch.tensor(weights).bfloat16()},
               tmp_path / "m.pth")
    loaded = bq.load_and_quantize(tmp_path / "m.pth")
    assert np.array_equal(loaded["w"].values, QuantizationEngine().quantize_weights(
        weights).values)
    assert loaded["h"].shape == weights.shape
    torch.save({"w": torch.nn.Linear(2, 2)}, tmp_path / "bad.pth")
    with pytest.raises(pickle.UnpicklingError):
        bq.load_weights(tmp_path / "bad.pth")
