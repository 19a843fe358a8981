"""Ctrl-C in the middle of native work."""
from __future__ import annotations

import functools
import signal
import threading
from contextlib import contextmanager
from typing import Any, Callable, Iterator, TypeVar

from . import _abi
from .errors import BitNetQuantError

_F = TypeVar("_F", bound=Callable[..., Any])

_local = threading.local()


def _ask(_: object) -> int:
    """Whether this thread's work is to end: Python has run its handler on the way in."""
    return int(bool(getattr(_local, "raised", None)))


#: What contexts ask, as long as the process lives.
ASK = _abi.bnq_interrupt_fn(_ask)


@contextmanager
def interrupts_into(raised: list[BaseException]) -> Iterator[None]:
    """Has Ctrl-C append its exception to `raised`, which ends native work, instead of
    raising it.

    Python runs signal handlers when it next runs Python code, which here is the
    entry of a callback: before any try, where ctypes drops what is raised.
    """
    handler: Any = signal.getsignal(signal.SIGINT)
    outer = getattr(_local, "raised", None)
    if (outer is not None or not callable(handler)
            or threading.current_thread() is not threading.main_thread()):
        # Within another one the outer one's list is asked about, and raised from.
        yield
        return

    def remember(number: int, frame: Any) -> None:
        try:
            handler(number, frame)
        except BaseException as error:
            raised.append(error)

    _local.raised = raised
    signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        _local.raised = None


def interruptible(function: _F) -> _F:
    """`function`, which Ctrl-C ends also in the middle of a native call."""

    @functools.wraps(function, assigned=("__name__", "__doc__"), updated=())
    def call(*arguments: Any, **named: Any) -> Any:
        raised: list[BaseException] = []
        with interrupts_into(raised):
            try:
                result = function(*arguments, **named)
            except BitNetQuantError:
                if not raised:
                    raise
        # Here and not above, where Python would link it to the library's error.
        if raised:
            raise raised[0]
        return result

    return call  # type: ignore[return-value]
