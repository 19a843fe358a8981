"""Training with quantization in PyTorch, 1.13 or newer, on the CPU:

    from bitnet_quant.torch.training import QATScheduler, convert, prepare_qat

    prepare_qat(model, "int4,granularity=group,group_size=128")      # or a Plan
    scheduler = QATScheduler(model, bq.Schedule([...]))              # where there is one
    for x, target in batches:
        loss = criterion(model(x), target)
        loss.backward()
        optimizer.step()
        scheduler.step(loss.item())
    convert(model)                                                   # packed codes from now on

`FakeQuantize` is the module that does it, `BitLinear` and `LSQLinear` are layers with it. What
quantization makes of values and gradients is `fake_quantize` and `fake_quantize_gradient`;
CPU tensors go in and out without a copy.
"""
from __future__ import annotations

from typing import Any, Iterator, Optional, Union

import numpy as np
import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.nn.utils import parametrize

from ..calibration import Calibrator, QuantizationParams
from ..comparison import Metrics
from ..config import Config, ConfigLike, as_config
from ..conversion import Plan, as_plan
from ..post_training import quantize_static
from ..tensor import QuantizedTensor, quantize
from ..training import Schedule, Training, fake_quantize, fake_quantize_gradient
from ..training_statistics import TrainingStatistics
from .._options import OptionValue
from ._memory import NAMES, context, from_numpy, native, to_numpy
from .modules import QuantizedLinear, kind_of, put

__all__ = ["BitLinear", "FakeQuantize", "LSQLinear", "QATScheduler", "convert", "prepare_qat",
           "statistics"]


