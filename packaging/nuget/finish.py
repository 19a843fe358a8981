#!/usr/bin/env python3
"""Makes packages of `dotnet pack` the same bytes for the same contents, and looks
whether they are what they should be.

NuGet writes the time of packing, a random name for the core properties and the versions
of itself, .NET and the system into a package; which of them, depends on its version.
Here entries are sorted and dated 1980-01-01, and the core properties are named by
their contents.

usage: finish.py [--forbid TEXT]... PACKAGE...

--forbid is for what must not be found in any entry: the directories of the build.
"""

import argparse
import hashlib
import re
import struct
import sys
import zipfile

PROPERTIES = "package/services/metadata/core-properties/"
RELATIONS = "_rels/.rels"
# What a native library must be made for: ELF's or PE's number of the machine.
MACHINES = {
    "linux-x64": ("elf", 62),
    "linux-arm64": ("elf", 183),
    "win-x64": ("pe", 0x8664),
}


def read(path):
    with zipfile.ZipFile(path) as package:
        entries = {name: package.read(name) for name in package.namelist()}
        if len(entries) != len(package.namelist()):
            raise ValueError(f"{path}: an entry is there twice")
        return entries


def normalized(entries):
    (old,) = (name for name in entries if name.startswith(PROPERTIES))
    data = re.sub(
        rb"<lastModifiedBy>[^<]*</lastModifiedBy>",
        b"<lastModifiedBy>NuGet</lastModifiedBy>",
        entries.pop(old),
    )
    new = f"{PROPERTIES}{hashlib.sha256(data).hexdigest()[:32]}.psmdcp"
    entries[new] = data
    relations = entries[RELATIONS].decode().replace(old, new)
    numbers = iter(range(1, 100))
    entries[RELATIONS] = re.sub(
        r' Id="[^"]*"', lambda _: f' Id="R{next(numbers)}"', relations
    ).encode()
    return entries


def write(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
        # Readers of streams want the relations first.
        for name in sorted(entries, key=lambda name: (name != RELATIONS, name)):
            info = zipfile.ZipInfo(name)  # of 1980-01-01
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            package.writestr(info, entries[name])


def machine(data):
    if data[:4] == b"\x7fELF":
        return "elf", struct.unpack_from("<H", data, 18)[0]
    if data[:2] == b"MZ":
        (header,) = struct.unpack_from("<I", data, 60)
        return "pe", struct.unpack_from("<H", data, header + 4)[0]
    return "no library", 0


def problems(path, entries, forbidden):
    for name, data in entries.items():
        for text in forbidden:
            if text.encode() in data or text.encode("utf-16-le") in data:
                yield f"{name} contains {text}"
        if (found := re.fullmatch(r"runtimes/([^/]+)/native/[^/]+", name)) is not None:
            wanted = MACHINES.get(found[1])
            if machine(data) != wanted:
                yield f"{name} is for {machine(data)}, not {wanted}"
    (manifest,) = (name for name in entries if name.endswith(".nuspec"))
    wanted = [rf"lib/net[0-9.]+/{manifest[: -len('.nuspec')]}\.pdb"]
    if path.endswith(".nupkg"):
        wanted = [wanted[0][:-3] + kind for kind in ("dll", "xml")]
        wanted += [r"README\.md", r"icon\.png"]
        for element in ("license", "readme", "icon", "description", "tags"):
            if f"<{element}".encode() not in entries[manifest]:
                yield f"{manifest} has no <{element}>"
    for pattern in wanted:
        if not any(re.fullmatch(pattern, name) for name in entries):
            yield f"there is no {pattern}"


def main():
    parser = argparse.ArgumentParser(usage="%(prog)s [--forbid TEXT]... PACKAGE...")
    parser.add_argument("--forbid", action="append", default=[])
    parser.add_argument("packages", nargs="+")
    arguments = parser.parse_args()
    failed = False
    for path in arguments.packages:
        entries = normalized(read(path))
        for problem in problems(path, entries, arguments.forbid):
            print(f"{path}: {problem}", file=sys.stderr)
            failed = True
        write(path, entries)
    return failed


if __name__ == "__main__":
    sys.exit(main())
