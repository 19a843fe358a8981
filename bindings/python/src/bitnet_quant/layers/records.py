"""Layers as tensors by name, with what makes them layers again."""
from __future__ import annotations

import json
import sys
from typing import Any, Mapping, NamedTuple, Optional, Union

import numpy as np

from .._arrays import dtype_name
from .._handles import StrPath
from ..files import File, Writer
from ..tensor import QuantizedTensor

#: What a cache takes for a layer: arrays and quantized tensors by name, a quantized tensor,
#: or a module of torch.
CachedLayer = Union[Mapping[str, Any], QuantizedTensor, Any]

#: The key of a file's metadata with what makes a layer of its tensors.
_KEY = "bitnet_quant.layer"

#: The name of a layer's only tensor.
_ONLY = "tensor"


class Entry(NamedTuple):
    """A tensor of a layer."""

    value: Union[QuantizedTensor, "np.ndarray[Any, Any]"]
    #: The library's name of an array's type; "" of a quantized tensor.
    dtype: str


class Record(NamedTuple):
    """A layer's tensors by name, and what makes it again, as for JSON."""

    tensors: dict[str, Entry]
    structure: dict[str, Any]

    @property
    def nbytes(self) -> int:
        return sum(entry.value.nbytes for entry in self.tensors.values())


def record_of(layer: CachedLayer) -> Record:
    """What a layer is made of; nothing is copied. TypeError for what is no layer."""
    if isinstance(layer, QuantizedTensor):
        return Record({_ONLY: Entry(layer, "")}, {"kind": "tensor"})
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(layer, torch.nn.Module):
        from ..torch import structure
        return structure.record_of(layer)
    if not isinstance(layer, Mapping):
        raise TypeError(f"layer is a {type(layer).__name__}; a mapping from names to arrays or "
                        "QuantizedTensors, a QuantizedTensor, or a module of torch is accepted")
    return Record({name: _entry(name, value) for name, value in layer.items()},
                  {"kind": "mapping"})


def _entry(name: str, value: Any) -> Entry:
    if isinstance(value, QuantizedTensor):
        return Entry(value, "")
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        from ..torch import structure
        return structure.entry_of(value)
    if not isinstance(value, (np.ndarray, np.generic)):
        raise TypeError(f"layer has {name!r}, a {type(value).__name__}; arrays and "
                        "QuantizedTensors are accepted")
    return Entry(np.asarray(value), dtype_name(value.dtype))


def layer_of(record: Record, into: Any = None, device: str = "cpu") -> CachedLayer:
    """The layer again: a new mapping or module, over the record's memory or copies.

    into: a module of torch that takes the tensors; needed where classes are not known.
    device: where a module goes; the CPU for others.
    """
    kind = record.structure["kind"]
    if kind == "module":
        from ..torch import structure
        return structure.module_of(record, into).to(device)
    if into is not None:
        raise TypeError(f"into is given, but the layer is a {kind}, not a module")
    if str(device) != "cpu":
        raise ValueError(f"device is {device!r}; a {kind} is on the 'cpu'")
    if kind == "tensor":
        return record.tensors[_ONLY].value
    return {name: entry.value for name, entry in record.tensors.items()}


def write(path: StrPath, record: Record, about: Mapping[str, Any], compress: bool) -> None:
    """The record in a .bnq file, whole or not at all, in place of one that is there."""
    text = json.dumps({**about, "structure": record.structure})
    with Writer(path, overwrite=True, compress=compress, metadata={_KEY: text}) as writer:
        for name, entry in record.tensors.items():
            # A name may be empty, or say what a file's names must not.
            writer.add(f":{name}", entry.value, dtype=entry.dtype or None, copy=True)


def read(path: StrPath) -> tuple[Record, dict[str, Any]]:
    """A record and what was said about it, each byte checked against its checksum.
    CorruptFileError, MissingFileError, InputOutputError."""
    with File(path) as file:
        about = describe(file, path)
        # Of quantized tensors and of arrays.
        file.verify()
        tensors = {name[1:]: Entry(file[name], file.info(name).dtype or "") for name in file}
    return Record(tensors, about.pop("structure")), about


def describe(file: File, path: StrPath) -> dict[str, Any]:
    """What an open file says of its layer. KeyError, ValueError where it is none."""
    about: dict[str, Any] = json.loads(file.metadata[_KEY])
    return about


def about(path: StrPath) -> Optional[dict[str, Any]]:
    """What a file says of its layer, from its header; None where there is none."""
    try:
        with File(path) as file:
            return describe(file, path)
    except (KeyError, ValueError, OSError):
        return None
