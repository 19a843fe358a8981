"""Modules of torch on quantized weights."""
from __future__ import annotations

import json
from typing import Any, Callable, ClassVar, Mapping, NamedTuple, Optional, Union

import numpy as np
import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from .. import errors
from .._options import OptionValue
from ..config import Config, ConfigLike, as_config
from ..conversion import Plan, as_plan
from ..convolution import QuantConvolution
from ..linear import Layer, QuantLinear, embedding
from ..tensor import QuantizedTensor, quantize
from ._memory import NAMES, context, from_numpy, native, on_cpu, to_numpy


class QuantizedModule(nn.Module):
    """What a module on a quantized weight has.

    Its codes are the parameter `weight`, other parts (scales, ...) the parameters
    `weight_scales` and so on: bytes, without gradients, which no change of type touches.
    Further in state_dict are `weight_config`, which says what they are (JSON, in bytes),
    and `bias`. A state loads whatever format the module had before, of the same shape.

    For any number of threads, while nobody changes it.
    """

    #: The module of torch that it stands for.
    float_type: ClassVar[type[nn.Module]]
    #: The operator; None of an embedding.
    _operator_type: ClassVar[Optional[type[Layer]]] = None

    weight: nn.Parameter
    weight_config: torch.Tensor
    bias: Optional[nn.Parameter]
    _like: torch.Tensor

    def __init__(self, tensor: QuantizedTensor, arguments: Mapping[str, Any],
                 bias: Optional[torch.Tensor] = None, dtype: torch.dtype = torch.float32,
                 **options: OptionValue) -> None:
        """tensor: the weight, in the layout of torch.

        arguments: those of the module of torch that it stands for, as its attributes.
        bias: copied.
        dtype: of the module's results where inputs have none (an embedding), and of what
            dequantizes to; it follows module.to(dtype).
        options: of the operator: input="int8" multiplies codes of the inputs.
        """
        super().__init__()
        #: What the module of torch is made with.
        self.arguments = dict(arguments)
        #: What the operator is made with.
        self.options = dict(options)
        self.bias = None if bias is None else nn.Parameter(
            bias.detach().clone(), requires_grad=bias.requires_grad)
        self.register_buffer("_like", torch.empty(0, dtype=dtype), persistent=False)
        self._parts: dict[str, str] = {}
        self._made: Optional[tuple[Any, QuantizedTensor, Optional[Layer]]] = None
        self._adopt(tensor)

    def __getattr__(self, name: str) -> Any:
        arguments = self.__dict__.get("arguments", {})
        return arguments[name] if name in arguments else super().__getattr__(name)

    @property
    def tensor(self) -> QuantizedTensor:
        """The weight, in the memory of the parameters."""
        return self._ready()[0]

    @property
    def config(self) -> Config:
        """What the weight is quantized into."""
        return self.tensor.config

    @property
    def nbytes(self) -> int:
        """Of the weight's parts and the bias."""
        return sum(p.numel() * p.element_size() for p in self.parameters(recurse=False))

    def dequantized_weight(self, dtype: Optional[torch.dtype] = None) -> torch.Tensor:
        """The weight's values, a new tensor; dtype: by default that of the module."""
        into = self._like.dtype if dtype is None else dtype
        return _values(self.tensor, into)

    def _adopt(self, tensor: QuantizedTensor) -> None:
        """Takes a tensor's parts, as copies."""
        self._take({name: torch.from_numpy(np.array(part).view(np.uint8))
                    for name, part in tensor.parts.items()},
                   {"config": tensor.config.text, "shape": list(tensor.shape),
                    "parts": {name: part.dtype.str for name, part in tensor.parts.items()}})

    def _take(self, parts: Mapping[str, torch.Tensor], about: Mapping[str, Any]) -> None:
        for name in self._parts.values():
            delattr(self, name)
        # A tensor of no elements has no codes, but each module has a weight.
        given = {"codes": torch.empty(0, dtype=torch.uint8), **parts}
        self._parts = {name: "weight" if name == "codes" else f"weight_{name}" for name in given}
        for name, part in given.items():
            parameter = (part if isinstance(part, nn.Parameter)
                         else nn.Parameter(part, requires_grad=False))
            self.register_parameter(self._parts[name], parameter)
        text = json.dumps(about, separators=(",", ":")).encode()
        self.register_buffer("weight_config", torch.tensor(list(text), dtype=torch.uint8))
        self._made = None

    def _share(self, other: QuantizedModule) -> None:
        """Takes the very parameters of another module, whose weight is tied to this one."""
        self._take({name: getattr(other, attribute) for name, attribute in other._parts.items()},
                   _about(other.weight_config))

    def _ready(self) -> tuple[QuantizedTensor, Optional[Layer]]:
        """The tensor and the operator; made anew where memory has changed."""
        tensors = [getattr(self, attribute) for attribute in self._parts.values()]
        if self.bias is not None:
            tensors.append(self.bias)
        now = [_state(tensor) for tensor in tensors]
        made = self._made
        if made is None or made[0] != now:
            tensor = _tensor_of({name: getattr(self, attribute)
                                 for name, attribute in self._parts.items()},
                                _about(self.weight_config))
            made = self._made = (now, tensor, self._operator(tensor))
        return made[1], made[2]

    def _operator(self, tensor: QuantizedTensor) -> Optional[Layer]:
        if self._operator_type is None:
            return None
        bias = None if self.bias is None else to_numpy(self.bias.detach().float(), "bias")[0]
        options: dict[str, Any] = self.options
        return self._operator_type(tensor, bias, context=context(), **options)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, local_metadata: Any,
                              strict: bool, missing_keys: Any, unexpected_keys: Any,
                              error_msgs: list[str]) -> None:
        about = state_dict.get(f"{prefix}weight_config")
        if about is not None:
            try:
                self._load(_about(about), state_dict, prefix)
            except (errors.BitNetQuantError, TypeError, ValueError, KeyError) as error:
                error_msgs.append(f"{prefix}weight: {error}")
                return
        elif f"{prefix}weight" in state_dict:
            error_msgs.append(f"{prefix}weight is not quantized: there is no "
                              f"{prefix}weight_config; load it before the module is quantized")
            return
        super()._load_from_state_dict(  # type: ignore[no-untyped-call]
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)

    def _load(self, about: dict[str, Any], state_dict: Any, prefix: str) -> None:
        """Makes room for the weight that a state has, having made sure that it is one."""
        shape = list(self._shape())
        if about["shape"] != shape:
            raise ValueError(f"its shape is {about['shape']}; {shape} is needed")
        keys = {name: prefix + ("weight" if name == "codes" else f"weight_{name}")
                for name in about["parts"]}
        parts = {name: torch.as_tensor(state_dict[key]).detach().cpu().clone()
                 for name, key in keys.items()}
        _tensor_of(parts, about)
        self._take(parts, about)

    def _shape(self) -> tuple[int, ...]:
        return tuple(_about(self.weight_config)["shape"])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_made": None}

    def float_forward(self, x: torch.Tensor, weight: torch.Tensor,
                      bias: Optional[torch.Tensor]) -> torch.Tensor:
        """What the module of torch does with a weight and bias: for gradients."""
        raise NotImplementedError

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What the module of torch gives, of the dequantized weight, in the type of x."""
        result: torch.Tensor = _Run.apply(x, self.bias, self)
        return result

    def run(self, x: torch.Tensor) -> torch.Tensor:
        """forward, without gradients."""
        # The library has no matrices of float64.
        given = x.to(native(x.dtype))
        array, name = to_numpy(given, "x")
        operator: Any = self._ready()[1]
        y = from_numpy(operator(array, dtype=name, copy=True, context=context()), given.dtype)
        return y.to(x.dtype)

    def extra_repr(self) -> str:
        shown = [f"{name}={value!r}" for name, value in self.arguments.items()]
        shown += [f"bias={self.bias is not None}", f"config={_about(self.weight_config)['config']}"]
        return ", ".join(shown + [f"{name}={value!r}" for name, value in self.options.items()])


class QuantizedLinear(QuantizedModule):
    """nn.Linear on a quantized weight: a QuantLinear."""

    float_type, _operator_type = nn.Linear, QuantLinear

    def float_forward(self, x: torch.Tensor, weight: torch.Tensor,
                      bias: Optional[torch.Tensor]) -> torch.Tensor:
        return functional.linear(x, weight, bias)


class _QuantizedConvolution(QuantizedModule):
    """Convolutions: QuantConvolution, of images [items, channels, ...], or one of them."""

    _operator_type = QuantConvolution

    def _operator(self, tensor: QuantizedTensor) -> Optional[Layer]:
        bias = None if self.bias is None else to_numpy(self.bias.detach().float(), "bias")[0]
        options: dict[str, Any] = {"groups": self.groups, **self.options}
        sides = ("height", "width")[2 - len(self.kernel_size):]
        ends = {"height": ("pad_top", "pad_bottom"), "width": ("pad_left", "pad_right")}
        for i, side in enumerate(sides):
            options[f"stride_{side}"] = self.stride[i]
            options[f"dilation_{side}"] = self.dilation[i]
            if self.padding_mode == "zeros":
                options.update(zip(ends[side], self._padding()[i]))
        return QuantConvolution(tensor, bias, context=context(), **options)

    def _padding(self) -> list[tuple[int, int]]:
        """What is added before and behind each dimension."""
        if self.padding == "valid":
            return [(0, 0)] * len(self.kernel_size)
        if self.padding == "same":
            totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size)]
            return [(total // 2, total - total // 2) for total in totals]
        return [(side, side) for side in self.padding]

    def _padded(self, x: torch.Tensor) -> torch.Tensor:
        """x with what is no zeros around it."""
        around = [side for pair in reversed(self._padding()) for side in pair]
        # Not every version of torch does so in 16 bits.
        wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
        return functional.pad(wide, around, mode=self.padding_mode).to(x.dtype)

    def run(self, x: torch.Tensor) -> torch.Tensor:
        rank = len(self.kernel_size) + 2
        images = x.unsqueeze(0) if x.dim() == rank - 1 else x
        if self.padding_mode != "zeros":
            images = self._padded(images)
        y = super().run(images)
        return y.squeeze(0) if x.dim() == rank - 1 else y

    def float_forward(self, x: torch.Tensor, weight: torch.Tensor,
                      bias: Optional[torch.Tensor]) -> torch.Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            x, padding = self._padded(x), 0
        convolve: Any = functional.conv1d if len(self.kernel_size) == 1 else functional.conv2d
        result: torch.Tensor = convolve(x, weight, bias, self.stride, padding, self.dilation,
                                        self.groups)
        return result


class QuantizedConv1d(_QuantizedConvolution):
    """nn.Conv1d on a quantized weight."""

    float_type = nn.Conv1d


class QuantizedConv2d(_QuantizedConvolution):
    """nn.Conv2d on a quantized weight."""

    float_type = nn.Conv2d


class QuantizedEmbedding(QuantizedModule):
    """nn.Embedding on a quantized table: rows by index, dequantized, in the module's type.
    max_norm, which changes the table, is refused."""

    float_type = nn.Embedding

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        dtype = self._like.dtype
        made = native(dtype)
        rows = embedding(self.tensor, on_cpu(x, "x").detach().numpy(),
                         out_dtype=NAMES[made], context=context())
        return from_numpy(rows, made).to(dtype)


class _Run(torch.autograd.Function):
    """A module's results; the gradients are those of the dequantized weight."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor,  # type: ignore[override]
                bias: Optional[torch.Tensor], module: QuantizedModule) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.module, ctx.tensor = module, module.tensor
        return module.run(x)

    @staticmethod
    @once_differentiable  # type: ignore[misc]
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        (x,) = ctx.saved_tensors
        bias = ctx.module.bias
        weight = _values(ctx.tensor, x.dtype)
        with torch.enable_grad():
            inputs = [x.detach().requires_grad_()]
            if bias is not None:
                inputs.append(bias.detach().to(x.dtype).requires_grad_())
            y = ctx.module.float_forward(inputs[0], weight, *(inputs[1:] or [None]))
        found = torch.autograd.grad(y, inputs, gradient)
        of_bias = None if bias is None else found[1].to(bias.dtype)
        return found[0], of_bias, None


