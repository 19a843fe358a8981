"""What the loaded library can do. Nothing here is known before it is asked."""
from __future__ import annotations

import ctypes
import functools
from typing import Any, Callable, NamedTuple, Optional, Union

from . import _abi
from ._handles import decode, encode
from ._loader import library
from .errors import UnsupportedError


class Format(NamedTuple):
    """How tensors can be coded."""

    name: str
    id: int
    description: str
    #: Bits of one packed code, in the default packing.
    code_bits: int
    #: The smallest legal group size.
    min_group: int
    #: Whether the scheme "asymmetric" is supported.
    asymmetric: bool
    min_code: int
    max_code: int
    #: Whether codes are integers that code * scale stands for, so that the options
    #: about rounding apply.
    integer: bool
    #: Whether values have scales, so that the options about scales apply.
    scaled: bool

    def check(self, option: str, value: Union[str, int, float]) -> None:
        """UnsupportedError, with what quantizing would say, where no Config of this
        format may have the option at that value. Other options may have to be of certain
        values beside it: of a whole config, ask Config.check."""
        text = ("off", "on")[value] if isinstance(value, bool) else str(value)
        library().bnq_format_supports(self.id, encode(option, "option"), encode(text, option))

    def supports(self, option: str, value: Union[str, int, float]) -> bool:
        """Whether check passes: format.supports("scheme", "asymmetric")."""
        try:
            self.check(option, value)
        except UnsupportedError:
            return False
        return True


class Option(NamedTuple):
    """A keyword of Config, Calibrator, Optimizer, Operator or Cache."""

    name: str
    id: int
    #: One sentence.
    description: str
    #: int, float or bool.
    type: type
    #: Inclusive bounds.
    min: Union[int, float]
    max: Union[int, float]
    #: The name of the default value where values have names.
    default: Union[int, float, str]
    #: The names of the values where they have names, else empty, and what they mean.
    values: tuple[str, ...]
    meanings: tuple[str, ...]


class Preset(NamedTuple):
    """A config with a name, which Config.preset makes."""

    name: str
    description: str


class Target(NamedTuple):
    """A SIMD instruction set the library was compiled for."""

    name: str
    #: Whether this CPU can run it.
    supported: bool
    #: Whether it is the one in use.
    active: bool


def version() -> str:
    """The version of the loaded library, such as "0.1.0"."""
    return decode(library().bnq_version_string())


def formats() -> tuple[Format, ...]:
    """The formats the library can quantize into."""
    return tuple(_format(_at(library().bnq_format_at, index))
                 for index in range(library().bnq_format_count()))


def _format(number: int) -> Format:
    def get(which: int) -> int:
        value = ctypes.c_int64()
        library().bnq_format_property(number, which, ctypes.byref(value))
        return value.value

    return Format(
        decode(library().bnq_format_name(number)), number,
        decode(library().bnq_format_description(number)), get(_abi.FORMAT_CODE_BITS),
        get(_abi.FORMAT_MIN_GROUP), bool(get(_abi.FORMAT_ASYMMETRIC)),
        get(_abi.FORMAT_MIN_CODE), get(_abi.FORMAT_MAX_CODE),
        bool(get(_abi.FORMAT_INTEGER)), bool(get(_abi.FORMAT_SCALED)))


#: What has options.
CONFIG, CALIBRATOR = _abi.OPTIONS_CONFIG, _abi.OPTIONS_CALIBRATOR
OPTIMIZER, OPERATOR = _abi.OPTIONS_OPTIMIZER, _abi.OPTIONS_OPERATOR
CACHE = _abi.OPTIONS_CACHE
TRAINING, PHASE = _abi.OPTIONS_TRAINING, _abi.OPTIONS_PHASE
INTERCHANGE = _abi.OPTIONS_INTERCHANGE


def options() -> tuple[Option, ...]:
    """The options of a Config."""
    return list_options(CONFIG)


def calibration_options() -> tuple[Option, ...]:
    """The options of a Calibrator."""
    return list_options(CALIBRATOR)


def optimization_options() -> tuple[Option, ...]:
    """The options of an Optimizer."""
    return list_options(OPTIMIZER)


def operator_options() -> tuple[Option, ...]:
    """The options of an Operator."""
    return list_options(OPERATOR)


def cache_options() -> tuple[Option, ...]:
    """The options of a Cache."""
    return list_options(CACHE)


