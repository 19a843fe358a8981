"""Layers one after the other: what they do is tested beside core/cache, here the idiom."""
import numpy as np
import pytest

import bitnet_quant as bq


@pytest.fixture
def arrays():
    random = np.random.default_rng(1)
    arrays = {"embed.weight": random.standard_normal((16, 32), dtype=np.float32)}
    for i in range(12):
        arrays[f"layers.{i}.w"] = random.standard_normal((32, 32), dtype=np.float32)
        arrays[f"layers.{i}.norm"] = random.standard_normal(32, dtype=np.float32)
    return arrays


@pytest.fixture
def model(arrays, tmp_path):
    with bq.Writer(tmp_path / "model.safetensors") as writer:
        for name, array in arrays.items():
            writer.add(name, array)
    return tmp_path / "model.safetensors"


def test_layers_come_in_order_with_their_tensors(model, arrays, tmp_path):
    cache = bq.Cache(tmp_path / "cache")
    with bq.Layers(model, "int8_per_channel", cache=cache, look_ahead=2) as layers:
        assert layers.names == ("embed", *(f"layers.{i}" for i in range(12)))
        assert len(layers) == 13 and layers.nbytes("layers.3") == 4096 + 128
        for _ in range(2):
            for layer, name in zip(layers, layers.names):
                assert layer.name == name
                for key, value in layer.items():
                    if arrays[key].ndim == 1:
                        np.testing.assert_array_equal(value, arrays[key])
                        assert not value.flags.writeable
                    else:
                        expected = bq.quantize(arrays[key], "int8_per_channel")
                        assert np.array_equal(value.codes, expected.codes)
        assert [layer.name for layer in reversed(layers)] == list(reversed(layers.names))
        statistics = layers.statistics()
        assert statistics.loads == 39 and statistics.quantized == 13
        assert statistics.peak_bytes >= statistics.largest_bytes > 0
    with pytest.raises(ValueError, match="closed"):
        layers.load(0)
    # What came out of them lives on.
    assert layer.name == "layers.11" and layer["layers.11.w"].shape == (32, 32)


def test_layers_are_found_by_number_and_name(model):
    layers = bq.Layers(model)
    assert layers[-1].name == "layers.11" and layers["layers.2"].name == "layers.2"
    assert layers["layers.2.norm"].name == "layers.2" and layers.find("embed") == 0
    assert "layers.2" in layers and "layers.12" not in layers and 3 not in layers
    assert set(layers[1]) == {"layers.0.w", "layers.0.norm"}
    array = layers[1]["layers.0.w"]
    assert isinstance(array, np.ndarray) and array.shape == (32, 32)
    with pytest.raises(IndexError, match="13 of 13"):
        layers[13]
    with pytest.raises(KeyError, match="layers.12"):
        layers["layers.12"]
    with pytest.raises(bq.MissingFileError):
        bq.Layers(model.parent / "none")
    with pytest.raises(ValueError, match="look_ahead"):
        bq.Layers(model, look_ahead=-1)


def test_a_layers_array_keeps_it_alive(model, arrays):
    array = bq.Layers(model)[3]["layers.2.norm"]
    np.testing.assert_array_equal(array, arrays["layers.2.norm"])


def test_prepared_layers_only_come_from_the_cache(model, tmp_path):
    cache = bq.Cache(tmp_path / "cache")
    layers = bq.Layers(model, format="int4", cache=cache)
    seen = []
    layers.prepare(lambda done, total, item: seen.append((done, total, item)))
    assert seen[0][0] == 0 and seen[-1][0] == seen[-1][1] == sum(map(layers.nbytes, layers.names))
    assert layers.statistics().quantized == 13
    for layer in layers:
        pass
    assert layers.statistics().quantized == 13
    with pytest.raises(bq.CancelledError):
        layers.load(4, progress=lambda *_: False)
    with pytest.raises(bq.InvalidArgumentError, match="no cache"):
        bq.Layers(model, "int4").prepare()


def test_an_error_names_the_tensor(model, arrays):
    arrays["layers.5.w"][3, 4] = np.nan
    with bq.Writer(model, overwrite=True) as writer:
        for name, array in arrays.items():
            writer.add(name, array)
    layers = bq.Layers(model, "int8", look_ahead=2)
    for index, name in enumerate(layers.names):
        if name == "layers.5":
            with pytest.raises(bq.NonFiniteError, match='"layers.5.w"'):
                layers[index]
        else:
            assert layers[index].name == name