#: The modules that can be quantized, and what of them makes the module again.
KINDS: tuple[tuple[type[nn.Module], type[QuantizedModule], tuple[str, ...]], ...] = (
    (nn.Linear, QuantizedLinear, ("in_features", "out_features")),
    *((kind, into, ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation",
                    "groups", "padding_mode"))
      for kind, into in ((nn.Conv1d, QuantizedConv1d), (nn.Conv2d, QuantizedConv2d))),
    (nn.Embedding, QuantizedEmbedding, ("num_embeddings", "embedding_dim", "padding_idx")),
)


class Decision(NamedTuple):
    """What a module's weight is quantized into, and the options of its operator."""

    config: Config
    options: Mapping[str, OptionValue]


def kind_of(module: nn.Module) -> Optional[tuple[type[QuantizedModule], tuple[str, ...]]]:
    """What the module becomes, and the attributes that it is made with; None where it is
    none of those that can be quantized, or does something else than these do."""
    for kind, into, names in KINDS:
        # Others (of MultiheadAttention, say) have their weights read by who holds them.
        if type(module) is kind:
            return into, names
    return None


def quantize_module(module: nn.Module, config: Optional[ConfigLike] = None, *, name: str = "",
                    input: str = "float", **options: OptionValue) -> QuantizedModule:
    """A quantized module in place of a Linear, Conv1d, Conv2d or Embedding, which stays as
    it is.

    config, options: as in `quantize`.
    name: for errors, which name the weight.
    input: what inputs become, an option of `Operator`: "float" keeps them.

    TypeError for another module; the errors of `quantize`.
    """
    kind = kind_of(module)
    weight_name = f"{name}.weight" if name else "weight"
    if kind is None:
        raise TypeError(f"{name or 'module'} is a {type(module).__name__}; "
                        f"{', '.join(each[0].__name__ for each in KINDS)} can be quantized")
    into, names = kind
    arguments = {each: getattr(module, each) for each in names}
    if getattr(module, "max_norm", None) is not None:
        raise ValueError(f"{weight_name}: max_norm is {module.max_norm}, which changes the "
                         "weights when they are used; None is accepted")
    weight: Any = module.weight
    try:
        array, dtype = to_numpy(weight, weight_name)
        tensor = quantize(array, as_config(config, options), dtype=dtype, copy=True,
                          context=context())
        bias: Any = getattr(module, "bias", None)
        chosen: dict[str, OptionValue] = {} if into._operator_type is None else {"input": input}
        made = into(tensor, arguments, bias, weight.dtype, **chosen)
        made._ready()
    except (errors.BitNetQuantError, TypeError, ValueError) as error:
        raise errors.renamed(error, f"tensor {weight_name!r}") from error
    made.train(module.training)
    return made


