"""Training with quantization, from numpy: what is of Python about it."""
import pickle

import numpy as np
import pytest

import bitnet_quant as bq


@pytest.fixture
def weights():
    return np.random.default_rng(5).standard_normal((6, 96)).astype(np.float32)


def test_values_are_those_of_a_tensor(weights):
    fake = bq.fake_quantize(weights, "int4", group_size=32, clipped=True, metrics=True)
    tensor = bq.quantize(weights, "int4", group_size=32)
    assert np.array_equal(fake.values, tensor.dequantize())
    assert np.array_equal(fake.params.scales, tensor.scales.ravel())
    assert fake.clipped_count == fake.clipped.sum() == 0
    assert fake.metrics == bq.compare(weights, tensor)


def test_in_place_and_given(weights):
    config = bq.Config(format="int8", granularity="channel", scheme="asymmetric")
    fake = bq.fake_quantize(weights, config)
    assert fake.clipped is None and fake.clipped_count is None and fake.metrics is None
    own = weights.copy()
    again = bq.fake_quantize(own, config, params=fake.params, out=own)
    assert again.values is own
    assert np.array_equal(own, fake.values)
    with pytest.raises(ValueError, match="zero_points"):
        bq.fake_quantize(weights, config, params=fake.params._replace(
            zero_points=np.zeros(2, np.int8)))
    with pytest.raises(bq.InvalidArgumentError, match="param_count"):
        bq.fake_quantize(weights, config, params=fake.params._replace(
            scales=np.ones(2, np.float32), zero_points=np.zeros(2, np.int8)))


def test_half_floats(weights):
    half = weights.astype(np.float16)
    fake = bq.fake_quantize(half, "int4", out_dtype="float16")
    assert fake.values.dtype == np.float16
    assert np.array_equal(fake.values, bq.quantize(half, "int4").dequantize("float16"))


def test_gradient_of_learned_scales(weights):
    """The goldens of PyTorch's learnable fake quantization."""
    x = np.array([[0.3, 40, -40]], np.float32)
    params = bq.range_params(-32, 31.75, "int8", scheme="asymmetric", granularity="channel")
    params.scales[:], params.zero_points[:] = 0.25, 0
    for i, slope in enumerate((-0.2, 127, -128)):
        dy = np.zeros_like(x)
        dy[0, i] = 1
        gradients = bq.fake_quantize_gradient(x, dy, params)
        assert gradients.scales[0] == pytest.approx(slope, abs=1e-6)
        assert gradients.shifts[0] == (0 if i == 0 else -0.25)
        assert gradients.x[0, i] == (1 if i == 0 else 0)


def test_the_gradient_makes_the_loss_less(weights):
    """A scale that is far too small is learned, by LSQ."""
    params = bq.fake_quantize(weights, "int4", granularity="channel").params
    params.scales[:] *= 0.2
    training = bq.Training(gradient_factor=True)

    def loss_and_gradient():
        fake = bq.fake_quantize(weights, params.config, params=params)
        dy = 2 * (fake.values - weights)
        return float((dy * dy).mean()), bq.fake_quantize_gradient(
            weights, dy, fake, training=training)

    first, gradients = loss_and_gradient()
    for _ in range(200):
        params.scales[:] -= 0.01 * gradients.scales
        last, gradients = loss_and_gradient()
    assert last < 0.1 * first


def test_gradient_of_the_array_alone(weights):
    fake = bq.fake_quantize(weights, "int2", granularity="channel", symmetric_range="full")
    fake.params.scales[:] *= 0.5
    dy = np.ones_like(weights)
    both = bq.fake_quantize_gradient(weights, dy, fake)
    alone = bq.fake_quantize_gradient(weights, dy, fake, of_params=False)
    assert np.array_equal(alone.x, both.x) and not both.x.all()
    assert both.scales.any() and not alone.scales.any()


def test_pact(weights):
    """The clipping level's gradient is the sum over what is clipped at it."""
    x = np.abs(weights)
    params = bq.range_params(0, 1.5, "int4", scheme="asymmetric", granularity="tensor")
    fake = bq.fake_quantize(x, params.config, params=params, clipped=True)
    dy = np.ones_like(x)
    gradients = bq.fake_quantize_gradient(x, dy, fake)
    assert fake.values.max() == pytest.approx(1.5)
    assert gradients.ends[0, 1] == fake.clipped.sum() > 0
    assert gradients.ends[0, 0] == 0


def test_training_options(weights):
    training = bq.Training(estimator="slope", slope=0.5)
    assert training.options["estimator"] == "slope"
    assert pickle.loads(pickle.dumps(training)).options == training.options
    assert training.replace(slope=1).options["slope"] == 1
    with pytest.raises(bq.InvalidArgumentError, match="temperature"):
        bq.Training(temperature=2)
    with pytest.raises(TypeError, match="training"):
        bq.fake_quantize(weights, "int4", training={"slope": 1})
    soft = bq.fake_quantize(weights, "int4", training=bq.Training(temperature=1))
    assert np.array_equal(soft.values, weights)
    assert {option.name for option in bq.training_options()} == set(training.options)


def test_schedule():
    schedule = bq.Schedule([dict(bits=8, steps=2), bq.Phase(bits=4, patience=1),
                            bq.Phase(bits=1.58, steps=4, layers_begin=0.5)])
    now = schedule.apply("int8", granularity="group",
                         group_size=64)
    assert now.config.format == "int8" and now.config.group_size == 64
    assert [schedule.step(1.0), schedule.step(1.0)] == [False, True]
    assert schedule.state.bits == 4
    schedule.step(1.0)
    restored = pickle.loads(pickle.dumps(schedule))
    assert restored.to_bytes() == schedule.to_bytes()
    assert restored.step(1.5) and restored.state.phase == 2
    assert restored.apply("int8", layer=0, layers=2).config.format == "ternary"
    assert restored.apply("int8", layer=1, layers=2) is None
    assert not restored.done
    for _ in range(4):
        restored.step()
    assert restored.done and restored.state.done == 1
    with pytest.raises(bq.InvalidArgumentError, match="phases"):
        bq.Schedule([])
    with pytest.raises(bq.CorruptFileError):
        bq.Schedule.from_bytes(b"BNQS and nothing else")


def test_statistics_of_a_layer(weights):
    layer, other = bq.TrainingStatistics(), bq.TrainingStatistics()
    assert np.isnan(layer.summary.mse)
    fakes = [bq.fake_quantize(weights * factor, "int4", group_size=32, metrics=True,
                              statistics=statistics)
             for factor, statistics in ((1, layer), (3, layer), (2, other))]
    layer.merge(other)
    summary = layer.summary
    assert summary.steps == 3 and summary.elements == 3 * weights.size
    assert summary.mse == pytest.approx(np.mean([fake.metrics.mse for fake in fakes]))
    assert summary.scale_max == max(fake.params.scales.max() for fake in fakes)
    assert summary["clipped"] == 0
    restored = pickle.loads(pickle.dumps(layer))
    assert restored.to_bytes() == layer.to_bytes()
    assert dict(restored.summary) == dict(summary)
    with pytest.raises(bq.CorruptFileError, match="statistics"):
        bq.TrainingStatistics.from_bytes(layer.to_bytes()[:-1])
