#!/usr/bin/env python3
"""No include runs up: each folder of core/ uses only what stands below it, nothing of
the core knows the C ABI, and the C ABI's clients know nothing else.

LAYERS is the house of core/README.md from the ground up. Folders of one storey do not
know each other. There are no exceptions; a list (*.def) declares nothing and may be
included from anywhere.
"""
import pathlib
import re
import sys

from common import ROOT, report

LAYERS = [
    ["base"],
    ["scheme"],
    ["kernels", "parallel"],
    ["formats"],
    ["tensor", "io"],
    ["calibration", "optimize", "ops", "interchange"],
    ["training"],
    ["model"],
    ["cache"],
]
# Folder -> the folders outside it whose headers it may include.
OUTSIDE = {
    "capi": ("capi/", "core/", "bnq/"),
    "bindings/cli": ("bnq/",),
    "bench": ("bnq/", "bench/"),
}


def includes(folder):
    """(file, what it includes) of all project-style includes below a folder."""
    for path in sorted((ROOT / folder).rglob("*")):
        if path.suffix in (".cc", ".h", ".c"):
            for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text("utf-8"), re.M):
                yield path, name


def core_problems():
    storey = {name: number for number, names in enumerate(LAYERS) for name in names}
    for path, included in includes("core"):
        where = f"{path.relative_to(ROOT)} includes {included}"
        folder = path.relative_to(ROOT / "core").parts[0]
        top, _, rest = included.partition("/")
        if folder not in storey:
            yield f"core/{folder} has no storey in {pathlib.Path(__file__).name}"
        elif top in ("capi", "bnq", "tests", "bench", "bindings"):
            yield f"{where}: the core knows nothing of it"
        elif top == "core" and not included.endswith(".def"):
            target = rest.split("/")[0]
            if target != folder and storey.get(target, len(LAYERS)) >= storey[folder]:
                yield f"{where}: {target} is not below {folder}"
        elif (ROOT / "core" / included).exists() or (path.parent / included).exists():
            yield f"{where}: paths begin at the root of the project"


def outside_problems():
    for folder, allowed in OUTSIDE.items():
        for path, included in includes(folder):
            beside = any((place / included).exists()
                         for place in (path.parent, ROOT / folder / "src"))
            project = (ROOT / included).exists() or (ROOT / "capi/include" / included).exists()
            if project and not beside and not included.startswith(allowed):
                yield f"{path.relative_to(ROOT)} includes {included}: it may use {allowed} alone"


if __name__ == "__main__":
    sys.exit(report(sorted(set(core_problems()) | set(outside_problems()))))
