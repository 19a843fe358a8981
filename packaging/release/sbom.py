#!/usr/bin/env python3
"""A software bill of materials, SPDX 2.3 in JSON, of the packages in a folder: each package,
each program and library in it, and what these are linked with, as the files themselves say.

usage: sbom.py FOLDER >bitnet-quant-VERSION.spdx.json   (with SOURCE_DATE_EPOCH)

Versions are read from the binaries where these have them, from the system's packages where
they have not. A package that is a source has no binaries, and so no dependencies here.
"""
import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from contents import artefacts, contents

ROOT = pathlib.Path(__file__).resolve().parents[2]
GCC = rb"GCC: \([^)]*\) (\d[\d.]*)"
#: key: name, licence, origin, the libraries it is linked as, how its version is found: in the
#: binary, then in Debian's package.
COMPONENTS = {
    "highway": ("Highway", "Apache-2.0", "https://github.com/google/highway",
                r"libhwy\.so", None, "libhwy-dev"),
    "zlib": ("zlib", "Zlib", "https://zlib.net", r"libz\.so|zlib1\.dll",
             rb"(?:inflate|deflate) (\d[\d.]*) Copyright", "zlib1g-dev"),
    "json": ("JSON for Modern C++", "MIT", "https://github.com/nlohmann/json", None,
             rb"16json_abi_v(.{6})|17json_abi_v(.{7})", "nlohmann-json3-dev"),
    "cli11": ("CLI11", "BSD-3-Clause", "https://github.com/CLIUtils/CLI11", None,
              None, "libcli11-dev"),
    "runtime": ("GCC runtime library (libstdc++, libgcc)",
                "GPL-3.0-or-later WITH GCC-exception-3.1", "https://gcc.gnu.org",
                r"libstdc\+\+\.so|libgcc_s\.so|libstdc\+\+-6\.dll|libgcc_s_seh", GCC, "libstdc++6"),
    "mingw": ("mingw-w64 runtime", "ZPL-2.1", "https://www.mingw-w64.org", None, None,
              "mingw-w64-x86-64-dev"),
    "glibc": ("GNU C Library", "LGPL-2.1-or-later", "https://www.gnu.org/software/libc",
              r"libc\.so\.6", None, None),
}
#: What shows that a component was compiled in: its texts in the binary.
INSIDE = {"zlib": rb"flate \d[\d.]* Copyright", "json": rb"\[json\.exception\.",
          "cli11": rb"3CLI\d", "runtime": rb"basic_string::|St9exception"}


def system_version(package):
    if not package:
        return None
    result = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package],
                            capture_output=True, text=True)
    version = re.sub(r"^\d+:|-[^-]*$", "", result.stdout)  # upstream's part
    return re.sub(r"[.+](dfsg|ds).*", "", version) or None


