#!/usr/bin/env python3
"""Whether a shared library is self-contained, and how old a system may be that it runs on.

Prints the manylinux tag that its symbols allow, such as manylinux_2_17_x86_64 (PEP 600): the
newest version of glibc that it asks for says which. Fails, and says why, where the library
needs another one than the C library's, exports what exports.txt does not have, or asks for
versions of another library than glibc. Reads the file with readelf, so that of another
CPU's library, too.

usage: check.py LIBRARY [EXPORTS]
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
#: Of glibc, in every one; all in PEP 600's list.
SYSTEM = re.compile(r"lib(c|m|pthread|dl|rt)\.so\.\d|ld-linux.*\.so\.\d")
MACHINES = {"Advanced Micro Devices X86-64": "x86_64", "AArch64": "aarch64"}


def readelf(option, path):
    """The output of readelf, in English."""
    return subprocess.run(["readelf", "--wide", option, str(path)], check=True, text=True,
                          capture_output=True, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}).stdout


def problems(library, exports):
    """What keeps the library from being self-contained."""
    for name in re.findall(r"\(NEEDED\).*\[(.*)\]", readelf("-d", library)):
        if not SYSTEM.fullmatch(name):
            yield f"needs {name}"
    if re.search(r"\((RPATH|RUNPATH)\)", readelf("-d", library)):
        yield "has an RPATH"
    versions = [version for version in needed_versions(library)
                if not re.fullmatch(r"GLIBC_[\d.]+", version)]
    if versions:
        yield "asks for symbols of " + ", ".join(versions)
    approved = {line.split("#")[0].strip() for line in exports.read_text("utf-8").splitlines()}
    approved.discard("")
    exported = set()
    for line in readelf("--dyn-syms", library).splitlines():
        fields = line.split()
        # Number: value size type binding visibility section name
        if (len(fields) >= 8 and fields[4] in ("GLOBAL", "WEAK", "UNIQUE")
                and fields[6] not in ("UND", "ABS")):
            exported.add(fields[7].split("@")[0])
    for verb, names in (("exports", exported - approved), ("lacks", approved - exported)):
        if names:
            first = ", ".join(sorted(names)[:5])
            yield f"{verb} {first}" + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def needed_versions(library):
    """The symbol versions that the library asks others for."""
    needs = readelf("-V", library).partition("Version needs section")[2]
    return sorted(set(re.findall(r"Name: (\S+)", needs)))


def tag(library):
    """The manylinux tag that the library's symbols allow."""
    versions = [tuple(map(int, name[len("GLIBC_"):].split(".")))
                for name in needed_versions(library) if re.match(r"GLIBC_\d", name)]
    machine = re.search(r"Machine: +(.*)", readelf("-h", library))[1]
    # PEP 600's first is 2.5; what else a system of that time needs is not looked at.
    major, minor = max([(2, 5)] + [version[:2] for version in versions])
    return f"manylinux_{major}_{minor}_{MACHINES[machine]}"


def main():
    library = pathlib.Path(sys.argv[1])
    exports = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "capi" / "exports.txt"
    found = list(problems(library, exports))
    for problem in found:
        print(f"{library}: {problem}", file=sys.stderr)
    print(tag(library))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
