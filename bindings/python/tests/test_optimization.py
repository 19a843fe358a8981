"""Parameters that are searched for: every method, the caller's metric, a trained model."""
import pickle
import signal
import sys
import traceback

import bitnet_quant as bq
import numpy as np
import pytest
from conftest import DIGITS, ROOT

sys.path.insert(0, str(ROOT / "tests" / "models"))
import digits  # noqa: E402

RNG = np.random.default_rng(14)
WEIGHTS = RNG.laplace(size=(12, 96)).astype(np.float32)
# Some inputs matter much more than others.
INPUTS = (RNG.standard_normal((200, 96)) * np.geomspace(0.1, 10, 96)).astype(np.float32)
INT4 = "int4_per_group_32"
NEEDS_INPUTS = {"gptq", "awq"}


def arguments(method):
    return {"activations": INPUTS} if method in NEEDS_INPUTS else {}


def same(a, b):
    return (a.config == b.config and np.array_equal(a.codes, b.codes)
            and np.array_equal(a.scales, b.scales) and np.array_equal(a.zero_points, b.zero_points))


def output_error(tensor, input_scales=None):
    """Of the layer's outputs, as float64 has it."""
    x = INPUTS.astype(float)
    y = (x if input_scales is None else x / input_scales) @ tensor.dequantize().T.astype(float)
    return ((y - x @ WEIGHTS.T.astype(float)) ** 2).mean()


def test_names_are_those_of_the_library():
    methods = next(o.values for o in bq.optimization_options() if o.name == "method")
    assert tuple(method.value for method in bq.OptimizationMethod) == methods
    for method in bq.OptimizationMethod:
        assert bq.Optimizer(method=method).method == method


def test_options():
    defaults = bq.Optimizer().options
    assert defaults == {o.name: o.default for o in bq.optimization_options()}
    for option in bq.optimization_options():
        for value in option.values or (option.min, option.max):
            optimizer = bq.Optimizer(**{option.name: value})
            assert optimizer.options == {**defaults, option.name: value}
            assert pickle.loads(pickle.dumps(optimizer)).options == optimizer.options
        for value in (option.min - 1, option.max * 2 + 1):
            with pytest.raises(bq.InvalidArgumentError, match=option.name):
                bq.Optimizer(**{option.name: value})
    with pytest.raises(bq.NotFoundError, match="step"):
        bq.Optimizer(step=3)
    assert repr(bq.Optimizer(method="hqq", norm=0.5)) == "Optimizer(method='hqq', norm=0.5)"


@pytest.mark.parametrize("method", bq.OptimizationMethod)
def test_every_method_is_better_than_the_rule(method):
    for context in (None, bq.Context(threads=3)):
        found = bq.Optimizer(method=method).quantize(WEIGHTS, INT4, **arguments(method),
                                                     context=context)
        plain = bq.quantize(WEIGHTS, INT4)
        figures = found.figures
        assert tuple(figures) == bq.figures()
        assert figures.objective_after < figures.objective_before
        assert 0 < figures.improved <= figures.segments
        assert figures.mse_before == pytest.approx(bq.compare(WEIGHTS, plain).mse)
        assert found.tensor.config == plain.config and not same(found.tensor, plain)
        if method in NEEDS_INPUTS:
            assert found.input_scales.shape == (96,) and found.input_scales.dtype == np.float32
            assert (found.input_scales == 1).all() == (method == "gptq")
            assert output_error(found.tensor, found.input_scales) < output_error(plain)
            assert figures.objective_after == pytest.approx(
                output_error(found.tensor, found.input_scales), rel=1e-3)
        else:
            assert found.input_scales is None
            assert figures.mse_after == pytest.approx(bq.compare(WEIGHTS, found.tensor).mse)
            assert figures.mse_after < figures.mse_before
        first = found if context is None else first
        assert same(found.tensor, first.tensor)


def test_gradient_with_activations():
    for inputs in (INPUTS, INPUTS.reshape(4, 50, 96)):
        found = bq.Optimizer(method="gradient").quantize(WEIGHTS, INT4, activations=inputs)
        assert output_error(found.tensor) < output_error(bq.quantize(WEIGHTS, INT4))
        assert (found.input_scales == 1).all()


