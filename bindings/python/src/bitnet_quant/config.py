"""What to quantize into."""
from __future__ import annotations

import ctypes
from typing import Any, Callable, Mapping, Optional, Union

from . import _abi, registry
from ._handles import Handle, create, encode, integer
from ._loader import library

OptionValue = Union[str, int, float]


class Config:
    """A set of options, given as keywords: Config(format="int8", group_size=64).

    The options are those the loaded library has (`options()` lists them with
    their bounds and defaults); those not given are at their defaults. Values are
    numbers or, where they have names, names. A config does not change once made;
    `replace` makes another. Options are attributes: config.group_size.

    An unknown option raises NotFoundError, a bad value InvalidArgumentError or
    TypeError. Whether a format supports a combination shows when it is used.
    """

    __slots__ = ("_handle", "__weakref__")

    def __init__(self, **options: OptionValue) -> None:
        lib = library()
        self._handle = create(_abi.bnq_config, lib.bnq_config_create,
                              destroy="bnq_config_destroy")
        self._set(options)

    def _set(self, options: Mapping[str, OptionValue]) -> None:
        lib = library()
        for name, value in options.items():
            if isinstance(value, str):
                lib.bnq_config_set_text(self._handle, encode(name, "option"),
                                        encode(value, name))
                continue
            option = registry.option(name)
            try:
                if option.type is float:
                    lib.bnq_config_set_float(self._handle, option.id, float(value))
                else:
                    lib.bnq_config_set_int(self._handle, option.id, integer(value, name, 64))
            except TypeError:
                raise TypeError(f"{name} must be a str or {option.type.__name__}, got {value!r}"
                                ) from None

    def replace(self, **options: OptionValue) -> Config:
        """This config with some options changed."""
        clone = object.__new__(Config)
        clone._handle = create(_abi.bnq_config, library().bnq_config_clone, self._handle,
                               destroy="bnq_config_destroy")
        clone._set(options)
        return clone

    def to_dict(self) -> dict[str, OptionValue]:
        """Every option by name, with names for values that have them."""
        lib = library()
        return read_options(lib.bnq_config_get_int, lib.bnq_config_get_float, self._handle)

    @classmethod
    def from_dict(cls, options: Mapping[str, OptionValue]) -> Config:
        """The reverse of to_dict; options left out are at their defaults."""
        return cls(**options)

    def __getattr__(self, name: str) -> Any:
        # Only reached for what is not an attribute. Private names never are
        # options; asking for one must not load the library (copy, pickle do).
        if not name.startswith("_"):
            options = self.to_dict()
            if name in options:
                return options[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute or option {name!r}")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.to_dict()]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Config):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(tuple(self.to_dict().items()))

    def __reduce__(self) -> tuple[Any, ...]:
        return Config.from_dict, (self.to_dict(),)

    def __repr__(self) -> str:
        return f"Config({', '.join(f'{k}={v!r}' for k, v in self.to_dict().items())})"


def read_options(get_int: Callable[..., int], get_float: Callable[..., int], handle: Handle
                 ) -> dict[str, OptionValue]:
    """Every option of a config or a tensor, through its getters."""
    values: dict[str, OptionValue] = {}
    for option in registry.options():
        if option.type is float:
            real = ctypes.c_double()
            get_float(handle, option.id, ctypes.byref(real))
            values[option.name] = real.value
        else:
            number = ctypes.c_int64()
            get_int(handle, option.id, ctypes.byref(number))
            name = library().bnq_option_value_name(option.id, number.value)
            values[option.name] = number.value if name is None else name.decode()
    return values


def as_config(config: Optional[Config], options: Mapping[str, OptionValue]) -> Config:
    """`config` (default: the defaults) with `options` changed."""
    if config is None:
        return Config(**options)
    if not isinstance(config, Config):
        raise TypeError(f"config must be a Config, got {type(config).__name__}; "
                        "options are given as keywords: format='int8'")
    return config.replace(**options) if options else config
