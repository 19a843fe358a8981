"""training.json and schedules.json: what training is defined to give, bit by bit."""
import bitnet_quant as bq
import numpy as np
import pytest
from test_vectors import bits, by_name, floats


@pytest.fixture(params=[1, 3], ids=["1_thread", "3_threads"])
def context(request):
    return bq.Context(threads=request.param)


def params_of(case, config):
    return bq.QuantizationParams(bits(case["scales"]).view(np.float32),
                                 np.array(case["zero_points"], np.int8), config,
                                 bits(case["offsets"]).view(np.float32))


def same(array, expected):
    assert np.asarray(array, np.float32).view(np.uint32).ravel().tolist() == \
        bits(expected).tolist()


def same_params(params, case):
    same(params.scales, case["scales"])
    assert params.zero_points.tolist() == case["zero_points"]
    same(params.offsets, case["offsets"])


@by_name("training.json")
def test_training(case, context):
    x = floats(case["input"]).reshape(case["shape"])
    config, training = bq.Config.from_dict(case["config"]), bq.Training(**case["training"])
    params = params_of(case, config)
    if "range" in case:
        same_params(bq.range_params(*case["range"], config), case)
    fake = bq.fake_quantize(x, config, params=params if case["given"] else None,
                            training=training, clipped=True, context=context)
    same(fake.values, case["values"])
    assert fake.clipped.ravel().tolist() == case["clipped"]
    same_params(fake.params, case)
    if "dy" not in case:
        with pytest.raises(bq.UnsupportedError):
            bq.fake_quantize_gradient(x, x, fake)
        return
    dy = floats(case["dy"]).reshape(case["shape"])
    found = bq.fake_quantize_gradient(x, dy, fake, training=training, context=context)
    same(found.x, case["dx"])
    same(found.scales, case["scale_gradients"])
    same([] if found.shifts is None else found.shifts, case["shift_gradients"])
    same(found.ends, case["end_gradients"])
    same(found.slope, [case["slope_gradient"]])


@by_name("schedules.json")
def test_schedule(case):
    schedule = bq.Schedule(case["phases"])
    for i, state in enumerate(case["states"]):
        if i:
            assert schedule.step(**case["steps"][i - 1]) == case["ended"][i - 1]
        state, formats = dict(state), state["formats"]
        del state["formats"]
        found = {name: None if np.isnan(value) else value
                 for name, value in schedule.state.items()}
        assert found == state
        now = [schedule.apply("int8", layer=layer, layers=len(formats))
               for layer in range(len(formats))]
        assert [None if each is None else each.config.format for each in now] == formats
