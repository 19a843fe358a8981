"""`python -m bitnet_quant`: what this installation consists of, for a report of a problem.

Exits with 1, and names every path tried with its reason, where no library can be used.
"""
from __future__ import annotations

import importlib
import os
import pathlib
import platform
import sys

from . import LibraryLoadError, __version__, _abi, _loader, targets, version


def _line(name: str, value: object) -> None:
    print(f"{name:<10}{value}")


def _module_version(name: str) -> str:
    try:
        return str(importlib.import_module(name).__version__)
    except ModuleNotFoundError as error:
        return "not installed" if error.name == name else f"cannot be imported: {error}"
    except (ImportError, OSError) as error:
        return f"cannot be imported: {error}"


def main() -> int:
    _line("package", f"bitnet_quant {__version__}, {pathlib.Path(__file__).resolve().parent}")
    _line("python", f"{platform.python_version()}, {sys.executable}")
    _line("system", f"{platform.platform()}, {os.cpu_count()} processors")
    for name in ("numpy", "torch"):
        _line(name, _module_version(name))
    try:
        library = _loader.library()
    except LibraryLoadError as error:
        sys.stdout.flush()
        print(error, file=sys.stderr)
        return 1
    _line("library", f"libbnq {version()}, ABI version {library.bnq_abi_version()} "
                     f"(needed: {_abi.ABI_VERSION})")
    _line("file", _loader.library_file())
    for path, reason in _loader.attempts():
        _line("tried", f"{path}: {reason}")
    chosen = os.environ.get(_loader.ENVIRONMENT_VARIABLE)
    if chosen:
        _line("by", f"{_loader.ENVIRONMENT_VARIABLE}={chosen}")
    for target in targets():
        use = ("in use" if target.active else
               "supported" if target.supported else "not on this CPU")
        _line("target", f"{target.name}: {use}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
