"""Writes safetensors files and the JSON beside them, with numpy alone."""
import json
import struct

import numpy as np
from layouts import Typed

_NAMES = {"float64": "F64", "float32": "F32", "float16": "F16", "uint8": "U8", "int8": "I8",
          "uint16": "U16", "int16": "I16", "uint32": "U32", "int32": "I32", "uint64": "U64",
          "int64": "I64"}


def safetensors(path, tensors, metadata=None):
    """tensors: name -> array or Typed, in the order in which they are stored."""
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, array in tensors.items():
        array = array if isinstance(array, Typed) else Typed(_NAMES[array.dtype.name], array)
        content = np.ascontiguousarray(array.bits).tobytes()
        header[name] = {"dtype": array.dtype, "shape": array.bits.shape,
                        "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")


def folder(path, tensors, method, metadata=None, **config):
    """A model's folder as Hugging Face has them: weights, and config.json with `method` as
    its quantization_config."""
    path.mkdir(parents=True, exist_ok=True)
    safetensors(path / "model.safetensors", tensors, metadata or {"format": "pt"})
    write_json(path / "config.json", {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", **config,
        **({"quantization_config": method} if method else {})})
