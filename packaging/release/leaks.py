#!/usr/bin/env python3
"""That nothing of the machine which built them is inside the packages of a folder: none of
the given texts (paths, the host's name, the user's), in any file of any package.

usage: leaks.py FOLDER TEXT...

A text of a few letters is in every large file by chance, so that it is looked for as a word,
in files of text alone.
"""
import re
import sys

from contents import artefacts, contents


SHORT = 6


def find(text, data):
    """Where the text is, or -1."""
    if len(text) >= SHORT:
        return data.find(text)
    if b"\0" in data:
        return -1
    match = re.search(rb"(?<!\w)%s(?!\w)" % re.escape(text), data)
    return match.start() if match else -1


def main():
    folder, texts = sys.argv[1], [text.encode() for text in sys.argv[2:] if text]
    found = read = 0
    for path in artefacts(folder):
        for name, data in contents(path.name, path.read_bytes()):
            read += 1
            for text in texts:
                at = find(text, data)
                if at >= 0 or find(text, name.encode()) >= 0:
                    found += 1
                    around = data[max(at - 40, 0):at + len(text) + 40] if at >= 0 else b""
                    print(f"{name}: has {text.decode()!r}: {around!r}")
    print(f"{len(texts)} texts looked for in {read} files, found {found} times")
    return 1 if found or not read or not texts else 0


if __name__ == "__main__":
    sys.exit(main())