@pytest.mark.parametrize("objective", ["mse", "kl", "cosine"])
@pytest.mark.parametrize("scope", ["segment", "tensor"])
def test_objectives(objective, scope):
    found = bq.Optimizer(objective=objective, scope=scope).quantize(
        WEIGHTS, "int4_per_group_128_asymmetric")
    assert found.figures.objective_after <= found.figures.objective_before
    if objective == "mse":
        assert found.figures.objective_after == found.figures.mse_after


def test_arrays():
    """What each may be, and what there is to say of others."""
    plain = bq.Optimizer(method="gptq").quantize(WEIGHTS, INT4, activations=INPUTS)
    found = bq.Optimizer(method="gptq").quantize(WEIGHTS.astype(float), INT4,
                                                 activations=INPUTS.astype(float))
    assert same(found.tensor, plain.tensor)
    halves = [(a.view(np.uint32) >> 16).astype(np.uint16) for a in (WEIGHTS, INPUTS)]
    wide = [(a.astype(np.uint32) << 16).view(np.float32) for a in halves]
    assert same(
        bq.Optimizer(method="gptq").quantize(halves[0], INT4, activations=halves[1], dtype="bf16",
                                             activations_dtype="bf16").tensor,
        bq.Optimizer(method="gptq").quantize(wide[0], INT4, activations=wide[1]).tensor)
    with pytest.raises(ValueError, match="activations is not C-contiguous"):
        bq.Optimizer(method="awq").quantize(WEIGHTS, INT4, activations=INPUTS.T)
    with pytest.raises(bq.InvalidArgumentError, match="activations"):
        bq.Optimizer(method="awq").quantize(WEIGHTS, INT4, activations=INPUTS[:, :95].copy())
    with pytest.raises(bq.InvalidArgumentError, match="activations"):
        bq.Optimizer(method="gptq").quantize(WEIGHTS, INT4)
    with pytest.raises(bq.NoDataError):
        bq.Optimizer(method="gptq").quantize(WEIGHTS, INT4, activations=INPUTS[:0])
    with pytest.raises(bq.NonFiniteError):
        bq.Optimizer().quantize(WEIGHTS * np.float32(np.nan), INT4)
    for config in ("f16", "int8_outliers"):
        with pytest.raises(bq.UnsupportedError):
            bq.Optimizer().quantize(WEIGHTS, config)
    with pytest.raises(bq.UnsupportedError, match="hqq"):
        bq.Optimizer(method="hqq").quantize(WEIGHTS, "nf4")
    empty = bq.Optimizer().quantize(WEIGHTS[:0], INT4)
    assert empty.tensor.shape == (0, 96) and np.isnan(empty.figures.mse_before)


def greatest_error(original, dequantized):
    return np.abs(original - dequantized).max()


def test_metric():
    """Its sum over segments is what is made small."""
    optimizer = bq.Optimizer(metric=greatest_error)
    found = optimizer.quantize(WEIGHTS, INT4)
    before, after = (np.abs(WEIGHTS - tensor.dequantize()).reshape(12, 3, 32).max(axis=2)
                     for tensor in (bq.quantize(WEIGHTS, INT4), found.tensor))
    assert (after <= before).all() and (after < before).any()
    assert found.figures.objective_before == pytest.approx(before.mean())
    assert found.figures.objective_after == pytest.approx(after.mean())
    assert same(pickle.loads(pickle.dumps(optimizer)).quantize(WEIGHTS, INT4).tensor, found.tensor)
    assert optimizer.options["objective"] == "custom" and "greatest_error" in repr(optimizer)


def test_what_a_metric_is_given():
    calls, kept = [], []

    def squared(original, dequantized):
        calls.append((original.dtype, original.shape, dequantized.dtype, dequantized.shape))
        kept.append(original)
        return ((original - dequantized).astype(float) ** 2).mean()

    by_hand = bq.Optimizer(metric=squared).quantize(WEIGHTS, INT4)
    assert set(calls) == {(np.dtype(np.float32), (32,)) * 2}
    assert same(by_hand.tensor, bq.Optimizer(objective="mse").quantize(WEIGHTS, INT4).tensor)
    # Arrays that are kept are not overwritten by what came after.
    assert {values.tobytes() for values in kept} == {
        values.tobytes() for values in WEIGHTS.reshape(-1, 32)}
    calls.clear()
    kept.clear()
    bq.Optimizer(metric=squared, scope="tensor").quantize(WEIGHTS, INT4)
    assert {shape for _, shape, _, _ in calls} == {(WEIGHTS.size,)}
    assert all(np.array_equal(values, WEIGHTS.ravel()) for values in kept)