class _Fake(torch.autograd.Function):
    """The values, and the gradients by x and by the scales, where these are learned."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor,  # type: ignore[override]
                scales: Optional[torch.Tensor], config: Config,
                params: Optional[QuantizationParams], training: Training,
                owner: Optional[FakeQuantize]) -> torch.Tensor:
        array, name = to_numpy(x.detach().contiguous(), "x")
        made = native(x.dtype)
        watched = owner is not None and owner.watch
        recorded = owner.statistics if owner is not None and owner.training else None
        fake = fake_quantize(array, config, params=params, training=training, dtype=name,
                             out_dtype=NAMES[made], metrics=watched, context=context(),
                             statistics=recorded)
        if watched and owner is not None:
            owner.metrics, owner.clipped_count = fake.metrics, fake.clipped_count
        ctx.save_for_backward(x)
        ctx.params, ctx.training = fake.params, training
        ctx.scales = None if scales is None else (scales.shape, scales.dtype)
        return from_numpy(fake.values, made).to(x.dtype)

    @staticmethod
    @once_differentiable  # type: ignore[misc]
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        (x,) = ctx.saved_tensors
        array, name = to_numpy(x.detach().contiguous(), "x")
        made = native(x.dtype)
        dy, dy_name = to_numpy(gradient.detach().contiguous(), "the gradient")
        if dy_name == "BF16":
            dy = to_numpy(gradient.detach().float().contiguous(), "the gradient")[0]
        found = fake_quantize_gradient(array, dy, ctx.params, training=ctx.training, dtype=name,
                                       out_dtype=NAMES[made], context=context(),
                                       of_params=ctx.scales is not None)
        of_scales = None
        if ctx.scales is not None:
            shape, dtype = ctx.scales
            of_scales = torch.from_numpy(found.scales).reshape(shape).to(dtype)
        return from_numpy(found.x, made).to(x.dtype), of_scales, None, None, None, None


class FakeQuantize(nn.Module):
    """The values that codes of a config give, with a gradient.

    config, options: as in `quantize`.
    training: how; the seed of its draws is counted on with each call.
    learn: scales are parameters, `scale`, which start from the first array (LSQ).
    calibrator: finds the range from all arrays while training, and has it afterwards: of
        activations, say Calibrator(method="moving_average"). Without, and without `learn`,
        parameters are those of each array.
    watch: keeps `metrics` and `clipped_count` of the last call, and `statistics` of all
        those while training.

    `enabled` = False passes everything on. In eval() there is neither noise nor chance.
    """

    scale: Optional[torch.Tensor]

    def __init__(self, config: Optional[ConfigLike] = None, *, training: Optional[Training] = None,
                 learn: bool = False, calibrator: Optional[Calibrator] = None,
                 watch: bool = False, **options: OptionValue) -> None:
        super().__init__()
        if learn and calibrator is not None:
            raise ValueError("learn and calibrator both find the scales; one is accepted")
        self.config = as_config(config, options)
        self.how = Training() if training is None else training
        self.learn, self.calibrator, self.watch = learn, calibrator, watch
        self.enabled = True
        self.calls = 0
        self.metrics: Optional[Metrics] = None
        self.clipped_count: Optional[int] = None
        self.statistics = TrainingStatistics() if watch else None
        self._params: Optional[QuantizationParams] = None
        self._settled: Optional[tuple[Training, Optional[int], Training]] = None
        scale: Any = nn.UninitializedParameter() if learn else None
        self.register_parameter("scale", scale)

    def _training(self) -> Training:
        if self._settled is None or self._settled[0] is not self.how:
            options = self.how.options
            drawn = options["noise"] != "none" or options["probability"] != 1
            # Made once for a `how`, not with each call.
            self._settled = (self.how, int(options["seed"]) if drawn else None,
                             self.how.replace(noise="none", temperature=0, probability=1))
        how, seed, hard = self._settled
        if not self.training:
            return hard
        if seed is None:
            return how
        self.calls += 1
        return how.replace(seed=seed + self.calls)

    def params(self, x: torch.Tensor) -> Optional[QuantizationParams]:
        """What x is quantized with where that is not found from x itself."""
        if self.calibrator is not None:
            if self.training:
                self.calibrator.observe(to_numpy(x.detach().float().contiguous(), "x")[0],
                                        context=context())
            return self.calibrator.params(self.config)
        if not self.learn:
            return None
        if isinstance(self.scale, nn.UninitializedParameter):
            array, name = to_numpy(x.detach().contiguous(), "x")
            found = fake_quantize(array, self.config, dtype=name, context=context()).params
            self.scale.materialize((found.scales.size,), dtype=torch.float32)
            with torch.no_grad():
                self.scale.copy_(torch.from_numpy(found.scales))
            self._params = found
        assert self._params is not None and self.scale is not None
        with torch.no_grad():
            # As PyTorch's own: a step of an optimizer may go below 0.
            self.scale.clamp_(min=torch.finfo(torch.float32).eps)
        scales = self.scale.detach().to(torch.float32).numpy()
        return self._params._replace(scales=np.ascontiguousarray(scales), config=self.config)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.enabled:
            return x
        params = self.params(x)
        result: torch.Tensor = _Fake.apply(
            x, self.scale if self.learn else None, self.config, params, self._training(), self)
        return result

    def quantized(self, x: torch.Tensor) -> QuantizedTensor:
        """The tensor whose values forward gives in eval()."""
        array, name = to_numpy(x.detach().contiguous(), "x")
        params = self.params(x)
        if params is None:
            return quantize(array, self.config, dtype=name, context=context())
        return quantize_static(array, params.scales, params.zero_points, self.config,
                               params.offsets, dtype=name, context=context()).tensor

    def extra_repr(self) -> str:
        return f"config={self.config.text}, training={self.how!r}, learn={self.learn}"


class _FakeLinear(nn.Linear):
    """nn.Linear with a fake quantized weight and input."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *,
                 weight: FakeQuantize, input: Optional[FakeQuantize], **factory: Any) -> None:
        super().__init__(in_features, out_features, bias, **factory)
        self.fake_weight, self.fake_input = weight, input

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        if self.fake_input is not None:
            x = self.fake_input(x)
        return functional.linear(x, self.fake_weight(self.weight), self.bias)


class BitLinear(_FakeLinear):
    """BitNet b1.58's layer while it is trained: ternary weights under one scale, inputs as
    int8 by row, gradients that pass straight through. `convert` makes a QuantizedLinear of
    it, which runs in integers."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True,
                 config: ConfigLike = "ternary", **factory: Any) -> None:
        straight = Training(estimator="straight_through")
        super().__init__(in_features, out_features, bias,
                         weight=FakeQuantize(config, training=straight),
                         input=FakeQuantize("int8,granularity=token", training=straight),
                         **factory)


class LSQLinear(_FakeLinear):
    """A layer whose weight's scales are learned (LSQ), with its factor of the gradient."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True,
                 config: ConfigLike = "int4,granularity=channel", **factory: Any) -> None:
        super().__init__(in_features, out_features, bias, input=None,
                         weight=FakeQuantize(config, learn=True,
                                             training=Training(gradient_factor=True)), **factory)


