"""Lifetime of native handles, and text on its way into the library."""
from __future__ import annotations

import ctypes
import operator
import os
import sys
import weakref
from typing import Any, Callable, Union

from . import _abi
from ._loader import library

StrPath = Union[str, "os.PathLike[str]"]


class Handle:
    """Owns a native handle: destroyed when the last reference to it is gone.

    Whatever lives in the handle's memory (a view, a tensor of a file) refers to
    the Handle, and a thread inside a call does so through its arguments, so no
    order of closing and dropping frees memory that is in use. `keep` is kept
    alive as long as the handle.

    What is left at exit is left to the system, since views may still be looked
    at, unless `atexit` says that destroying does more than to free memory.
    """

    __slots__ = ("_as_parameter_", "destroy", "__weakref__")

    def __init__(self, pointer: Any, destroy: Callable[[Any], None], keep: Any = None,
                 atexit: bool = False) -> None:
        self._as_parameter_ = pointer
        #: Destroys it now: only for a handle that no view refers to.
        self.destroy = weakref.finalize(self, _destroy, destroy, pointer, keep)
        self.destroy.atexit = atexit


def _destroy(destroy: Callable[[Any], None], pointer: Any, keep: Any) -> None:
    """What is left of a Handle; being an argument of it is what keeps `keep`."""
    destroy(pointer)


def create(kind: type[ctypes.Structure], constructor: Callable[..., Any], *arguments: Any,
           destroy: str, keep: Any = None, atexit: bool = False) -> Handle:
    """Calls constructor(*arguments, &pointer) and owns the outcome."""
    pointer = ctypes.POINTER(kind)()
    constructor(*arguments, ctypes.byref(pointer))
    return Handle(pointer, getattr(library(), destroy), keep, atexit)


def serialized(serialize: Callable[..., Any], handle: Handle) -> bytes:
    """The bytes that serialize(handle, void*, size, size*) writes."""
    size = ctypes.c_uint64()
    serialize(handle, None, 0, ctypes.byref(size))
    data = ctypes.create_string_buffer(size.value)
    serialize(handle, data, size.value, ctypes.byref(size))
    return data.raw


def integer(value: Any, what: str, bits: int) -> int:
    """`value` for an intN_t: ctypes would keep the low bits, without a word."""
    number = operator.index(value)
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise ValueError(f"{what} is {number}, which is not a {bits}-bit integer")
    return number


def unsigned(value: Any, what: str, bits: int) -> int:
    """`value` for a uintN_t."""
    number = operator.index(value)
    if not 0 <= number < 2**bits:
        raise ValueError(f"{what} is {number}; 0 .. 2**{bits} - 1 is accepted")
    return number


def encode(value: str, what: str) -> bytes:
    """`value` for a const char*: C would silently end it at a NUL."""
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a str, got {type(value).__name__}")
    if "\0" in value:
        raise ValueError(f"{what} {value!r} contains a NUL character")
    return value.encode("utf-8")


def encode_path(path: StrPath, what: str) -> bytes:
    """A path in the encoding the library expects of this system."""
    name = os.fspath(path)
    if not isinstance(name, str):
        raise TypeError(f"{what} must be a str or a path, got {type(path).__name__}")
    if sys.platform == "win32":
        return encode(name, what)
    # File names on POSIX are bytes; fsencode gives back those that are not text.
    if "\0" in name:
        raise ValueError(f"{what} {name!r} contains a NUL character")
    return os.fsencode(name)


def decode(value: bytes | None) -> str:
    """A const char* of the library that is known to be there."""
    assert value is not None
    return value.decode("utf-8")


def read_shape(getter: Callable[..., int], *arguments: Any) -> tuple[int, ...]:
    """The shape that a bnq_*_shape function writes."""
    dimensions = (ctypes.c_uint64 * _abi.MAX_RANK)()
    rank = getter(*arguments, dimensions)
    return tuple(dimensions[:rank])
