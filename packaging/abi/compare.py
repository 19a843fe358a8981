#!/usr/bin/env python3
"""Whether a description of the ABI (capi/abi.json) keeps what an older one promised.

usage: compare.py OLDER.JSON NEWER.JSON

What is added passes. What is gone or otherwise than it was, a constant's value too, is
printed, and the exit status is 1. Names of parameters may change; bnq_x.h promises nothing.
"""
import json
import pathlib
import sys


def signature(function):
    return function["returns"], [parameter["type"] for parameter in function["parameters"]]


def field(entry):
    if "parameters" in entry:
        return entry["name"], signature(entry)
    return entry["name"], entry["type"]


def promises(abi):
    """What callers rely on: its kind and name -> what it is."""
    found = {}
    for kind in ("functions", "callbacks"):
        for function in abi[kind]:
            found[kind[:-1], function["name"]] = signature(function)
    for struct in abi["structs"]:
        found["struct", struct["name"]] = [field(entry) for entry in struct["fields"]]
    for name in abi["handles"]:
        found["handle", name] = "opaque"
    for constants in abi["enums"]:
        for constant in constants:
            found["constant", constant["name"]] = constant["value"]
    for name, value in abi["macros"].items():
        if not name.startswith("BNQ_VERSION"):
            found["macro", name] = value
    return found


def main():
    older, newer = (promises(json.loads(pathlib.Path(path).read_text("utf-8")))
                    for path in sys.argv[1:3])
    broken = 0
    for (kind, name), what in older.items():
        if (kind, name) not in newer:
            print(f"{kind} {name} is gone")
            broken += 1
        elif newer[kind, name] != what:
            print(f"{kind} {name} was {what}, and is {newer[kind, name]}")
            broken += 1
    print(f"{len(older) - broken} of {len(older)} promises kept, "
          f"{len(newer.keys() - older.keys())} things added")
    return 1 if broken or not older else 0


if __name__ == "__main__":
    sys.exit(main())
