#!/usr/bin/env python3
"""Describes the C ABI: reads bnq.h (and bnq_x.h), writes abi.json beside itself.

    capi/abi.py            after every change of a header
    capi/abi.py --check    exits with 1 where abi.json is not what the headers say

abi.json is what the tests of the bindings compare their declarations with, so that
none of them reads C. Everything of the headers is understood or refused: a
declaration that this script cannot read is an error, never left out.

    functions     name, returns, parameters (name, type), in the header's order
    experimental  the same, of bnq_x.h
    callbacks     pointers to functions: the same
    structs       name, fields (name and type, or those of a callback)
    handles       the names of the opaque structs
    enums         one list each of its constants (name, value); C gives it no name
    macros        name and value of those that are numbers

Types are C's, written in one way: "const char*", "void* const*", "uint64_t".
"""
import ast
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
OUTPUT = HERE / "abi.json"
NUMBERS = {"UINT64_MAX": 2**64 - 1}
SCALARS = {"void", "char", "int8_t", "uint8_t", "int32_t", "uint32_t", "int64_t", "uint64_t",
           "float", "double"}


class Header:
    """What one header declares."""

    def __init__(self, path, known=frozenset()):
        self.path = path
        self.functions, self.callbacks, self.structs = [], [], []
        self.handles, self.enums, self.macros = [], [], {}
        self.known = set(SCALARS | known)
        text = re.sub(r"/\*.*?\*/", " ", path.read_text("utf-8"), flags=re.DOTALL)
        text = self._preprocess(text.replace("\\\n", " "))
        text = re.sub(r'extern "C" \{(.*)\}\s*$', r"\1", text.strip(), flags=re.DOTALL)
        for statement in self._statements(text):
            self._declare(" ".join(statement.split()))

    def fail(self, what):
        sys.exit(f"{self.path}: cannot read: {what}")

    def _preprocess(self, text):
        """Notes the macros that are numbers; returns the text without directives."""
        lines = []
        for line in text.splitlines():
            if not line.lstrip().startswith("#"):
                lines.append(line)
                continue
            match = re.match(r"#define (BNQ_\w+)\s+(.+)", line)
            # BNQ_API is what marks a function, whatever it stands for.
            if match and match.group(1) != "BNQ_API":
                self.macros[match.group(1)] = self._number(match.group(2).strip())
        return "\n".join(lines)

    def _number(self, text):
        """A number, a limit of stdint.h, or an expression of macros before it."""
        try:
            known = {**NUMBERS, **self.macros}
            text = re.sub(r"[A-Z]\w*", lambda name: str(known[name.group()]), text)
            if not re.fullmatch(r"[-+*\s\d()]+", text):
                raise ValueError(text)
            return eval(compile(ast.parse(text, mode="eval"), "bnq.h", "eval"))
        except (KeyError, ValueError, SyntaxError):
            self.fail(f"a macro's value: {text}")

    @staticmethod
    def _statements(text):
        """Parts up to each semicolon outside braces and parentheses."""
        depth, start = 0, 0
        for at, character in enumerate(text):
            depth += (character in "({") - (character in ")}")
            if character == ";" and depth == 0:
                yield text[start:at]
                start = at + 1
        if text[start:].strip():
            yield text[start:]

    def _declare(self, text):
        if match := re.fullmatch(r"typedef int32_t (bnq_\w+)", text):
            self.known.add(match.group(1))
        elif match := re.fullmatch(r"enum \{(.*)\}", text):
            self._declare_enum(match.group(1))
        elif match := re.fullmatch(r"typedef struct (bnq_\w+) \1", text):
            self.handles.append(match.group(1))
            self.known.add(match.group(1))
        elif match := re.fullmatch(r"typedef struct (bnq_\w+) \{(.*)\} \1", text):
            fields = [self._field(field) for field in match.group(2).split(";") if field.strip()]
            self.structs.append({"name": match.group(1), "fields": fields})
            self.known.add(match.group(1))
        elif text.startswith("typedef ") and (callback := self._pointer(text[8:])):
            self.callbacks.append(callback)
            self.known.add(callback["name"])
        elif match := re.fullmatch(r"BNQ_API (.*?)(bnq_\w+) ?\((.*)\)", text):
            self.functions.append(self._function(*match.group(2, 1, 3)))
        else:
            self.fail(text)

    def _declare_enum(self, body):
        values = []
        for entry in body.split(","):
            match = re.fullmatch(r"\s*(BNQ_\w+) = (-?\d+)\s*", entry)
            if not match:
                self.fail(f"the constant {entry.strip()}")
            values.append({"name": match.group(1), "value": int(match.group(2))})
        self.enums.append(values)

    def _field(self, text):
        text = text.strip()
        return self._pointer(text) or self._named(text)

    def _pointer(self, text):
        """`R (*name)(A a, B b)`."""
        match = re.fullmatch(r"(.*?)\(\*(\w+)\)\((.*)\)", text)
        return self._function(*match.group(2, 1, 3)) if match else None

    def _function(self, name, result, parameters):
        if "(" in parameters:
            self.fail(f"the parameters of {name}")
        parts = [] if parameters.strip() == "void" else parameters.split(",")
        return {"name": name, "returns": self._type(result),
                "parameters": [self._named(part) for part in parts]}

    def _named(self, text):
        match = re.fullmatch(r"(.*[\s*])(\w+)", text.strip())
        if not match:
            self.fail(f"a name in {text}")
        return {"name": match.group(2), "type": self._type(match.group(1))}

    def _type(self, text):
        text = re.sub(r"\s*\*\s*", "*", " ".join(text.split()))
        match = re.fullmatch(r"(?:const )?(\w+)((?:\*|\*const(?=\*))*)", text)
        if not match or match.group(1) not in self.known:
            self.fail(f"the type {text}")
        return text.replace("*const", "* const")


def lines(value, depth=0):
    """JSON with one function, struct or enum a line, so that differences are small."""
    if depth == 2 or not isinstance(value, (dict, list)):
        return json.dumps(value)
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {lines(part, depth + 1)}" for key, part in value.items()]
        ends = "{}"
    else:
        parts, ends = [lines(part, depth + 1) for part in value], "[]"
    return ends[0] + "\n" + ",\n".join(parts) + "\n" + ends[1]


def describe():
    header = Header(HERE / "include" / "bnq" / "bnq.h")
    experimental = Header(HERE / "include" / "bnq" / "bnq_x.h", header.known)
    return {
        "functions": header.functions, "experimental": experimental.functions,
        "callbacks": header.callbacks, "structs": header.structs, "handles": header.handles,
        "enums": header.enums, "macros": header.macros,
    }


def main():
    text = lines(describe()) + "\n"
    if "--check" not in sys.argv[1:]:
        OUTPUT.write_text(text, "utf-8")
    elif not OUTPUT.exists() or OUTPUT.read_text("utf-8") != text:
        sys.exit(f"{OUTPUT} is not what the headers say: run capi/abi.py")


if __name__ == "__main__":
    main()
