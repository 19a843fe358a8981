#!/usr/bin/env python3
"""Draws bindings/csharp/icon.png, the icon of the NuGet packages: a matrix of weights
of three values.

usage: icon.py FILE
"""

import struct
import sys
import zlib

SIZE = 128
CELLS = 4
MARGIN = 8
GAP = 4
BACKGROUND = (24, 32, 48)
COLORS = {-1: (64, 132, 214), 0: (70, 80, 98), 1: (240, 168, 48)}
WEIGHTS = ((1, 0, -1, 1), (0, -1, 0, 1), (-1, 1, 0, 0), (0, 1, -1, -1))


def pixel(x, y):
    pitch = (SIZE - 2 * MARGIN + GAP) // CELLS
    column, in_column = divmod(x - MARGIN, pitch)
    row, in_row = divmod(y - MARGIN, pitch)
    inside = 0 <= column < CELLS and 0 <= row < CELLS
    if not inside or max(in_column, in_row) >= pitch - GAP:
        return BACKGROUND
    return COLORS[WEIGHTS[row][column]]


def chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def picture():
    # A row begins with its filter: 0, none.
    rows = b"".join(
        b"\0" + b"".join(bytes(pixel(x, y)) for x in range(SIZE)) for y in range(SIZE)
    )
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip().splitlines()[-1])
    with open(sys.argv[1], "wb") as file:
        file.write(picture())
