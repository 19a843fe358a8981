"""Training with quantization in PyTorch."""
import copy
import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import bitnet_quant as bq  # noqa: E402
from bitnet_quant.torch import QuantizedConv2d, QuantizedLinear  # noqa: E402
from bitnet_quant.torch.training import (BitLinear, FakeQuantize, LSQLinear,  # noqa: E402
                                         QATScheduler, convert, prepare_qat, statistics)
from torch import nn  # noqa: E402


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(3)


def test_values_and_gradients_are_the_library_s():
    x = torch.randn(4, 64, requires_grad=True)
    fake = FakeQuantize("int4,granularity=channel")
    y = fake(x)
    expected = bq.fake_quantize(x.detach().numpy(), "int4,granularity=channel")
    assert np.array_equal(y.detach().numpy(), expected.values)
    dy = torch.randn(4, 64)
    y.backward(dy)
    found = bq.fake_quantize_gradient(x.detach().numpy(), dy.numpy(), expected)
    assert np.array_equal(x.grad.numpy(), found.x)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_types(dtype):
    x = torch.randn(3, 32, dtype=dtype, requires_grad=True)
    y = FakeQuantize("int8,granularity=channel")(x)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == dtype
    assert torch.equal(x.grad, torch.ones_like(x))
    assert (y - x).abs().max() < 0.05


def test_gradcheck_where_the_gradient_is_a_derivative():
    """Beyond the range, of scales; where nothing is rounded, of values."""
    far = torch.tensor([[30.0, -40, 50], [-9, 8, 9]], dtype=torch.float64)

    def by_scale(scale):
        fake = FakeQuantize("int2,granularity=channel,scheme=asymmetric", learn=True)
        fake.params(far)
        with torch.no_grad():
            fake.scale.copy_(scale)
        fake._params.zero_points[:] = 0
        del fake.scale
        fake.scale = scale
        return fake(far)

    scale = torch.tensor([1.5, 0.75], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(by_scale, (scale,), eps=1e-2, atol=1e-3, rtol=1e-3)
    soft = FakeQuantize("int4", training=bq.Training(temperature=1))
    x = torch.randn(2, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(soft, (x,), eps=1e-2, atol=1e-3, rtol=1e-3)


def trained(model, steps=150, scheduler=None, rate=1e-2):
    x = torch.randn(128, 16)
    target = torch.tanh(x @ torch.randn(16, 4))
    optimizer = torch.optim.Adam(model.parameters(), rate)
    losses = []
    for _ in range(steps):
        loss = ((model(x) - target) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if scheduler is not None:
            scheduler.step(loss.item())
    return x, losses


def test_prepared_and_converted():
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
    assert prepare_qat(model, "int4,granularity=channel") is model
    x, losses = trained(model)
    assert losses[-1] < 0.5 * losses[0]
    again = copy.deepcopy(model)
    model.eval()
    expected = model(x).detach()
    assert torch.equal(again.eval()(x), expected)
    convert(model)
    assert isinstance(model[0], QuantizedLinear) and isinstance(model[2], QuantizedLinear)
    assert torch.allclose(model(x), expected, atol=1e-5)


def test_learned_scales_are_kept():
    layer = LSQLinear(16, 4)
    x, losses = trained(nn.Sequential(layer), rate=1e-3)
    assert losses[-1] < losses[0]
    assert layer.fake_weight.scale.grad is not None
    expected = layer(x).detach()
    converted = convert(layer)
    assert isinstance(converted, QuantizedLinear)
    assert torch.allclose(converted(x), expected, atol=1e-5)

    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
    prepare_qat(model, "int8,granularity=channel", learn=True)
    names = dict(model.named_parameters())
    assert "0.parametrizations.weight.0.scale" in names
    image = torch.randn(1, 3, 8, 8)
    expected = model(image).detach()
    convert(model)
    assert isinstance(model[0], QuantizedConv2d)
    assert torch.allclose(model(image), expected, atol=1e-4)


def test_bit_linear():
    model = nn.Sequential(BitLinear(16, 32), nn.ReLU(), BitLinear(32, 4))
    x, losses = trained(model)
    assert losses[-1] < 0.5 * losses[0]
    expected = model.eval()(x).detach()
    convert(model)
    assert torch.allclose(model(x), expected, atol=2e-2)
    assert torch.equal(torch.unique(model[0].dequantized_weight().sign()),
                       torch.tensor([-1.0, 0, 1]))


def test_schedule():
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
    prepare_qat(model, "int8,granularity=channel")
    scheduler = QATScheduler(model, bq.Schedule([
        dict(bits=8, steps=20), dict(bits=2, steps=40, layers_begin=0.5), dict(bits=1.58)]))
    first, second = scheduler.fakes
    assert first.config.format == second.config.format == "int8"
    trained(model, 20, scheduler)
    assert first.config.format == "int2" and not second.enabled
    trained(model, 60, scheduler)
    assert first.config.format == second.config.format == "ternary" and second.enabled


def test_activations_and_statistics():
    fake = FakeQuantize("int8,scheme=asymmetric,granularity=tensor", watch=True,
                        calibrator=bq.Calibrator(method="moving_average"))
    for _ in range(5):
        fake(torch.rand(8, 16) * 4)
    fake.eval()
    y = fake(torch.full((2, 2), 9.0))
    assert torch.allclose(y, torch.tensor(4.0), atol=0.1)
    assert fake.clipped_count == 4 and fake.metrics.mse > 20
    assert fake.statistics.summary.steps == 5  # not of eval()
    assert pickle.loads(pickle.dumps(fake.how)).options == fake.how.options


def test_statistics_by_layer():
    model = nn.Sequential(nn.Linear(32, 16), nn.Sequential(nn.Linear(16, 4)))
    prepare_qat(model, "int4,granularity=channel", watch=True)
    for _ in range(3):
        model(torch.randn(2, 32))
    copied = copy.deepcopy(model)
    model.eval()(torch.randn(2, 32))
    for each in (model, copied):
        found = statistics(each)
        assert list(found) == ["0", "1.0"]
        assert [layer.summary.steps for layer in found.values()] == [3, 3]
        assert 15 < found["0"].summary.sqnr_db < 30
    assert statistics(nn.Sequential(FakeQuantize("int4"))) == {}


def test_draws_differ_from_call_to_call_but_not_in_eval():
    fake = FakeQuantize("int2", training=bq.Training(probability=0.5, seed=4))
    x = torch.randn(64)
    assert not torch.equal(fake(x), fake(x))
    fake.eval()
    assert torch.equal(fake(x), fake(x))