def dequantize_module(module: QuantizedModule, dtype: Optional[torch.dtype] = None) -> nn.Module:
    """The module of torch with the dequantized weight; dtype: of its parameters, by default
    that of the module."""
    into = module._like.dtype if dtype is None else dtype
    arguments = dict(module.arguments)
    if module.float_type is not nn.Embedding:
        arguments["bias"] = module.bias is not None
    float_type: Any = module.float_type
    made: Any = float_type(**arguments, device="meta")
    made.weight = nn.Parameter(module.dequantized_weight(into))
    if module.bias is not None:
        made.bias = nn.Parameter(module.bias.detach().to(into, copy=True))
    made.train(module.training)
    return made  # type: ignore[no-any-return]


def quantize_model(model: nn.Module, plan: Union[Plan, ConfigLike, None] = None, *,
                   input: str = "float", **options: OptionValue) -> nn.Module:
    """A model whose modules are quantized as a plan says of their weights' names
    ("layers.0.weight"); plan, options: as in quantize_file. Modules are replaced in place,
    all or, where one fails, none; the model itself is returned, or what stands for it.
    Weights that are tied stay so. input: as in quantize_module."""
    rules = as_plan(plan, options)

    def decide(name: str, module: nn.Module) -> Optional[Decision]:
        weight: Any = module.weight
        config = rules.match(f"{name}.weight" if name else "weight", tuple(weight.shape)).config
        return None if config is None else Decision(config, {"input": input})

    return replace_modules(model, decide)


