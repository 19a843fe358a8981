#!/usr/bin/env python3
"""Whether bnq.dll needs Windows alone, exports what exports.txt says, and cannot crash on a
stack that Windows aligns to 16 bytes: no aligned move of 32 or 64 bytes is to or from the stack
(packaging/cmake/windows_options.cmake has why).

usage: check_dll.py bnq.dll EXPORTS [OBJDUMP]
"""
import pathlib
import re
import subprocess
import sys

#: Parts of Windows 10.
SYSTEM = {"kernel32.dll", "advapi32.dll", "msvcrt.dll", "ucrtbase.dll"}
#: Of vectors of 32 and 64 bytes, with an operand in memory.
ALIGNED = re.compile(r"\bv(movap[sd]|movdqa(32|64)?)\b[^#]*%[yz]mm")


def objdump(program, option, path):
    return subprocess.run([program, option, str(path)], check=True, text=True,
                          capture_output=True).stdout


def problems(library, exports, program):
    headers = objdump(program, "-p", library)
    for name in sorted(set(re.findall(r"DLL Name: (\S+)", headers))):
        if name.lower() not in SYSTEM and not name.lower().startswith("api-ms-win-"):
            yield f"needs {name}"
    table = headers.partition("[Ordinal/Name Pointer] Table")[2]
    found = set(re.findall(r"^\s*\[ *\d+\] (?:\+base\[ *\d+\] +[0-9a-f]+ )?(\w+)$", table, re.M))
    approved = {line.split("#")[0].strip() for line in exports.read_text("utf-8").splitlines()}
    approved.discard("")
    for verb, names in (("exports", found - approved), ("lacks", approved - found)):
        if names:
            yield f"{verb} {', '.join(sorted(names)[:5])} ({len(names)} in all)"
    wide = 0
    for line in objdump(program, "-d", library).splitlines():
        wide += "%ymm" in line or "%zmm" in line
        if ALIGNED.search(line) and "(" in line and re.search(r"\(%r(sp|bp)", line):
            yield f"moves as if the stack were aligned: {line.split(chr(9))[-1].strip()}"
            break
    if wide == 0:
        yield "has no vectors of 32 bytes: neither AVX2 nor AVX-512"


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__.strip().splitlines()[-1])
    program = sys.argv[3] if len(sys.argv) > 3 else "x86_64-w64-mingw32-objdump"
    found = list(problems(sys.argv[1], pathlib.Path(sys.argv[2]), program))
    for problem in found:
        print(f"{sys.argv[1]} {problem}", file=sys.stderr)
    if not found:
        print(f"{sys.argv[1]} needs Windows alone, exports what is approved, moves unaligned")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