def prepare_qat(model: nn.Module, plan: Union[Plan, ConfigLike, None] = None, *,
                training: Optional[Training] = None, learn: bool = False, watch: bool = False,
                **options: OptionValue) -> nn.Module:
    """Makes the weights of Linear, Conv1d, Conv2d and Embedding modules fake quantized, as a
    plan says of their names ("layers.0.weight"); plan, options: as in quantize_file. The
    model is changed in place, and returned; its float weights stay its parameters.

    training, learn, watch: as in FakeQuantize; `statistics` has what is watched.
    """
    rules = as_plan(plan, options)
    for name, module in list(model.named_modules()):
        if kind_of(module) is None:
            continue
        weight: Any = module.weight
        config = rules.match(f"{name}.weight" if name else "weight", tuple(weight.shape)).config
        if config is None or config.format == "none":
            continue
        fake = FakeQuantize(config, training=training, learn=learn, watch=watch)
        fake.train(module.training)
        if learn:
            fake.params(weight)
        parametrize.register_parametrization(module, "weight", fake)
        if watch:
            fake.statistics = TrainingStatistics()  # registering has run it
    return model


def _fakes(model: nn.Module) -> Iterator[FakeQuantize]:
    """Those of weights, in the order of the modules."""
    for name, module in model.named_modules():
        if isinstance(module, FakeQuantize) and not name.endswith("fake_input"):
            yield module


def statistics(model: nn.Module) -> dict[str, TrainingStatistics]:
    """Those of the model's FakeQuantize modules that watch, by the name of the module that
    they are of: the layer, or its `fake_weight` or `fake_input`."""
    return {name.partition("parametrizations.")[0].rstrip("."): module.statistics
            for name, module in model.named_modules()
            if isinstance(module, FakeQuantize) and module.statistics is not None}


def convert(model: nn.Module, *, input: str = "float") -> nn.Module:
    """A trained model with quantized modules, which run on packed codes, in place of those
    that prepare_qat, BitLinear and LSQLinear prepared. Changed in place, and returned; or,
    where the model itself is such a module, the module that stands for it.

    input: what inputs become, as in quantize_module; those of a BitLinear are BitNet's int8.
    """
    whole = _converted(model, input)
    if whole is not None:
        return whole
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            made = None if child is None else _converted(child, input)
            if made is not None:
                put(parent, name, made)
    return model


def _converted(module: nn.Module, input: str) -> Optional[nn.Module]:
    if isinstance(module, _FakeLinear):
        tensor = module.fake_weight.quantized(module.weight)
        arguments = {"in_features": module.in_features, "out_features": module.out_features}
        chosen = "bitnet" if isinstance(module, BitLinear) else input
        made: nn.Module = QuantizedLinear(tensor, arguments, module.bias, module.weight.dtype,
                                          input=chosen)
        return made.train(module.training)
    if not parametrize.is_parametrized(module, "weight"):
        return None
    lists: Any = module.parametrizations
    fake = lists.weight[0]
    if not isinstance(fake, FakeQuantize) or len(lists.weight) != 1:
        return None
    tensor = fake.quantized(lists.weight.original)
    parametrize.remove_parametrizations(module, "weight", leave_parametrized=False)
    kind = kind_of(module)
    assert kind is not None
    into, names = kind
    weight: Any = module.weight
    options: dict[str, Any] = {} if into._operator_type is None else {"input": input}
    made = into(tensor, {name: getattr(module, name) for name in names},
                getattr(module, "bias", None), weight.dtype, **options)
    return made.train(module.training)


class QATScheduler:
    """A schedule of a model's fake quantized weights: each step sets their formats,
    temperatures and shares. Layers are taken in the order of the model's modules."""

    def __init__(self, model: nn.Module, schedule: Schedule) -> None:
        self.fakes, self.schedule = list(_fakes(model)), schedule
        self._apply()

    def step(self, loss: Optional[float] = None, error: Optional[float] = None) -> bool:
        """A step of training is done. Whether a phase ended."""
        ended = self.schedule.step(loss, error)
        self._apply()
        return ended

    def _apply(self) -> None:
        for index, fake in enumerate(self.fakes):
            now = self.schedule.apply(fake.config, layer=index, layers=len(self.fakes),
                                      training=fake.how)
            fake.enabled = now is not None
            if now is not None:
                fake.config, fake.how = now
