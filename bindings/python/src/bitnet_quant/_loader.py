"""Finds, checks and loads libbnq, once, when it is first needed."""
from __future__ import annotations

import ctypes
import ctypes.util
import os
import pathlib
import sys
import threading
from typing import Any, Iterator, Optional

from . import _abi, errors
from .interrupts import interruptible

#: Names the library to use, and the only one: a choice that cannot be loaded is
#: an error, never a reason to take another library silently.
ENVIRONMENT_VARIABLE = "BNQ_LIBRARY"

_lock = threading.Lock()
_library: Optional[ctypes.CDLL] = None
_path: Optional[str] = None
#: What was tried in vain before that, each with the reason.
_attempts: list[tuple[str, str]] = []


def _file_names() -> tuple[str, ...]:
    """What the library is called here, the name with the ABI version first."""
    if sys.platform == "win32":
        return ("bnq.dll",)
    if sys.platform == "darwin":
        return (f"libbnq.{_abi.ABI_VERSION}.dylib", "libbnq.dylib")
    return (f"libbnq.so.{_abi.ABI_VERSION}", "libbnq.so")


def candidates() -> Iterator[str]:
    """What is tried, in order."""
    chosen = os.environ.get(ENVIRONMENT_VARIABLE)
    if chosen:
        yield chosen
        return
    package = pathlib.Path(__file__).resolve().parent
    folders = [package / "lib"]
    # Run from a checkout, as after `pip install --editable`: what CMake builds there.
    checkout = package.parents[3] if len(package.parents) > 3 else package
    if (checkout / "core" / "sources.txt").is_file():
        folders.append(checkout / "build")
    for folder in folders:
        for name in _file_names():
            yield str(folder / name)
    # Without a folder the system's loader searches.
    yield _file_names()[0]
    found = ctypes.util.find_library("bnq")
    if found and found != _file_names()[0]:
        yield found


def _open(path: str) -> ctypes.CDLL:
    """Loads and declares the library at `path`; OSError says why it cannot."""
    if os.path.dirname(path) and not os.path.exists(path):
        raise OSError("no such file")
    library = ctypes.CDLL(path)
    try:
        library.bnq_abi_version.restype = ctypes.c_uint32
        abi = library.bnq_abi_version()
    except AttributeError:
        raise OSError("not libbnq: it has no bnq_abi_version") from None
    if abi != _abi.ABI_VERSION:
        raise OSError(f"has ABI version {abi}, but this package needs {_abi.ABI_VERSION}")
    try:
        _abi.declare(library, _raise_on_error)
        _let_interrupt(library)
    except AttributeError as error:
        version = library.bnq_version_string
        version.restype = ctypes.c_char_p
        raise OSError(f"version {version().decode()} is too old for this package: "
                      f"{error}") from None
    return library


def _let_interrupt(library: ctypes.CDLL) -> None:
    """Ctrl-C ends what works with a context, which asks."""
    for name in _abi.with_context():
        setattr(library, name, interruptible(getattr(library, name)))


def _raise_on_error(status: int, function: Any, arguments: Any) -> int:
    """The ctypes errcheck of every function that returns a status."""
    if status != _abi.OK:
        message = library().bnq_last_error().decode("utf-8", "replace")
        raise errors.from_status(status, message, function.__name__)
    return status


def library() -> ctypes.CDLL:
    """The loaded library, with every function of bnq.h declared and functions
    that return a status raising. LibraryLoadError where there is none."""
    global _library, _path
    if _library is not None:
        return _library
    with _lock:
        if _library is None:
            _attempts.clear()
            for path in candidates():
                try:
                    _library, _path = _open(path), path
                    break
                except OSError as error:
                    _attempts.append((path, str(error)))
            else:
                raise errors.LibraryLoadError(
                    list(_attempts),
                    f"Set {ENVIRONMENT_VARIABLE} to the path of the library, or install it "
                    "where the system finds it.")
    return _library


def library_path() -> str:
    """The path or name by which the library was loaded."""
    library()
    assert _path is not None
    return _path


def attempts() -> list[tuple[str, str]]:
    """What was tried in vain before the library was found, each with the reason."""
    library()
    return list(_attempts)


class _Place(ctypes.Structure):
    """Dl_info of dlfcn.h."""

    _fields_ = [("file", ctypes.c_char_p), ("base", ctypes.c_void_p),
                ("symbol", ctypes.c_char_p), ("address", ctypes.c_void_p)]


def library_file() -> str:
    """The file that was loaded, also where the system's loader has found it by name."""
    loaded = library()
    if sys.platform == "win32":
        buffer = ctypes.create_unicode_buffer(32768)
        get = ctypes.windll.kernel32.GetModuleFileNameW
        get.argtypes = [ctypes.c_void_p, ctypes.c_wchar_p, ctypes.c_uint32]
        return buffer.value if get(loaded._handle, buffer, len(buffer)) else library_path()
    place = _Place()
    dladdr = ctypes.CDLL(None).dladdr
    dladdr.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Place)]
    function = ctypes.cast(loaded.bnq_version, ctypes.c_void_p)
    if not dladdr(function, ctypes.byref(place)) or not place.file:
        return library_path()
    return os.path.realpath(os.fsdecode(place.file))
