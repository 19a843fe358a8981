"""Memory of the caller's for the library."""
from __future__ import annotations

import bisect
import collections
import itertools
import threading
from typing import Any, Optional, Protocol

import numpy as np

from . import _abi

#: What blocks begin at a multiple of: more than malloc's, so that rows of SIMD vectors do.
_ALIGNMENT = 64


class Allocator(Protocol):
    """Where a Context takes bulk memory from. Both are called from any thread, and must not
    raise: what they raise goes to sys.unraisablehook, and counts as no memory."""

    def allocate(self, nbytes: int) -> Optional[int]:
        """The address of a block, a multiple of 16; None for want of memory."""
        ...

    def free(self, address: int) -> None:
        """Takes a block back."""
        ...


class BufferAllocator:
    """Memory out of a buffer that was there before: a pool.

        pool = BufferAllocator(np.empty(64 << 20, np.uint8))
        context = Context(threads=4, allocator=pool)
        tensor = quantize(weights, "nf4", context=context)      # lies in the buffer
        pool.used, pool.peak

    buffer: writable memory of one dimension (an array, a bytearray, a mapped file, shared
        memory), which nobody else writes to. It is kept as long as something lies in it.

    A request that does not fit raises OutOfMemoryError in the operation that made it, which
    leaves nothing behind. Blocks are taken first fit and join again when they are free. Any
    number of threads and contexts may use one.
    """

    def __init__(self, buffer: Any) -> None:
        self._buffer = np.frombuffer(buffer, np.uint8)
        if not self._buffer.flags.writeable:
            raise ValueError("buffer is read-only")
        address = self._buffer.ctypes.data
        begin, end = address + -address % _ALIGNMENT, address + self._buffer.nbytes
        #: Free blocks, ascending: where they begin, and end.
        self._begins, self._ends = ([begin], [end]) if begin < end else ([], [])
        self._sizes: dict[int, int] = {}
        # Frees come at any time, also while a block is taken (the garbage collector).
        self._returned: collections.deque[int] = collections.deque()
        self._lock = threading.Lock()
        self._used = self._peak = self._count = 0

    @property
    def capacity(self) -> int:
        """Bytes of the buffer."""
        return self._buffer.nbytes

    @property
    def used(self) -> int:
        """Bytes of blocks that are out; each is a multiple of 64."""
        with self._lock:
            self._take_back()
            return self._used

    @property
    def peak(self) -> int:
        """The most that were out at a time."""
        return self._peak

    @property
    def allocations(self) -> int:
        """Blocks that were given so far."""
        return self._count

    def allocate(self, nbytes: int) -> Optional[int]:
        size = max(nbytes + -nbytes % _ALIGNMENT, _ALIGNMENT)
        with self._lock:
            self._take_back()
            for i, (begin, end) in enumerate(zip(self._begins, self._ends)):
                if end - begin >= size:
                    self._begins[i] = begin + size
                    if self._begins[i] == end:
                        del self._begins[i], self._ends[i]
                    self._sizes[begin] = size
                    self._used += size
                    self._peak = max(self._peak, self._used)
                    self._count += 1
                    return begin
        return None

    def free(self, address: int) -> None:
        self._returned.append(address)
        if self._lock.acquire(blocking=False):
            try:
                self._take_back()
            finally:
                self._lock.release()

    def _take_back(self) -> None:
        """Joins what came back with what is free. With the lock."""
        while self._returned:
            begin = self._returned.popleft()
            size = self._sizes.pop(begin)
            end = begin + size
            self._used -= size
            i = bisect.bisect(self._begins, begin)
            if i < len(self._begins) and self._begins[i] == end:
                end = self._ends[i]
                del self._begins[i], self._ends[i]
            if i and self._ends[i - 1] == begin:
                self._ends[i - 1] = end
            else:
                self._begins.insert(i, begin)
                self._ends.insert(i, end)

    def __repr__(self) -> str:
        return f"BufferAllocator({self.capacity} bytes, {self.used} used)"


class _State:
    """An allocator, and what keeps it: a context, or blocks that are out."""

    __slots__ = ("allocator", "open", "blocks", "lock")

    def __init__(self, allocator: Allocator) -> None:
        self.allocator, self.open, self.blocks = allocator, True, 0
        self.lock = threading.RLock()


#: By the number that the library has of them: a context's memory may outlive the context.
_states: dict[int, _State] = {}
_numbers = itertools.count(1)


class Source:
    """An allocator as the library takes it; with it goes what it keeps, once nothing is
    out any more."""

    __slots__ = ("struct", "_number")

    def __init__(self, allocator: Allocator) -> None:
        self._number = next(_numbers)
        for name in ("allocate", "free"):
            if not callable(getattr(allocator, name, None)):
                raise TypeError(f"allocator is a {type(allocator).__name__}, which has no "
                                f"{name}()")
        _states[self._number] = _State(allocator)
        self.struct = _abi.bnq_allocator(_ALLOCATE, _FREE, self._number)

    def __del__(self) -> None:
        state = _states.get(self._number)
        if state is not None:
            with state.lock:
                state.open = False
                _forget(self._number, state)


def _forget(number: int, state: _State) -> None:
    if not state.open and not state.blocks:
        _states.pop(number, None)


def _allocate(number: int, nbytes: int) -> Optional[int]:
    state = _states[number]
    address = state.allocator.allocate(nbytes)
    if address:
        with state.lock:
            state.blocks += 1
    return address


def _free(number: int, address: Optional[int]) -> None:
    if address:
        state = _states[number]
        state.allocator.free(address)
        with state.lock:
            state.blocks -= 1
            _forget(number, state)


# These are for ever: the library may call them at any time.
_ALLOCATE, _FREE = _abi._alloc_fn(_allocate), _abi._free_fn(_free)