@pytest.mark.parametrize("kind", [KeyError, KeyboardInterrupt, bq.CancelledError])
def test_exception_in_the_metric_comes_back_unharmed(kind):
    cause, context, error = ValueError("cause"), ValueError("context"), kind("mine")
    error.__cause__, error.__context__ = cause, context
    calls = []

    def metric(*_):
        calls.append(1)
        if len(calls) == 5:
            raise error
        return 1.0

    optimizer = bq.Optimizer(metric=metric)
    with pytest.raises(kind) as caught:
        optimizer.quantize(WEIGHTS, INT4, context=bq.Context(threads=2))
    assert caught.value is error and error.args == ("mine",)
    assert error.__cause__ is cause and error.__context__ is context
    assert "in metric" in "".join(traceback.format_tb(error.__traceback__))
    assert len(calls) == 5
    optimizer.quantize(WEIGHTS, INT4)  # and the next one is none the worse


def test_metrics_that_are_none():
    for answer, error in (("wide", ValueError), (None, TypeError)):
        with pytest.raises(error):
            bq.Optimizer(metric=lambda *_: answer).quantize(WEIGHTS, INT4)
    with pytest.raises(bq.InvalidArgumentError, match="NaN"):
        bq.Optimizer(metric=lambda *_: np.nan).quantize(WEIGHTS, INT4)
    with pytest.raises(bq.InvalidArgumentError, match="metric"):
        bq.Optimizer(objective="custom").quantize(WEIGHTS, INT4)
    with pytest.raises(TypeError, match="metric must be callable, got str"):
        bq.Optimizer(metric="mse")
    with pytest.raises(TypeError, match="metric and objective='kl' exclude"):
        bq.Optimizer(metric=greatest_error, objective="kl")


def test_metrics_within_metrics():
    inner = bq.Optimizer(metric=greatest_error)

    def outer(original, dequantized):
        with pytest.raises(ZeroDivisionError):
            bq.Optimizer(metric=lambda *_: 1 / 0).quantize(original, INT4)
        return inner.quantize(original - dequantized, INT4).figures.objective_after

    few = bq.Optimizer(metric=outer, steps=2, refinements=0)
    figures = few.quantize(WEIGHTS[0], INT4).figures
    assert 0 < figures.objective_after <= figures.objective_before


def test_progress_cancel_and_interrupt():
    calls = []
    bq.Optimizer().quantize(WEIGHTS, INT4, progress=lambda *call: calls.append(call))
    assert calls and calls[-1][0] == calls[-1][1]
    with pytest.raises(bq.CancelledError):
        bq.Optimizer().quantize(WEIGHTS, INT4, progress=lambda *_: False)
    error = RuntimeError("mine")

    def progress(*_):
        raise error

    with pytest.raises(RuntimeError) as caught:
        bq.Optimizer(metric=greatest_error).quantize(WEIGHTS, INT4, progress=progress)
    assert caught.value is error

    def interrupted(*_):
        signal.raise_signal(signal.SIGINT)
        return 1.0

    with pytest.raises(KeyboardInterrupt):
        bq.Optimizer(metric=interrupted).quantize(WEIGHTS, INT4)


def run(model, images):
    """The network's answers, and what goes into each layer."""
    inputs, x = [], images
    for index in range(3):
        inputs.append(x)
        x = x @ model[f"layers.{index}.weight"].T + model[f"layers.{index}.bias"]
        x = np.maximum(x, 0) if index < 2 else x
    return inputs, x


@pytest.mark.parametrize("method", ["gradient", "gptq", "awq"])
def test_on_a_trained_model(method):
    """What each layer is given on some images makes the network better on others."""
    model = digits.read_safetensors(DIGITS)
    images, labels = digits.held_out()
    inputs, _ = run(model, images[:200])
    plain, searched = dict(model), dict(model)
    for index in range(3):
        name = f"layers.{index}.weight"
        plain[name] = bq.quantize(model[name], INT4).dequantize()
        tensor, scales, figures = bq.Optimizer(method=method).quantize(
            model[name], INT4, activations=inputs[index])
        assert figures.objective_after < figures.objective_before
        searched[name] = tensor.dequantize() / scales
    rest = images[200:]
    errors = [((run(weights, rest)[1] - run(model, rest)[1]) ** 2).mean()
              for weights in (searched, plain)]
    assert errors[0] < errors[1]
    assert (run(searched, images)[1].argmax(axis=1) == labels).mean() > 0.96
