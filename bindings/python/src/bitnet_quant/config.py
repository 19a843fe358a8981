"""What to quantize into."""
from __future__ import annotations

import ctypes
from typing import Any, Mapping, Optional, Union

from . import _abi, registry
from ._handles import Handle, create, encode
from ._loader import library
from ._options import Optioned, OptionValue, read_text


class Config(Optioned):
    """A set of options, given as keywords: Config(format="int4", group_size=64).

    The options are those the loaded library has (`options()` lists them with
    their bounds and defaults); those not given are at their defaults. Values are
    numbers or, where they have names, names; those that are on or off are bool.
    A config does not change once made; `replace` makes another. Options are
    attributes: config.group_size.

    Also made from a preset's name (`Config.preset`), a dictionary, or text
    (`Config.from_text`). Functions that take a config take such text, too.

    An unknown option raises NotFoundError, a bad value InvalidArgumentError or
    TypeError. Whether the format supports the others shows when it is used, or by
    `check`.
    """

    __slots__ = ()

    _prefix, _kind = "bnq_config", registry.CONFIG

    def __init__(self, **options: OptionValue) -> None:
        self._handle = create(_abi.bnq_config, library().bnq_config_create,
                              destroy="bnq_config_destroy")
        self._set(options)

    @classmethod
    def _own(cls, handle: Handle) -> Config:
        config = object.__new__(cls)
        config._handle = handle
        return config

    @classmethod
    def preset(cls, name: str, **options: OptionValue) -> Config:
        """The preset of that name (`presets()` lists them), or the format of that name
        where there is no such preset, with some options changed:
        Config.preset("nf4_double_quant", group_size=128). NotFoundError."""
        config = cls._own(create(_abi.bnq_config, library().bnq_config_from_preset,
                                 encode(name, "preset"), destroy="bnq_config_destroy"))
        config._set(options)
        return config

    @classmethod
    def from_text(cls, text: str) -> Config:
        """A config from option=value items between commas, the first of which may be
        the name of a preset or a format: "format=int4,group_size=64",
        "nf4,group_size=128"."""
        return cls._own(create(_abi.bnq_config, library().bnq_config_from_text,
                               encode(text, "text"), destroy="bnq_config_destroy"))

    @property
    def text(self) -> str:
        """The reverse of from_text: the format, then every option that is not at its
        default. Equal configs have equal text."""
        return read_text(library().bnq_config_to_text, self._handle)

    @property
    def advice(self) -> str:
        """What is accepted but hardly meant, for people: "percentile = 0.999 is of a
        hundred, did you mean 99.9?"; empty where there is nothing to say."""
        return read_text(library().bnq_options_advice, self._options())

    def check(self) -> None:
        """UnsupportedError, or InvalidArgumentError for the format "none", with what
        quantizing would say, where options and format do not go together."""
        library().bnq_config_check(self._handle)

    @property
    def bits_per_weight(self) -> float:
        """Bits that a weight of a large matrix (4096 x 4096) takes, with its share of
        scales and all other parts, without outliers. Errors as check."""
        bits = ctypes.c_double()
        library().bnq_config_bits_per_weight(self._handle, ctypes.byref(bits))
        return bits.value

    def step_up(self) -> Config:
        """The next of the ladder nf4 (and whatever has less than 8 bits a weight),
        int8_outliers, int8_per_channel, none."""
        return Config._own(create(_abi.bnq_config, library().bnq_config_step_up, self._handle,
                                  destroy="bnq_config_destroy"))

    def replace(self, **options: OptionValue) -> Config:
        """This config with some options changed."""
        clone = self._own(create(_abi.bnq_config, library().bnq_config_clone, self._handle,
                                 destroy="bnq_config_destroy"))
        clone._set(options)
        return clone

    def to_dict(self) -> dict[str, OptionValue]:
        """Every option by name, with names for values that have them: text, numbers
        and bool only, as for JSON."""
        return self._all()

    @classmethod
    def from_dict(cls, options: Mapping[str, OptionValue]) -> Config:
        """The reverse of to_dict. Options left out are at their defaults, or as in the
        preset that the key "preset" names: {"preset": "nf4", "group_size": 128}."""
        if "preset" not in options:
            return cls(**options)
        changes = dict(options)
        name = changes.pop("preset")
        if not isinstance(name, str):
            raise TypeError(f"preset must be a str, got {name!r}")
        return cls.preset(name, **changes)

    def __getattr__(self, name: str) -> Any:
        # Only reached for what is not an attribute. Private names never are
        # options; asking for one must not load the library (copy, pickle do).
        if not name.startswith("_"):
            for option in registry.options():
                if option.name == name:
                    return self._get(option)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute or option {name!r}")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(option.name for option in registry.options())]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Config):
            return NotImplemented
        equal = ctypes.c_int32()
        library().bnq_config_equal(self._handle, other._handle, ctypes.byref(equal))
        return bool(equal.value)

    def __hash__(self) -> int:
        return hash(self.text)

    def __reduce__(self) -> tuple[Any, ...]:
        return Config.from_dict, (self.to_dict(),)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        shown = {"format": self.format, **self._changed()}
        return f"Config({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


#: What functions take for a config: one, or its text.
ConfigLike = Union[Config, str]


def as_config(config: Optional[ConfigLike], options: Mapping[str, OptionValue]) -> Config:
    """`config` (default: the defaults) with `options` changed."""
    if config is None:
        return Config(**options)
    if isinstance(config, str):
        config = Config.from_text(config)
    if not isinstance(config, Config):
        raise TypeError("config must be a Config, or its text such as a preset's name, got "
                        f"{type(config).__name__}; options are given as keywords: format='int8'")
    return config.replace(**options) if options else config


def as_role_config(config: Optional[ConfigLike], role: int,
                   options: Mapping[str, OptionValue]) -> Config:
    """The same where the default is the library's for a _abi.ROLE_* of post-training
    quantization."""
    if config is None:
        config = Config._own(create(_abi.bnq_config, library().bnq_post_training_config, role,
                                    destroy="bnq_config_destroy"))
    return as_config(config, options)
