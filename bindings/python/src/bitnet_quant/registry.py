"""What the loaded library can do. Nothing here is known before it is asked."""
from __future__ import annotations

import ctypes
import functools
from typing import Any, Callable, NamedTuple, Optional, Union

from . import _abi
from ._handles import decode, encode
from ._loader import library


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


class Option(NamedTuple):
    """A keyword of Config, Calibrator or Optimizer."""

    name: str
    id: int
    #: int, float or bool.
    type: type
    #: Inclusive bounds.
    min: Union[int, float]
    max: Union[int, float]
    #: The name of the default value where values have names.
    default: Union[int, float, str]
    #: The names of the values where they have names, else empty.
    values: tuple[str, ...]


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


#: What the functions start with that list the options of a config, of a calibrator,
#: and of an optimizer.
CONFIG, CALIBRATION = "bnq_option", "bnq_calibration_option"
OPTIMIZATION = "bnq_optimization_option"


def options() -> tuple[Option, ...]:
    """The options of a Config."""
    return list_options(CONFIG)


def calibration_options() -> tuple[Option, ...]:
    """The options of a Calibrator."""
    return list_options(CALIBRATION)


def optimization_options() -> tuple[Option, ...]:
    """The options of an Optimizer."""
    return list_options(OPTIMIZATION)


@functools.lru_cache(maxsize=None)
def list_options(whose: str) -> tuple[Option, ...]:
    """The options of CONFIG, CALIBRATION or OPTIMIZATION."""
    return tuple(_option(whose, _at(_function(whose, "at"), index))
                 for index in range(_function(whose, "count")()))


def option(name: str, whose: str = CONFIG) -> Option:
    """The option of that name. NotFoundError where there is none."""
    number = ctypes.c_int32()
    _function(whose, "id")(encode(name, "option"), ctypes.byref(number))
    return next(known for known in list_options(whose) if known.id == number.value)


def value_name(whose: str, number: int, value: int) -> Optional[str]:
    """The name of an option's value; None where its values are plain numbers."""
    name = _function(whose, "value_name")(number, value)
    return None if name is None else decode(name)


def _function(whose: str, name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(library(), f"{whose}_{name}")
    return function


def presets() -> tuple[Preset, ...]:
    """The configs the library has names for."""
    return tuple(Preset(decode(library().bnq_preset_name(index)),
                        decode(library().bnq_preset_description(index)))
                 for index in range(library().bnq_preset_count()))


def _option(whose: str, number: int) -> Option:
    kind = ctypes.c_int32()
    bounds = ctypes.c_double(), ctypes.c_double(), ctypes.c_double()
    _function(whose, "bounds")(number, ctypes.byref(kind), *map(ctypes.byref, bounds))
    name = decode(_function(whose, "name")(number))
    if kind.value == _abi.OPTION_FLOAT:
        least, greatest, usual = (bound.value for bound in bounds)
        return Option(name, number, float, least, greatest, usual, ())
    low, high, default = (int(bound.value) for bound in bounds)
    named = value_name(whose, number, default)
    if named is None:
        return Option(name, number, int, low, high, default, ())
    # The bounds of ids leave room for more of them than there are.
    last = min(high, low + 0xFFFF)
    names = (value_name(whose, number, value) for value in range(low, last + 1))
    values = tuple(value for value in names if value is not None)
    if values == ("off", "on"):
        # A str would be true in either case.
        return Option(name, number, bool, low, high, bool(default), ())
    return Option(name, number, int, low, high, named, values)


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
