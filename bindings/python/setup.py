"""What pyproject.toml cannot say: the package carries the library, compiled by CMake from
the checkout that this folder is in, or from the copy of it that an sdist has.

CMAKE_ARGS has further options for CMake. BNQ_WHEEL_LIBRARY names a library to carry instead
of compiling one, and BNQ_WHEEL_PLATFORM the platform that the wheel then is for, such as
manylinux_2_17_x86_64; BNQ_WHEEL_LIBRARY=none makes a wheel of Python alone, which uses the
library that the system has.
"""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

try:
    from setuptools.command.bdist_wheel import bdist_wheel  # since setuptools 70.1
except ImportError:
    try:
        from wheel.bdist_wheel import bdist_wheel
    except ImportError:
        bdist_wheel = object  # asked for what needs no wheel

HERE = pathlib.Path(__file__).resolve().parent
SDIST_COPY = HERE / "libbnq"
SOURCE = SDIST_COPY if SDIST_COPY.is_dir() else HERE.parents[1]
#: What the library is compiled from, and the licences of what may be linked into it.
SOURCE_PATTERNS = ("CMakeLists.txt", "LICENSE", "core/**/*.cc", "core/**/*.h", "core/**/*.def",
                   "core/*.txt", "capi/*.cc", "capi/*.h", "capi/*.map", "capi/include/bnq/*.h",
                   "packaging/VERSION", "packaging/cmake/*", "packaging/portable/old_glibc.c",
                   "packaging/licenses/*.txt")
LIBRARIES = ("libbnq.so", "libbnq.dylib", "bnq.dll")
PREBUILT = os.environ.get("BNQ_WHEEL_LIBRARY", "")


def needed_tools():
    """CMake, from where Python packages come, unless the system has one that will do."""
    try:
        text = subprocess.run(["cmake", "--version"], capture_output=True, text=True,
                              check=True).stdout
        found = tuple(map(int, re.search(r"(\d+)\.(\d+)", text).groups()))
    except (OSError, subprocess.CalledProcessError, AttributeError):
        found = (0, 0)
    return [] if PREBUILT or found >= (3, 21) else ["cmake>=3.21", "ninja"]


def compile_library(tree):
    """The library as CMake makes it, in a folder of its own."""
    options = ["-DCMAKE_BUILD_TYPE=Release", "-DBNQ_BUILD_CLI=OFF", "-DBNQ_BUILD_TESTS=OFF",
               "-DBNQ_BUILD_BENCH=OFF", "-DBNQ_FETCH_HIGHWAY=ON"]
    if shutil.which("ninja") and "CMAKE_GENERATOR" not in os.environ:
        options += ["-G", "Ninja"]
    options += shlex.split(os.environ.get("CMAKE_ARGS", ""))
    try:
        subprocess.run(["cmake", "-S", str(SOURCE), "-B", str(tree), *options], check=True)
        subprocess.run(["cmake", "--build", str(tree), "--config", "Release", "--target", "bnq",
                        "--parallel", str(os.cpu_count() or 1)], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"libbnq could not be built: {error}. It needs a C++17 compiler, CMake 3.21, "
                 "zlib, nlohmann-json 3.9, and Highway 1.0.3 or a network to download it.")
    for folder in (tree, tree / "Release"):
        for name in LIBRARIES:
            if (folder / name).exists():
                return folder / name
    sys.exit(f"CMake has built no library in {tree}")


class WithLibrary(Distribution):
    """What is carried is of one platform, as extension modules are."""

    def has_ext_modules(self):
        return PREBUILT != "none"


class BuildWithLibrary(build_py):
    """Puts the library into bitnet_quant/lib; an editable installation uses build/."""

    def run(self):
        super().run()
        if PREBUILT == "none" or getattr(self, "editable_mode", False):
            return
        library = (pathlib.Path(PREBUILT) if PREBUILT else
                   compile_library(pathlib.Path(self.get_finalized_command("build").build_base)
                                   .resolve() / "libbnq"))
        folder = pathlib.Path(self.build_lib) / "bitnet_quant" / "lib"
        folder.mkdir(parents=True, exist_ok=True)
        # libbnq.so.1.0.0 is one of the kind libbnq.so.
        name = next(name for name in LIBRARIES if pathlib.Path(name).suffix in library.suffixes)
        shutil.copyfile(library, folder / name)
        (folder / name).chmod(0o755)


class PlatformWheel(bdist_wheel):
    """A wheel of one platform and every Python 3; with the licences of what is inside."""

    def get_tag(self):
        if self.root_is_pure:
            return super().get_tag()
        return "py3", "none", os.environ.get("BNQ_WHEEL_PLATFORM") or super().get_tag()[2]

    def write_wheelfile(self, folder, *arguments, **options):
        super().write_wheelfile(folder, *arguments, **options)
        licenses = pathlib.Path(folder) / "licenses"
        licenses.mkdir(exist_ok=True)
        shutil.copyfile(SOURCE / "LICENSE", licenses / "LICENSE")
        if not self.root_is_pure:
            for text in (SOURCE / "packaging" / "licenses").glob("*.txt"):
                shutil.copyfile(text, licenses / text.name)


class SourceWithLibrary(sdist):
    """An sdist has the library's sources in libbnq/."""

    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        for pattern in SOURCE_PATTERNS:
            paths = [path for path in SOURCE.glob(pattern) if path.is_file()]
            if not paths:
                sys.exit(f"{SOURCE} has no {pattern}")
            for path in paths:
                copy = pathlib.Path(base_dir) / "libbnq" / path.relative_to(SOURCE)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)


commands = {"build_py": BuildWithLibrary, "sdist": SourceWithLibrary}
if bdist_wheel is not object:
    commands["bdist_wheel"] = PlatformWheel
setup(distclass=WithLibrary, license="MIT", cmdclass=commands,
      setup_requires=needed_tools(), zip_safe=False)
