"""Numbers by names that the library knows."""
from __future__ import annotations

import ctypes
from typing import Any, Callable, Iterator, Mapping, TypeVar


class Values(Mapping[str, float]):
    """Numbers by name, which are also attributes."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, float]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> float:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> float:
        # Not for private names: unpickling asks for some before there are values.
        if not name.startswith("_") and name in self._values:
            return self._values[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute or value {name!r}")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._values]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value:.6g}" for name, value in self._values.items())
        return f"{type(self).__name__}({shown})"


AnyValues = TypeVar("AnyValues", bound=Values)


def read_values(kind: type[AnyValues], names: tuple[str, ...], call: Callable[..., int],
                *arguments: Any) -> AnyValues:
    """The values, named `names`, that call(*arguments, double*, count) writes."""
    values = (ctypes.c_double * len(names))()
    call(*arguments, values, len(names))
    return kind(dict(zip(names, values)))
