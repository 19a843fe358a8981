#!/usr/bin/env python3
"""Writes a C program that defines each function of a header by an empty body: what is
compiled of it, with debug information, has the types of the ABI and nothing else.

usage: library.py ABI.JSON >library.c    (capi/abi.json; bnq_x.h is not promised)
"""
import json
import pathlib
import sys


def main():
    abi = json.loads(pathlib.Path(sys.argv[1]).read_text("utf-8"))
    print("#include <bnq/bnq.h>")
    for function in abi["functions"]:
        parameters = ", ".join(f"{p['type']} {p['name']}" for p in function["parameters"])
        body = "" if function["returns"] == "void" else " return 0; "
        print(f"{function['returns']} {function['name']}({parameters or 'void'}) {{{body}}}")


if __name__ == "__main__":
    main()
