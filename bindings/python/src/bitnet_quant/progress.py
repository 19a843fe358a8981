"""Progress callbacks of long operations."""
from __future__ import annotations

from typing import Callable, Optional

import numpy as np

from . import _abi
from .errors import BitNetQuantError
from .interrupts import interrupts_into

#: Called with units done, units in all (bytes of input), and the name of the
#: tensor being worked on. Returning False (or what NumPy has of that kind) cancels,
#: and so does raising.
Progress = Callable[[int, int, str], object]


def cancels(result: object) -> bool:
    """Whether a progress callback has returned False. None and Python's numbers go on:
    many a callback ends in a call that happens to return 0."""
    if isinstance(result, (np.generic, np.ndarray)):
        return not np.any(result)
    return result is False


def reporting(progress: Optional[Progress], call: Callable[[object], object],
              raised: Optional[list[BaseException]] = None) -> None:
    """call(callback) with `progress` as a bnq_progress_fn. An exception raised in
    it cancels the operation and comes out of here as it was; so does Ctrl-C, also
    where there is no callback of the caller's, and what other callbacks of the
    operation append to `raised`."""
    errors: list[BaseException] = [] if raised is None else raised

    def forward(_: object, done: int, total: int, item: bytes | None) -> int:
        try:
            if progress is not None and not errors:
                if cancels(progress(done, total, (item or b"").decode("utf-8", "replace"))):
                    return 1
        except BaseException as error:
            errors.append(error)
        return int(bool(errors))

    with interrupts_into(errors):
        try:
            call(_abi.bnq_progress_fn(forward))
        except BitNetQuantError:
            if not errors:
                raise
    # Here and not above, where Python would link it to the library's error.
    if errors:
        raise errors[0]
