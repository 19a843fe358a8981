#!/usr/bin/env python3
"""Whether a wheel is what its name and its RECORD say (PEP 427), with everything inside that
the package needs: the library, the marker of types, the licences.

usage: check_wheel.py WHEEL
"""
import base64
import csv
import hashlib
import io
import pathlib
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
LICENSES = ["LICENSE", *(path.name for path in (ROOT / "packaging/licenses").glob("*.txt"))]


def record_problems(wheel, record):
    """RECORD lists each file, with its hash and size, and nothing else."""
    rows = {path: (digest, size) for path, digest, size in
            csv.reader(io.StringIO(wheel.read(record).decode("utf-8")))}
    names = {name for name in wheel.namelist() if not name.endswith("/")}
    for name in sorted(names ^ rows.keys()):
        yield f"{name} is in RECORD or in the wheel alone"
    for name in sorted((names & rows.keys()) - {record}):
        content = wheel.read(name)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        if rows[name] != (f"sha256={digest}", str(len(content))):
            yield f"{name}: RECORD has {rows[name]}"


def library_problems(wheel, platforms):
    """The library's symbols allow what the name promises."""
    with tempfile.TemporaryDirectory() as folder:
        path = wheel.extract("bitnet_quant/lib/libbnq.so", folder)
        check = subprocess.run([ROOT / "packaging/portable/check.py", path], text=True,
                               capture_output=True, check=False)
    yield from check.stderr.splitlines()
    if check.stdout.strip() not in platforms:
        yield f"the library is {check.stdout.strip()}, but the wheel is for {platforms}"


def problems(path):
    name, version, python, abi, platform = path.name[:-len(".whl")].split("-")
    info = f"{name}-{version}.dist-info"
    platforms = platform.split(".")
    with zipfile.ZipFile(path) as wheel:
        yield from record_problems(wheel, f"{info}/RECORD")
        yield from library_problems(wheel, platforms)
        lines = wheel.read(f"{info}/WHEEL").decode("utf-8").splitlines()
        tags = sorted(line[len("Tag: "):] for line in lines if line.startswith("Tag: "))
        if tags != sorted(f"{python}-{abi}-{one}" for one in platforms):
            yield f"WHEEL has the tags {tags}"
        wanted = [f"{info}/licenses/{text}" for text in LICENSES]
        package = ROOT / "bindings/python/src"
        wanted += [source.relative_to(package).as_posix() for source in package.rglob("*.py")]
        for name in [*wanted, "bitnet_quant/py.typed"]:
            if name not in wheel.namelist():
                yield f"there is no {name}"


def main():
    found = list(problems(pathlib.Path(sys.argv[1])))
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
