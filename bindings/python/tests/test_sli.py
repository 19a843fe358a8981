"""SLI's processor: a sharded model a layer at a time, through a cache of layers."""
import os

import numpy as np
import pytest

import bitnet_quant as bq
from bitnet_quant.layers import LayerCache, UniversalSLIProcessor

LAYERS = 6
SIDE = 64


@pytest.fixture
def model(tmp_path):
    """A folder of shards, each of a layer or two."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "model"
    folder.mkdir()
    with bq.Writer(folder / "model.safetensors", max_shard_size=SIDE * SIDE * 4 + 1000) as writer:
        for index in range(LAYERS):
            prefix = f"model.layers.{index}"
            weight = rng.standard_normal((SIDE, SIDE), dtype=np.float32) / np.sqrt(SIDE)
            writer.add(f"{prefix}.mlp.weight", weight.astype(np.float32))
            writer.add(f"{prefix}.norm.weight", np.ones(SIDE, np.float32))
    return folder


def shards(folder):
    return sorted(path.name for path in folder.glob("*.safetensors"))


def step(x, layer):
    """A layer of the model."""
    (name,) = (name for name in layer if name.endswith("mlp.weight"))
    weight = layer[name]
    if not isinstance(weight, bq.QuantizedTensor):
        weight = bq.quantize(weight, "bf16")
    return bq.rms_norm(bq.QuantLinear(weight)(x), layer[name.replace("mlp", "norm")],
                       eps=1e-5)


def expected(model, config, x):
    for layer in bq.Layers(model, config):
        x = step(x, dict(layer))
    return x


X = np.linspace(-1, 1, 3 * SIDE, dtype=np.float32).reshape(3, SIDE)


@pytest.mark.parametrize("look_ahead", [0, 1, 10])
def test_layers_are_quantized_once_and_restored_from_then_on(model, tmp_path, look_ahead):
    reference = expected(model, "nf4", X)
    first = UniversalSLIProcessor(model, "nf4", cache_dir=tmp_path / "cache",
                                  look_ahead=look_ahead)
    assert len(first) == LAYERS and first.names[0] == "model.layers.0"
    assert np.array_equal(first.process(X, step), reference)
    assert np.array_equal(first.process(X, step), reference)
    stats = first.get_stats()
    assert (stats["quantized"], stats["restored"], stats["layers_processed"]) == (
        LAYERS, LAYERS, 2 * LAYERS)
    assert stats["cache"]["disk_cache_entries"] == LAYERS
    second = UniversalSLIProcessor(model, "nf4", cache_dir=tmp_path / "cache")
    assert np.array_equal(second.process(X, step), reference)
    assert second.get_stats()["quantized"] == 0


def test_another_plan_or_a_changed_model_is_quantized_anew(model, tmp_path):
    cache = LayerCache(tmp_path / "cache")
    UniversalSLIProcessor(model, "nf4", cache=cache).process(X, step)
    other = UniversalSLIProcessor(model, "int8_per_channel", cache=cache)
    assert np.array_equal(other.process(X, step), expected(model, "int8_per_channel", X))
    with bq.open_file(model) as file:
        arrays = {name: -np.array(file[name]) if "mlp" in name else np.array(file[name])
                  for name in file}
    for path in model.iterdir():
        path.unlink()
    with bq.Writer(model / "model.safetensors", max_shard_size=SIDE * SIDE * 4 + 1000) as writer:
        for name, array in arrays.items():
            writer.add(name, array)
    again = UniversalSLIProcessor(model, "nf4", cache=cache)
    assert np.array_equal(again.process(X, step), expected(model, "nf4", X))
    assert again.get_stats()["quantized"] == LAYERS


def test_shards_that_no_layer_needs_any_more_are_deleted_on_request(model, tmp_path):
    reference, there = expected(model, "nf4", X), shards(model)
    assert len(there) > 3
    UniversalSLIProcessor(model, "nf4", cache_dir=tmp_path / "keep").process(X, step)
    assert shards(model) == there
    left = []
    processor = UniversalSLIProcessor(
        model, "nf4", cache_dir=tmp_path / "cache", delete_shards=True, look_ahead=0,
        progress=lambda done, total: left.append(len(shards(model))))
    assert np.array_equal(processor.process(X, step), reference)
    assert left == sorted(left, reverse=True) and left[0] >= len(there) - 2 and left[-1] == 0
    assert processor.get_stats()["shards_deleted"] == len(there)
    # Nothing of the model is needed now.
    again = UniversalSLIProcessor(model, "nf4", cache_dir=tmp_path / "cache")
    assert np.array_equal(again.process(X, step), reference)
    again.cache.invalidate_cache(again.model_id, 2)
    with pytest.raises(bq.NotFoundError, match="no layer 2"):
        UniversalSLIProcessor(model, "nf4", cache_dir=tmp_path / "cache")


def test_a_layer_that_the_cache_does_not_take_keeps_its_shard(model, tmp_path):
    there = shards(model)
    cache = LayerCache(tmp_path / "cache", max_cache_size_gb=0)
    processor = UniversalSLIProcessor(model, "nf4", cache=cache, delete_shards=True)
    assert np.array_equal(processor.process(X, step), expected(model, "nf4", X))
    assert shards(model) == there


def test_progress_ends_it_and_what_the_function_raises_comes_out(model, tmp_path):
    seen = []

    def progress(done, total):
        seen.append((done, total))
        return done < 2

    processor = UniversalSLIProcessor(model, "nf4", cache_dir=tmp_path, progress=progress)
    processor.process(X, step)
    assert seen == [(1, LAYERS), (2, LAYERS)]
    with pytest.raises(ZeroDivisionError):
        processor.process(X, lambda x, layer: 1 / 0)
    with pytest.raises(IndexError, match="6 layers"):
        processor.load(LAYERS)


def test_what_fails_names_the_tensor_and_nothing_is_downloaded(model, tmp_path):
    with pytest.raises(FileNotFoundError, match="meta-llama/Llama-2-7b"):
        UniversalSLIProcessor("meta-llama/Llama-2-7b", "nf4", cache_dir=tmp_path / "cache")
    with bq.Writer(tmp_path / "bad.safetensors") as writer:
        writer.add("model.layers.0.mlp.weight", np.full((4, 4), np.nan, np.float32))
    processor = UniversalSLIProcessor(tmp_path / "bad.safetensors", "nf4",
                                      cache_dir=tmp_path / "cache")
    with pytest.raises(bq.NonFiniteError, match="model.layers.0.mlp.weight"):
        processor.load(0)


def test_few_layers_are_held_at_a_time(model, tmp_path):
    held, most = set(), []

    class Watched(dict):
        def __del__(self):
            held.discard(id(self))

    processor = UniversalSLIProcessor(model, "nf4", cache_dir=tmp_path / "cache", look_ahead=2)
    load = processor.load

    def watched(index):
        layer = Watched(load(index))
        held.add(id(layer))
        most.append(len(held))
        return layer

    processor.load = watched
    processor.process(X, step)
    assert len(most) == LAYERS and max(most) <= 4 and not held  # in use, 2 ahead, the next
    assert processor.cache.get_stats()["memory_cache_entries"] == 0


def test_the_configs_of_torch(model, tmp_path):
    pytest.importorskip("torch")
    from bitnet_quant.torch import (QuantizationConfig, QuantizationMode, get_int8_config,
                                    get_mixed_precision_config)

    processor = UniversalSLIProcessor(model_name=os.fspath(model),
                                      quantization_config=get_int8_config(),
                                      cache_dir=tmp_path / "a")
    assert processor.load(0)["model.layers.0.mlp.weight"].format == "int8"
    mixed = UniversalSLIProcessor(model, get_mixed_precision_config(), cache_dir=tmp_path / "b")
    assert mixed.load(0)["model.layers.0.mlp.weight"].format == "nf4"
    skipping = QuantizationConfig(QuantizationMode.NF4, llm_int8_skip_modules=["layers.0"])
    plan = UniversalSLIProcessor(model, skipping, cache_dir=tmp_path / "c")
    assert isinstance(plan.load(0)["model.layers.0.mlp.weight"], np.ndarray)
    assert plan.load(1)["model.layers.1.mlp.weight"].format == "nf4"
