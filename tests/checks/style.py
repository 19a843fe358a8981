#!/usr/bin/env python3
"""How files look: lines of at most 100 columns (C#: 140), no tabs or spaces at a line's
end, no forbidden words; a source of the core begins with its own header. Files of more
than 600 lines are named, which is a warning and no failure.

Tables of Markdown, lines with a URL or a cref, and what a program writes (JSON,
completions, figures of benchmarks) may be longer: breaking them makes them worse.
"""
import re
import sys

from common import ROOT, project_files, report

COLUMNS = {".cs": 140}
LONG_FILE = 600
TEXT = ("c", "cc", "h", "def", "py", "sh", "rs", "cs", "md", "cmake", "txt", "build")
# Data and generated files: the first is written by tests/vectors, the rest by programs
# that say so in their first lines.
GENERATED = ("bindings/cli/completions/_bnq", "bindings/cli/completions/bnq.fish",
             "bench/FIDELITY.md", "bench/CALIBRATION.md")
# Marks of unfinished work, and paths of one machine.
FORBIDDEN = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|[\s\"'=](/home/|/root/|/work/)")
# Sources that share a header with others. Everything else has one of its own name.
SHARED_HEADERS = [
    ("core/formats/*.cc", "rows, which formats.def lists"),
    ("core/calibration/{adaptive,kl,min_max,moving_average,mse,percentile}*.cc",
     "rows of methods.h"),
    ("core/optimize/{awq,gptq,gradient,grid,hqq}*.cc", "rows of methods.h"),
    ("core/io/*.cc", "rows of the containers"),
    ("core/interchange/*.cc", "rows, which layouts.def lists"),
    ("core/optimize/{params,request}*.cc", "what methods.h and optimize.h share, by subject"),
    ("core/calibration/serialize*.cc", "the bytes of calibrator.h's class"),
    ("core/model/{compare,dequantize_file,load}*.cc", "convert.h: the ways between two files"),
    ("core/model/expert_table*.cc", "the table of expert_stacks.h"),
]


def expand(pattern):
    """A glob with {a,b} as several globs."""
    match = re.fullmatch(r"(.*)\{(.*)\}(.*)", pattern)
    return [match[1] + part + match[3] for part in match[2].split(",")] if match else [pattern]


def line_problems(name, lines):
    limit = COLUMNS.get(name[name.rfind("."):], 100)
    for number, line in enumerate(lines, 1):
        where = f"{name}:{number}"
        table = name.endswith(".md") and line.lstrip().startswith("|")
        unbreakable = table or "://" in line or 'cref="' in line
        if len(line) > limit and not unbreakable:
            yield f"{where}: {len(line)} columns, more than {limit}"
        if line != line.rstrip():
            yield f"{where}: spaces at the end"
        if "\t" in line:
            yield f"{where}: a tab"
        if FORBIDDEN.search(line) and not name.startswith("tests/checks/"):
            yield f"{where}: {FORBIDDEN.search(line).group().strip()}"


def header_problems(sources):
    shared = {path.relative_to(ROOT).as_posix() for pattern, _ in SHARED_HEADERS
              for part in expand(pattern) for path in ROOT.glob(part)}
    for name in sources:
        header = name[:-len("cc")] + "h"
        text = (ROOT / name).read_text("utf-8")
        if not (ROOT / header).exists():
            if name not in shared:
                yield f"{name}: there is no {header}"
        elif f'#include "{header}"' not in text:
            yield f"{name} does not include {header}"


def main():
    problems = []
    names = project_files(*(f"**/*.{extension}" for extension in TEXT))
    if len(names) < 100:
        problems.append(f"only {len(names)} files were found")
    for name in names:
        if name in GENERATED:
            continue
        lines = (ROOT / name).read_text("utf-8").splitlines()
        problems += line_problems(name, lines)
        # The header teaches from top to bottom, in one piece.
        if len(lines) > LONG_FILE and not name.endswith("bnq.h"):
            print(f"warning: {name} has {len(lines)} lines")
    problems += header_problems(project_files("core/**/*.cc"))
    sys.exit(report(problems))


if __name__ == "__main__":
    main()
