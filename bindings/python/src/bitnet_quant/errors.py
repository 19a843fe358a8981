"""Exceptions: one for each status of the library, carrying its message.

Each is also the built-in exception that Python code would expect.
"""
from __future__ import annotations

from typing import Sequence

from . import _abi


class BitNetQuantError(Exception):
    """Base of everything this package raises on behalf of libbnq."""

    #: The BNQ_ERROR_* value; None where the error did not come from a call.
    status: int | None = None

    def __str__(self) -> str:
        # KeyError and OSError among the bases have their own ideas of this.
        return str(self.args[0]) if self.args else ""


class InvalidArgumentError(BitNetQuantError, ValueError):
    """A parameter is out of its range or contradicts another."""

    status = _abi.ERROR_INVALID_ARGUMENT


class UnsupportedError(BitNetQuantError, NotImplementedError):
    """Legal, but this library or this format cannot do it."""

    status = _abi.ERROR_UNSUPPORTED


class OutOfMemoryError(BitNetQuantError, MemoryError):
    """Memory ran out."""

    status = _abi.ERROR_OUT_OF_MEMORY


class CorruptFileError(BitNetQuantError, ValueError):
    """A file is truncated, damaged, or says what cannot be."""

    status = _abi.ERROR_CORRUPT_FILE


class InputOutputError(BitNetQuantError, OSError):
    """The system could not open, read, write or rename a file."""

    status = _abi.ERROR_IO


class NoDataError(BitNetQuantError, ValueError):
    """A result was asked for before there was any data."""

    status = _abi.ERROR_NO_DATA


class CancelledError(BitNetQuantError):
    """A progress callback returned False."""

    status = _abi.ERROR_CANCELLED


class InternalError(BitNetQuantError, RuntimeError):
    """A defect of the library; please report it."""

    status = _abi.ERROR_INTERNAL


class NonFiniteError(BitNetQuantError, ValueError):
    """NaN or infinity in values to be quantized, compared or observed."""

    status = _abi.ERROR_NON_FINITE


class NotFoundError(BitNetQuantError, KeyError):
    """No tensor, format, option, preset or data type of that name."""

    status = _abi.ERROR_NOT_FOUND


class MissingFileError(NotFoundError, FileNotFoundError):
    """No file of that name, or nothing in it of what was asked for."""


class ExistsError(BitNetQuantError, FileExistsError):
    """The output exists and may not be overwritten, or is also the input."""

    status = _abi.ERROR_EXISTS


class LibraryLoadError(BitNetQuantError, ImportError):
    """No usable libbnq was found. `attempts` lists what was tried, in order, as
    pairs of a path and the reason it was refused."""

    def __init__(self, attempts: Sequence[tuple[str, str]], hint: str) -> None:
        self.attempts = tuple(attempts)
        tried = "".join(f"\n  {path}: {reason}" for path, reason in attempts)
        super().__init__(f"cannot load libbnq; tried:{tried}\n{hint}")


_BY_STATUS: dict[int, type[BitNetQuantError]] = {
    error.status: error
    for error in BitNetQuantError.__subclasses__()
    if error.status is not None
}


#: Functions whose NOT_FOUND is about a path.
_OPENING = {"bnq_file_open", "bnq_quantize_file", "bnq_dequantize_file", "bnq_compare_files",
            "bnq_calibrator_observe_file", "bnq_calibration_observe_file", "bnq_batches_find",
            "bnq_calibration_load", "bnq_layers_open", "bnq_post_training_quantize_file",
            "bnq_part_count", "bnq_quantize_part"}


def from_status(status: int, message: str, function: str = "") -> BitNetQuantError:
    """The exception for a status returned by `function`. A status of a newer
    library becomes a plain BitNetQuantError with that number."""
    kind = _BY_STATUS.get(status, BitNetQuantError)
    if kind is NotFoundError and function in _OPENING:
        kind = MissingFileError
    error = kind(message)
    error.status = status
    return error


def renamed(error: Exception, what: str) -> Exception:
    """The same kind of exception with `what` it is about before its message."""
    if isinstance(error, BitNetQuantError) and error.status is not None:
        return from_status(error.status, f"{what}: {error}")
    return type(error)(f"{what}: {error}")