def replace_modules(model: nn.Module, decide: Callable[[str, nn.Module], Optional[Decision]],
                    name: str = "") -> nn.Module:
    """The model with those modules quantized for which `decide` has a config."""
    made: dict[int, nn.Module] = {}
    tied: dict[tuple[int, str], QuantizedModule] = {}

    def replacement(path: str, module: nn.Module) -> nn.Module:
        if id(module) not in made and kind_of(module) is not None:
            decision = decide(path, module)
            if decision is not None:
                options: dict[str, Any] = dict(decision.options)
                quantized = quantize_module(module, decision.config, name=path, **options)
                first = tied.setdefault((id(module.weight), decision.config.text), quantized)
                if first is not quantized:
                    quantized._share(first)
                made[id(module)] = quantized
        return made.get(id(module), module)

    whole = replacement(name, model)
    if whole is not model:
        return whole
    places = [(".".join(filter(None, (name, path, child_name))), parent, child_name, child)
              for path, parent in model.named_modules()
              for child_name, child in parent._modules.items() if child is not None]
    changes = [(parent, child_name, child) for path, parent, child_name, child in places
               if replacement(path, child) is not child]
    for parent, child_name, child in changes:
        put(parent, child_name, made[id(child)])
    return model


def put(parent: nn.Module, name: str, module: nn.Module) -> None:
    """A quantized module in the place of one of a parent's."""
    parent._modules[name] = module
    if isinstance(parent, nn.TransformerEncoderLayer):
        # As it says of functions that its fast path, which takes the weights of the modules
        # in it instead of calling them, does not know.
        parent.activation_relu_or_gelu = 0


