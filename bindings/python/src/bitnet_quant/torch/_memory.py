"""Tensors of torch and numpy arrays over the same memory."""
from __future__ import annotations

import threading
from typing import Any, Union

import numpy as np
import torch

from ..context import Context

_Array = Union["np.ndarray[Any, Any]"]  # numpy 1.20 cannot index it

#: The library's names of torch's types of floats.
NAMES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16",
         torch.bfloat16: "BF16"}

_lock = threading.Lock()
_context = Context.__new__(Context)
_threads = 0


def native(dtype: torch.dtype) -> torch.dtype:
    """The type that the library writes in place of this one: it makes no float64."""
    return torch.float32 if dtype == torch.float64 else dtype


def to_numpy(tensor: torch.Tensor, what: str = "tensor") -> tuple[_Array, str]:
    """A tensor's memory as an array, and the library's name of its type: bfloat16 is held
    in uint16. ValueError where it is not in the CPU's memory."""
    tensor = on_cpu(tensor, what).detach()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(np.uint16), "BF16"
    if tensor.dtype not in NAMES:
        raise TypeError(f"{what} has dtype {tensor.dtype}; "
                        f"{', '.join(map(str, NAMES))} are accepted")
    return tensor.numpy(), NAMES[tensor.dtype]


def on_cpu(tensor: torch.Tensor, what: str) -> torch.Tensor:
    """The tensor. ValueError where it is not in the CPU's memory."""
    if tensor.device.type != "cpu":
        raise ValueError(f"{what} is on {tensor.device}; libbnq works on the CPU: use "
                         "module.to('cpu'), and x.cpu()")
    return tensor


def from_numpy(array: _Array, dtype: torch.dtype) -> torch.Tensor:
    """The reverse, of an array that the library made with that type."""
    if dtype == torch.bfloat16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def context() -> Context:
    """As many threads as torch has (torch.set_num_threads). Results do not depend on it."""
    global _context, _threads
    threads = torch.get_num_threads()
    with _lock:
        if threads != _threads:
            _context, _threads = Context(min(threads, 256)), threads
        return _context
