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
INT2 = {"format": "int2"}
INT3 = {"format": "int3"}
INT5 = {"format": "int5"}
INT6 = {"format": "int6"}
BINARY = {"format": "binary"}
NF4 = {"format": "nf4"}
FP4 = {"format": "fp4"}
E2M1 = {"format": "e2m1"}
E4M3 = {"format": "e4m3"}
E5M2 = {"format": "e5m2"}
F16 = {"format": "f16"}
BF16 = {"format": "bf16"}
TENSOR = {"granularity": "tensor"}
TOKEN = {"granularity": "token"}


def of_scheme(scheme, formats):
    return {f"{name}_{scheme}": {**config, "scheme": scheme} for name, config in formats.items()}


SIGNED = {"int8": INT8, "int6": INT6, "int5": INT5, "int4": INT4, "int3": INT3, "int2": INT2}
SCHEMES = {**SIGNED, **of_scheme("asymmetric", SIGNED), **of_scheme("offset", SIGNED)}
# What goes through every case, and what through those that tell the formats apart: the
# vectors are to stay small, and the first have every scheme, packing and kind of code.
INTEGERS = {"ternary": TERNARY, **{name: SCHEMES[name] for name in (
    "int8", "int8_asymmetric", "int4", "int4_asymmetric", "int4_offset", "int3")}}
SCALED = {**INTEGERS, "nf4": NF4, "fp4": FP4, "e2m1": E2M1, "e4m3": E4M3, "binary": BINARY}
ALL_INTEGERS = {"ternary": TERNARY, **SCHEMES}
ALL_SCALED = {**ALL_INTEGERS, **SCALED, "e5m2": E5M2}
HALVES = {"f16": F16, "bf16": BF16}


def channel(axis):
    return {"granularity": "channel", "axis": str(axis)}


def group(size):
    return {"granularity": "group", "group_size": str(size)}


def block(size):
    return {"granularity": "block", "group_size": str(size)}


def tile(size):
    return {"granularity": "tile", "group_size": str(size)}


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
