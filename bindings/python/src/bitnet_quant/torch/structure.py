"""Modules as tensors by name and a description, without anything that is run."""
from __future__ import annotations

from typing import Any, Optional

import numpy as np
import torch
from torch import nn

from .._arrays import dtype_name
from ..layers.records import Entry, Record
from ..tensor import QuantizedTensor
from ._memory import to_numpy
from .modules import KINDS, QuantizedModule

#: Modules of torch that are made again by their class's name, and from which attributes.
_TYPES: dict[type[nn.Module], tuple[str, ...]] = {
    **{kind: names for kind, _, names in KINDS},
    nn.LayerNorm: ("normalized_shape", "eps", "elementwise_affine"),
    nn.Dropout: ("p",), nn.Flatten: ("start_dim", "end_dim"), nn.GELU: ("approximate",),
    **{kind: () for kind in (nn.Identity, nn.ReLU, nn.SiLU, nn.Tanh, nn.Sigmoid)},
}
_WITH_BIAS = (nn.Linear, nn.Conv1d, nn.Conv2d)
_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)

_QUANTIZED = {into.__name__: into for _, into, _ in KINDS}
_PLAIN = {kind.__name__: kind for kind in (*_TYPES, *_CONTAINERS)}


def entry_of(tensor: torch.Tensor) -> Entry:
    """A CPU tensor's memory, as a cache keeps it."""
    tensor = tensor.detach()
    if tensor.dtype.is_floating_point:
        return Entry(*to_numpy(tensor))
    array = tensor.numpy()
    return Entry(array, dtype_name(array.dtype))


def tensor_of(entry: Entry) -> torch.Tensor:
    """A tensor of its own."""
    assert not isinstance(entry.value, QuantizedTensor)
    array = np.array(entry.value)
    if entry.dtype == "BF16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def record_of(module: nn.Module) -> Record:
    """A module's state, with quantized weights as QuantizedTensors."""
    quantized = {path: each for path, each in module.named_modules()
                 if isinstance(each, QuantizedModule)}
    tensors = {_joined(path, "weight"): Entry(each.tensor, "") for path, each in quantized.items()}
    hidden = {_joined(path, name) for path, each in quantized.items()
              for name in each.state_dict() if name != "bias"}
    for name, value in module.state_dict().items():
        if name not in hidden:
            tensors[name] = entry_of(value)
    frozen = [name for name, each in module.named_parameters()
              if not each.requires_grad and name not in hidden]
    return Record(tensors, {
        "kind": "module", "class": type(module).__qualname__, "module": _described(module),
        "quantized": {path: _described(each) for path, each in quantized.items()},
        "frozen": frozen, "training": module.training})


def module_of(record: Record, into: Optional[nn.Module] = None) -> nn.Module:
    """The module again: a new one, or `into` with its modules quantized as the record's
    are, and the record's values. TypeError where its class is not known."""
    about = record.structure
    if into is None:
        if about["module"] is None:
            raise TypeError(f"the layer is a {about['class']}, which has classes that are not "
                            "known here; into= takes a module of that class")
        made = _made(about["module"], record, "")
    else:
        made = _filled(into, about, record)
    frozen = set(about["frozen"])
    for name, parameter in made.named_parameters():
        if name in frozen:
            parameter.requires_grad_(False)
    return made.train(about["training"])


def _filled(into: nn.Module, about: dict[str, Any], record: Record) -> nn.Module:
    for path, description in about["quantized"].items():
        module = _made(description, record, path)
        if not path:
            return module
        parent, _, name = path.rpartition(".")
        into.get_submodule(path)  # AttributeError where there is none
        into.get_submodule(parent)._modules[name] = module
    values = {name: tensor_of(entry) for name, entry in record.tensors.items() if entry.dtype}
    for path in about["quantized"]:
        module = into.get_submodule(path)
        values.update({_joined(path, name): value for name, value in module.state_dict().items()})
    into.load_state_dict(values)
    return into


def _described(module: nn.Module) -> Optional[dict[str, Any]]:
    """What makes the module again; None where something in it is not known."""
    kind = type(module)
    if isinstance(module, QuantizedModule):
        if _QUANTIZED.get(kind.__name__) is not kind:
            return None
        return {"type": kind.__name__, "arguments": module.arguments, "options": module.options,
                "dtype": str(module._like.dtype)}
    if kind in _CONTAINERS:
        children = {name: child and _described(child) for name, child in module._modules.items()}
        if not all(children.values()):
            return None
        return {"type": kind.__name__, "children": children}
    if kind not in _TYPES or getattr(module, "max_norm", None) is not None:
        return None
    arguments = {name: getattr(module, name) for name in _TYPES[kind]}
    if kind in _WITH_BIAS:
        arguments["bias"] = module.bias is not None
    return {"type": kind.__name__, "arguments": arguments}


def _made(description: dict[str, Any], record: Record, path: str) -> nn.Module:
    name = description["type"]
    if name in _QUANTIZED:
        entry = record.tensors[_joined(path, "weight")]
        assert isinstance(entry.value, QuantizedTensor)
        bias = record.tensors.get(_joined(path, "bias"))
        return _QUANTIZED[name](
            entry.value, _tuples(description["arguments"]),
            None if bias is None else nn.Parameter(tensor_of(bias)),
            getattr(torch, description["dtype"].rpartition(".")[2]), **description["options"])
    kind: Any = _PLAIN[name]
    if "children" in description:
        made: nn.Module = kind()
        for child, each in description["children"].items():
            made.add_module(child, _made(each, record, _joined(path, child)))
        return made
    arguments = _tuples(description["arguments"])
    owned = {each: tensor_of(record.tensors[_joined(path, each)]) for each in ("weight", "bias")
             if _joined(path, each) in record.tensors}
    made = kind(**arguments, **({"device": "meta"} if owned else {}))
    for each, value in owned.items():
        made._parameters[each] = nn.Parameter(value)
    return made


def _tuples(arguments: dict[str, Any]) -> dict[str, Any]:
    """JSON has no tuples."""
    return {name: tuple(value) if isinstance(value, list) else value
            for name, value in arguments.items()}


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