def needed(data):
    """The libraries that a program or library asks the loader for."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        text = subprocess.run(["objdump", "-p", file.name], capture_output=True, text=True,
                              env={**os.environ, "LC_ALL": "C"}).stdout
        if not text:  # of another CPU than this objdump knows
            text = subprocess.run(["readelf", "-d", file.name], capture_output=True,
                                  text=True, env={**os.environ, "LC_ALL": "C"}).stdout
    return re.findall(r"NEEDED\)? +(?:Shared library: \[)?([^\]\s]+)|DLL Name: (\S+)", text)


def links(name, data):
    """component -> ("STATIC_LINK" or "DYNAMIC_LINK", version or None) of a binary."""
    libraries = ["".join(pair) for pair in needed(data)]
    windows = data[:2] == b"MZ"
    found = {}
    for key, (_, _, _, pattern, version, package) in COMPONENTS.items():
        dynamic = pattern and any(re.match(pattern, library) for library in libraries)
        inside = bool(key in INSIDE and re.search(INSIDE[key], data))
        # The library has Highway's headers in any case, a program for Windows mingw-w64's
        # start code.
        inside |= key == "highway" and bool(re.search(r"\bbnq\.dll|libbnq\.so", name))
        inside |= key == "mingw" and windows
        if not dynamic and not inside:
            continue
        text = re.search(version, data) if version else None
        number = (text[text.lastindex].decode().replace("_", ".") if text
                  else system_version(package))
        found[key] = ("DYNAMIC_LINK" if dynamic else "STATIC_LINK", number)
    return found


def is_binary(data):
    """A program or a library, not what debuggers read beside it, nor managed code."""
    if data[:4] == b"\x7fELF":
        return b".dynamic\0" in data
    return data[:2] == b"MZ" and b"mscoree.dll" not in data and b"BSJB" not in data


def identifier(*parts):
    text = "-".join(parts)
    plain = re.sub(r"[^A-Za-z0-9.-]+", "-", text).strip("-")
    if plain != text:  # "a_b" is not "a-b"
        plain += "-" + hashlib.sha256(text.encode()).hexdigest()[:8]
    return "SPDXRef-" + plain


def package(key, name, version, licence, location, **more):
    entry = {"SPDXID": key, "name": name, "downloadLocation": location, "filesAnalyzed": False,
             "licenseConcluded": licence, "licenseDeclared": licence,
             "copyrightText": "NOASSERTION", **more}
    if version:
        entry["versionInfo"] = version
    return entry


def describe(folder):
    version = (ROOT / "packaging" / "VERSION").read_text().strip()
    created = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]),
                                              datetime.timezone.utc)
    release = identifier("bitnet-quant")
    packages = [package(release, "bitnet-quant", version, "MIT", "NOASSERTION",
                        primaryPackagePurpose="LIBRARY", supplier="Organization: bitnet-quant")]
    files, relations, components = [], [], {}

    def relate(one, kind, other):
        relations.append({"spdxElementId": one, "relationshipType": kind,
                          "relatedSpdxElement": other})

    relate("SPDXRef-DOCUMENT", "DESCRIBES", release)
    everything = hashlib.sha256()
    for path in artefacts(folder):
        if path.name.endswith((".spdx.json", "SHA256SUMS")):
            continue
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        everything.update(f"{path.name} {digest}\n".encode())
        artefact = identifier("Package", path.name)
        packages.append(package(
            artefact, path.name, version, "MIT", "NOASSERTION", packageFileName=path.name,
            checksums=[{"algorithm": "SHA256", "checksumValue": digest}]))
        relate(release, "CONTAINS", artefact)
        for name, content in contents(path.name, data):
            if not is_binary(content):
                continue
            file = identifier("File", name)
            files.append({
                "SPDXID": file, "fileName": "./" + name, "fileTypes": ["BINARY"],
                "licenseConcluded": "MIT", "copyrightText": "NOASSERTION",
                "checksums": [
                    {"algorithm": "SHA1", "checksumValue": hashlib.sha1(content).hexdigest()},
                    {"algorithm": "SHA256",
                     "checksumValue": hashlib.sha256(content).hexdigest()}]})
            relate(artefact, "CONTAINS", file)
            for key, (kind, number) in links(name, content).items():
                component = identifier(key, *([number] if number else []))
                title, licence, origin = COMPONENTS[key][:3]
                components[component] = package(component, title, number, licence, origin)
                relate(file, kind, component)
    packages += [components[key] for key in sorted(components)]
    return {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"bitnet-quant-{version}",
        "documentNamespace": "https://spdx.org/spdxdocs/"
                             f"bitnet-quant-{version}-{everything.hexdigest()}",
        "creationInfo": {"created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
                         "creators": ["Tool: bitnet-quant/packaging/release/sbom.py"]},
        "packages": packages, "files": files, "relationships": relations}


def problems(document):
    """What is not as SPDX 2.3 or this project wants it."""
    elements = document["packages"] + document["files"]
    names = [element["SPDXID"] for element in elements] + ["SPDXRef-DOCUMENT"]
    for name in {name for name in names if names.count(name) > 1}:
        yield f"{name} stands for several things"
    for relation in document["relationships"]:
        for end in ("spdxElementId", "relatedSpdxElement"):
            if relation[end] not in names:
                yield f"a relationship has {relation[end]}, which is not there"
    linked = {relation["spdxElementId"] for relation in document["relationships"]
              if relation["relationshipType"].endswith("_LINK")}
    for file in document["files"]:
        if file["SPDXID"] not in linked:
            yield f"{file['fileName']} is linked with nothing that is known"
    for element in document["packages"]:
        if "versionInfo" not in element and element["name"] != COMPONENTS["glibc"][0]:
            yield f"{element['name']} has no version"


def main():
    document = describe(sys.argv[1])
    found = list(problems(document))
    for problem in found:
        print(f"sbom.py: {problem}", file=sys.stderr)
    json.dump(document, sys.stdout, indent=1)
    print()
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
