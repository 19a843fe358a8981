"""Double quantization (QLoRA, arXiv:2305.14314): scales in 8 bits, as bitsandbytes.

SPDX-License-Identifier: MIT
"""
from fractions import Fraction

import numpy as np

F32 = np.float32
BLOCK = 256


def rounded(exact):
    """The float32 nearest to a fraction, ties to even."""
    near = F32(float(exact))
    around = (np.nextafter(near, F32(-9)), near, np.nextafter(near, F32(9)))
    return min(around, key=lambda x: (abs(Fraction(float(x)) - exact), x.view(np.uint32) & 1))


def linspace(points):
    """torch.linspace(0.1, 1, points) of float32 on a CPU with fused multiply-add.

    From both ends to the middle, end +- step * index rounded once
    (aten/src/ATen/native/cpu/RangeFactoriesKernel.cpp, vectorized).
    """
    first, last = F32(0.1), F32(1)
    step = Fraction(float((last - first) / F32(points - 1)))
    return np.array([
        rounded(Fraction(float(first)) + step * i) if i < points // 2 else
        rounded(Fraction(float(last)) - step * (points - 1 - i)) for i in range(points)], F32)


def dynamic_map():
    """bitsandbytes' create_dynamic_map(signed=True, max_exponent_bits=7, total_bits=8)."""
    values = [F32(0), F32(1)]
    for e in range(7):
        ends = linspace(2**e + 1)
        middles = F32(10.0**(e - 6)) * ((ends[:-1] + ends[1:]) / F32(2))
        values += [*middles, *-middles]
    return np.sort(np.array(values, F32))


# Bit for bit the table that bitsandbytes' users have in their checkpoints and
# have copied into ports (tests/scheme/dynamic_map_test.cc has the literals).
MAP = dynamic_map()


def nearest_code(x):
    """The search of bitsandbytes' CUDA kernel; at a midpoint its pivot wins."""
    lower, pivot, upper = 0, 127, 255
    for step in (64, 32, 16, 8, 4, 2, 1):
        if x > MAP[pivot]:
            lower, pivot = pivot, pivot + step
        else:
            upper, pivot = pivot, pivot - step
    if x > MAP[pivot]:
        return upper if x > (MAP[upper] + MAP[pivot]) * F32(0.5) else pivot
    return lower if x < (MAP[lower] + MAP[pivot]) * F32(0.5) else pivot


def quantize(scales, mean):
    """What the scales become, and the bytes they are stored in."""
    scales = np.array(scales, F32)
    offset = F32(mean(scales))
    greatest, codes = [], []
    for block in np.split(scales, range(BLOCK, scales.size, BLOCK)):
        g = np.max(np.abs(block - offset))
        v = (block - offset) * (F32(1) / g if g else F32(0))
        greatest.append(g)
        codes += [nearest_code(x) for x in v]
    decoded = MAP[codes] * np.repeat(np.array(greatest, F32), BLOCK)[:scales.size] + offset
    stored = bytes(codes) + bytes(-len(codes) % 4) + np.array(greatest + [offset], "<f4").tobytes()
    return list(decoded), stored


def check():
    """Literals of the ports, where a linspace of another kind has others, and the search."""
    assert MAP.size == 256 and MAP[127] == 0 and (np.diff(MAP) > 0).all()
    for index, value in ((1, -0.9789062738418579), (20, -0.7117187976837158),
                         (65, -0.09578125923871994), (254, 0.992968738079071)):
        assert MAP[index] == F32(value)
    # Near enough its own value every code finds itself.
    assert all(nearest_code(v) == i for i, v in enumerate(MAP))
