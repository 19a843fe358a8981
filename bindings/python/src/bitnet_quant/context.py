"""Where work runs."""
from __future__ import annotations

import threading
from typing import Callable, Optional

from . import _abi
from . import interrupts, memory
from ._handles import create, integer
from ._loader import library

#: The library's log levels as those of the logging module.
_LEVELS = {_abi.LOG_WARNING: 30, _abi.LOG_INFO: 20}


class Context:
    """A thread pool for operations, and where messages go.

    threads: 1 to 256; 0 takes one for each processor the process may use.
        Results never depend on it.
    allocator: where codes, scales, scratch space and files' buffers come from: an
        `Allocator`, such as a `BufferAllocator`; None is malloc. It is kept until all that was
        made with the context is gone.
    log: called with a level as in the logging module (20 or 30) and a message,
        such as `logging.getLogger("bitnet_quant").log`. It is called on the
        thread that called the library; what it raises is reported through
        `sys.unraisablehook`.

    A context does not change once made, and any number of threads may use one
    at the same time. Functions without one work on the calling thread.

    Ctrl-C ends what runs in the main thread, wherever it runs: KeyboardInterrupt
    comes within some 100 ms, and what was to be written is not there.
    """

    def __init__(self, threads: int = 1, log: Optional[Callable[[int, str], object]] = None,
                 *, mmap: bool = True, allocator: Optional[memory.Allocator] = None) -> None:
        lib = library()
        callback = None if log is None else _abi.bnq_log_fn(_forwarding(log))
        # The handle keeps the callback, for which C has only an address.
        source = None if allocator is None else memory.Source(allocator)
        self._handle = create(_abi.bnq_context, lib.bnq_context_create,
                              None if source is None else source.struct,
                              destroy="bnq_context_destroy", keep=(callback, source))
        lib.bnq_context_set_threads(self._handle, integer(threads, "threads", 32))
        lib.bnq_context_set_mapping(self._handle, int(mmap))
        lib.bnq_context_set_interrupt(self._handle, interrupts.ASK, None)
        if callback is not None:
            lib.bnq_context_set_log(self._handle, callback, None, _abi.LOG_INFO)

    @property
    def threads(self) -> int:
        """The number of threads operations use."""
        return int(library().bnq_context_threads(self._handle))

    def __repr__(self) -> str:
        return f"Context(threads={self.threads})"


_default: Optional[Context] = None
_lock = threading.Lock()


def _forwarding(log: Callable[[int, str], object]) -> Callable[[object, int, bytes], None]:
    def forward(_: object, level: int, message: bytes) -> None:
        log(_LEVELS.get(level, 20), message.decode("utf-8", "replace"))

    return forward


def handle(context: Optional[Context]) -> object:
    """The argument for a bnq_context* parameter; None is one thread, as the library's
    default, and Ctrl-C."""
    global _default
    if context is None:
        if _default is None:
            with _lock:
                _default = _default or Context()
        return _default._handle
    if not isinstance(context, Context):
        raise TypeError(f"context must be a Context or None, got {type(context).__name__}")
    return context._handle
