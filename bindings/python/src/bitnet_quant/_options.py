"""What a Config, Calibrator, Optimizer and Operator have in common: options by name."""
from __future__ import annotations

import ctypes
from typing import Any, Callable, ClassVar, Mapping, Union

from . import registry
from ._handles import Handle, encode, integer
from ._loader import library

OptionValue = Union[str, int, float]


def as_number(option: registry.Option, value: OptionValue) -> Union[int, float]:
    """A value that is not a str, as the type of the option."""
    try:
        return float(value) if option.type is float else integer(value, option.name, 64)
    except TypeError:
        raise TypeError(f"{option.name} must be a str or {option.type.__name__}, got {value!r}"
                        ) from None


def read_text(call: Callable[..., int], handle: Any) -> str:
    """The text that call(handle, char*, size, size*) writes."""
    size = ctypes.c_uint64()
    call(handle, None, 0, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    call(handle, buffer, size.value, None)
    return buffer.value.decode("utf-8")


class Optioned:
    """Owns a native handle that has options."""

    __slots__ = ("_handle", "__weakref__")

    _handle: Handle
    #: What the functions of the handle start with, and the kind of its options.
    _prefix: ClassVar[str]
    _kind: ClassVar[int]

    def _settings(self) -> Any:
        """To be changed: only of a handle that nobody has seen yet."""
        return getattr(library(), f"{self._prefix}_settings")(self._handle)

    def _options(self) -> Any:
        return getattr(library(), f"{self._prefix}_options")(self._handle)

    def _set(self, options: Mapping[str, OptionValue]) -> None:
        for name, value in options.items():
            if isinstance(value, str):
                library().bnq_options_set_text(self._settings(), encode(name, "option"),
                                               encode(value, name))
                continue
            option = registry.option(name, self._kind)
            number = as_number(option, value)
            if option.type is float:
                library().bnq_options_set_float(self._settings(), option.id, number)
            else:
                library().bnq_options_set_int(self._settings(), option.id, number)

    def _get(self, option: registry.Option) -> OptionValue:
        if option.type is float:
            real = ctypes.c_double()
            library().bnq_options_get_float(self._options(), option.id, ctypes.byref(real))
            return real.value
        number = self._number(option)
        if option.type is bool:
            return bool(number)
        name = registry.value_name(self._kind, option.id, number)
        return number if name is None else name

    def _number(self, option: registry.Option) -> int:
        """The value of an option that is not a float, as the library counts it."""
        number = ctypes.c_int64()
        library().bnq_options_get_int(self._options(), option.id, ctypes.byref(number))
        return number.value

    def _all(self) -> dict[str, OptionValue]:
        return {option.name: self._get(option) for option in registry.list_options(self._kind)}

    def _changed(self) -> dict[str, OptionValue]:
        """The options that are not at their defaults."""
        values = ((option, self._get(option)) for option in registry.list_options(self._kind))
        return {option.name: value for option, value in values if value != option.default}