def training_options() -> tuple[Option, ...]:
    """The options of Training."""
    return list_options(TRAINING)


def phase_options() -> tuple[Option, ...]:
    """The options of a Phase."""
    return list_options(PHASE)


@functools.lru_cache(maxsize=None)
def list_options(kind: int) -> tuple[Option, ...]:
    """The options of a kind: CONFIG, CALIBRATOR, ..."""
    def at(index: int, number: Any) -> int:
        status: int = library().bnq_option_at(kind, index, number)
        return status

    return tuple(_option(kind, _at(at, index))
                 for index in range(library().bnq_option_count(kind)))


def option(name: str, kind: int = CONFIG) -> Option:
    """The option of that name. NotFoundError where there is none."""
    number = ctypes.c_int32()
    library().bnq_option_id(kind, encode(name, "option"), ctypes.byref(number))
    return next(known for known in list_options(kind) if known.id == number.value)


def value_name(kind: int, number: int, value: int) -> Optional[str]:
    """The name of an option's value; None where its values are plain numbers."""
    name = library().bnq_option_value_name(kind, number, value)
    return None if name is None else decode(name)


def presets() -> tuple[Preset, ...]:
    """The configs the library has names for."""
    return tuple(Preset(decode(library().bnq_preset_name(index)),
                        decode(library().bnq_preset_description(index)))
                 for index in range(library().bnq_preset_count()))


def _option(kind: int, number: int) -> Option:
    type_ = ctypes.c_int32()
    bounds = ctypes.c_double(), ctypes.c_double(), ctypes.c_double()
    library().bnq_option_bounds(kind, number, ctypes.byref(type_), *map(ctypes.byref, bounds))
    name = decode(library().bnq_option_name(kind, number))
    about = decode(library().bnq_option_description(kind, number))
    if type_.value == _abi.OPTION_FLOAT:
        least, greatest, usual = (bound.value for bound in bounds)
        return Option(name, number, about, float, least, greatest, usual, (), ())
    low, high, default = (int(bound.value) for bound in bounds)
    named = value_name(kind, number, default)
    if named is None:
        return Option(name, number, about, int, low, high, default, (), ())
    # The bounds of ids leave room for more of them than there are.
    found = {value: value_name(kind, number, value)
             for value in range(low, min(high, low + 0xFFFF) + 1)}
    values = tuple(value for value in found.values() if value is not None)
    meanings = tuple(decode(library().bnq_option_value_description(kind, number, value))
                     for value, known in found.items() if known is not None)
    if values == ("off", "on"):
        # A str would be true in either case.
        return Option(name, number, about, bool, low, high, bool(default), (), ())
    return Option(name, number, about, int, low, high, named, values, meanings)


def metrics() -> tuple[str, ...]:
    """The names of the metrics of a comparison."""
    return tuple(decode(library().bnq_metric_name(index))
                 for index in range(library().bnq_metric_count()))


def statistics() -> tuple[str, ...]:
    """The names of the statistics of a Calibrator."""
    return tuple(decode(library().bnq_statistic_name(index))
                 for index in range(library().bnq_statistic_count()))


def figures() -> tuple[str, ...]:
    """The names of the figures of an Optimization."""
    return tuple(decode(library().bnq_figure_name(index))
                 for index in range(library().bnq_figure_count()))


def cache_statistics() -> tuple[str, ...]:
    """The names of the statistics of a Cache."""
    return tuple(decode(library().bnq_cache_stat_name(index))
                 for index in range(library().bnq_cache_stat_count()))


def layer_statistics() -> tuple[str, ...]:
    """The names of the statistics of Layers."""
    return tuple(decode(library().bnq_layers_stat_name(index))
                 for index in range(library().bnq_layers_stat_count()))


def targets() -> tuple[Target, ...]:
    """The SIMD targets compiled into the library, best first."""
    active = decode(library().bnq_target_active())
    names = [decode(library().bnq_target_name(index))
             for index in range(library().bnq_target_count())]
    return tuple(Target(name, bool(library().bnq_target_supported(index)), name == active)
                 for index, name in enumerate(names))


def format_name(number: int) -> Optional[str]:
    """The name of a format; None for an array that is not quantized."""
    return None if number == _abi.FORMAT_NONE else decode(library().bnq_format_name(number))


def _at(getter: Callable[..., int], index: int) -> int:
    number = ctypes.c_int32()
    getter(index, ctypes.byref(number))
    return number.value