def _about(config: torch.Tensor) -> dict[str, Any]:
    """What weight_config says."""
    about: dict[str, Any] = json.loads(bytes(on_cpu(config, "the weight").tolist()))
    return about


def _tensor_of(parts: Mapping[str, torch.Tensor], about: Mapping[str, Any]) -> QuantizedTensor:
    """The tensor in the memory of its parts."""
    views = {}
    for name, kind in about["parts"].items():
        view = on_cpu(parts[name], "the weight").detach().numpy().view(np.dtype(kind))
        # Numbers in a file that torch has mapped may lie anywhere.
        views[name] = view if view.ctypes.data % 4 == 0 or name == "codes" else view.copy()
    return QuantizedTensor.from_parts(views, shape=about["shape"], config=about["config"],
                                      copy=False, context=context())


def _values(tensor: QuantizedTensor, dtype: torch.dtype) -> torch.Tensor:
    made = native(dtype)
    if made not in NAMES:
        raise TypeError(f"dtype is {dtype}; {', '.join(map(str, NAMES))} are accepted")
    return from_numpy(tensor.dequantize(NAMES[made], context=context()), made).to(dtype)


def _state(tensor: torch.Tensor) -> tuple[int, int, int]:
    """What changes when a tensor's memory does."""
    version = 0 if tensor.is_inference() else tensor._version
    return id(tensor), tensor.data_ptr(), version
