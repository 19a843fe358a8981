"""Where the peers' libraries are, if they are anywhere.

A peer is another program's library that reads what libbnq writes. It is looked for
  1. in the folder that its environment variable names (BNQ_GGML, BNQ_ONNXRUNTIME,
     BNQ_LIBTORCH), and then nowhere else;
  2. among NuGet's packages (packages.csproj beside this file names them; `dotnet restore`
     brings them): in NUGET_PACKAGES, or where NuGet keeps them;
  3. where the system's loader looks.
Nothing is downloaded here.
"""
import ctypes
import ctypes.util
import os
import pathlib
import platform


class NotFound(Exception):
    """Says what was looked for, and where."""


def packages():
    """The folder of NuGet's packages."""
    chosen = os.environ.get("NUGET_PACKAGES")
    return pathlib.Path(chosen) if chosen else pathlib.Path.home() / ".nuget" / "packages"


def runtime_id():
    """NuGet's name of this machine."""
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(
        platform.machine().lower(), platform.machine().lower())
    return f"{platform.system().lower()}-{machine}"


def has(feature):
    """Whether the processor says that it has the feature; no, where it is not asked."""
    try:
        return feature in pathlib.Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False


def newest(package):
    """The folder of the newest version that is there of a package; None: of none."""
    def version(path):
        return [int(part) if part.isdigit() else -1 for part in path.name.split(".")]
    versions = [path for path in (packages() / package.lower()).glob("*") if path.is_dir()]
    return max(versions, key=version, default=None)


def find(variable, package, folders, library):
    """The path of `library`: a file, or its name where the system's loader finds it.

    `folders` are those of the package that may have it, relative to its root, the best
    first; "{rid}" stands for runtime_id().
    """
    name = f"lib{library}.so"
    chosen = os.environ.get(variable)
    if chosen:
        path = pathlib.Path(chosen) / name
        if not path.is_file():
            raise NotFound(f"{variable} is {chosen}, where there is no {name}")
        return path
    root = newest(package)
    for folder in folders if root else ():
        path = root / folder.format(rid=runtime_id()) / name
        if path.is_file():
            return path
    system = ctypes.util.find_library(library)
    if system:
        return pathlib.Path(system)
    raise NotFound(f"no {name}: set {variable} to its folder, or restore {package} from NuGet")


def load(path, mode=ctypes.DEFAULT_MODE):
    """The library; one that is there but cannot be loaded here is as good as none."""
    try:
        return ctypes.CDLL(str(path), mode=mode)
    except OSError as error:
        raise NotFound(f"{path} cannot be loaded: {error}") from None
