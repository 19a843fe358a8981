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


try:
    # Without the enumerations that signal makes of every number: a call of the library
    # must not cost more than it does.
    from _signal import getsignal as _get_handler
    from _signal import signal as _set_handler
except ImportError:
    from signal import getsignal as _get_handler
    from signal import signal as _set_handler

_SIGINT = int(signal.SIGINT)


def _begin(raised: list[BaseException]) -> Any:
    """From now on Ctrl-C appends its exception to `raised`, which ends native work,
    instead of raising it. The handler to give to _end; None where nothing has begun.

    Python runs signal handlers when it next runs Python code, which here is the
    entry of a callback: before any try, where ctypes drops what is raised.
    """
    handler = _get_handler(_SIGINT)
    # Within another one the outer one's list is asked about, and raised from.
    if (getattr(_local, "raised", None) is not None or not callable(handler)
            or threading.get_ident() != threading.main_thread().ident):
        return None

    def remember(number: int, frame: Any) -> None:
        try:
            handler(number, frame)
        except BaseException as error:
            raised.append(error)

    _local.raised = raised
    _set_handler(_SIGINT, remember)
    return handler


def _end(handler: Any) -> None:
    if handler is not None:
        _set_handler(_SIGINT, handler)
        _local.raised = None


@contextmanager
def interrupts_into(raised: list[BaseException]) -> Iterator[None]:
    """Ctrl-C appends its exception to `raised`, as long as this lasts."""
    handler = _begin(raised)
    try:
        yield
    finally:
        _end(handler)


def interruptible(function: _F) -> _F:
    """`function`, which Ctrl-C ends also in the middle of a native call."""

    @functools.wraps(function, assigned=("__name__", "__doc__"), updated=())
    def call(*arguments: Any) -> Any:
        raised: list[BaseException] = []
        handler = _begin(raised)
        try:
            result = function(*arguments)
        except BitNetQuantError:
            if not raised:
                raise
        finally:
            _end(handler)
        # Here and not above, where Python would link it to the library's error.
        if raised:
            raise raised[0]
        return result

    return call  # type: ignore[return-value]
