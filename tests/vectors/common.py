"""What the modules of cases share: options, inputs, and the list of cases.

SPDX-License-Identifier: MIT
"""
import math

import numpy as np

from definitions import F32, float_bits, quantize

QUANTIZE = []


def listed(values):
    """Values as JSON can hold them."""
    values = [float(v) for v in values]
    return [v if math.isfinite(v) else str(v) for v in values]


def case(name, config, shape, values, source="the definition", hand=None):
    """Adds a case; `hand` holds parts of the result worked out by hand.

    Scales and values by hand may be numbers in place of bits.
    """
    result = quantize(config, shape, values)
    for key, expected in (hand or {}).items():
        if key in ("scales", "dequantized"):
            expected = [v if isinstance(v, str) else float_bits(v) for v in expected]
        assert result[key] == expected, (name, key, result[key], expected)
    assert name not in (c["name"] for c in QUANTIZE), name
    QUANTIZE.append({
        "name": name, "source": source, "config": config, "dtype": "F32",
        "shape": list(shape), "input": listed(values), **result})


TERNARY = {"format": "ternary"}
BASE3 = {"format": "ternary", "packing": "base3"}
INT8 = {"format": "int8"}
INT8_ASYMMETRIC = {"format": "int8", "scheme": "asymmetric"}
INT4 = {"format": "int4"}
INT4_ASYMMETRIC = {"format": "int4", "scheme": "asymmetric"}
NF4 = {"format": "nf4"}
FP4 = {"format": "fp4"}
F16 = {"format": "f16"}
BF16 = {"format": "bf16"}
TENSOR = {"granularity": "tensor"}
TOKEN = {"granularity": "token"}

INTEGERS = {"ternary": TERNARY, "int8": INT8, "int8_asymmetric": INT8_ASYMMETRIC,
            "int4": INT4, "int4_asymmetric": INT4_ASYMMETRIC}
SCALED = {**INTEGERS, "nf4": NF4, "fp4": FP4}
HALVES = {"f16": F16, "bf16": BF16}


def channel(axis):
    return {"granularity": "channel", "axis": str(axis)}


def group(size):
    return {"granularity": "group", "group_size": str(size)}


def block(size):
    return {"granularity": "block", "group_size": str(size)}


def noise(count, seed):
    """Bell-shaped multiples of 1/1024 in -2..2: their sums are exact.

    Its own generator (Knuth's MMIX constants), so that the bytes do not depend
    on the version of a library.
    """
    state, out = seed, []
    for _ in range(count):
        total = 0
        for _ in range(4):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            total += (state >> 33) % 1024
        out.append((total - 2046) / 1024)
    return out


def rough(count, seed):
    """Values with full 24-bit mantissas over some decades, not to be summed."""
    return [float(F32(v) * F32(math.exp(w)) / F32(3))
            for v, w in zip(noise(count, seed), noise(count, seed + 1))]


def with_neighbours(values):
    """Each float32 value, and the next ones below and above it."""
    return [float(v) for value in values
            for v in (np.nextafter(F32(value), F32(-np.inf)), F32(value),
                      np.nextafter(F32(value), F32(np.inf)))]
