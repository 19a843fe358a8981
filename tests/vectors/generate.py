#!/usr/bin/env python3
"""Writes quantize.json, metrics.json and errors.json beside this file.

The expected values are derived here from the definitions of the formats and
metrics, with numpy, and never with libbnq: the library is what they test. Where
a result is known by hand it is written down too (`hand`), and must agree.

    python3 generate.py              writes the files
    python3 generate.py DIRECTORY    writes them into DIRECTORY

SPDX-License-Identifier: MIT
"""
import json
import math
import pathlib
import sys
from fractions import Fraction

import numpy as np

F32 = np.float32
FLT_MIN = F32(2.0**-126)
FLT_MAX = F32((2 - 2.0**-23) * 2.0**127)
FLT_TRUE_MIN = F32(2.0**-149)


# ----------------------------------------------------------------------------
# The definitions


def matrix_shape(shape):
    """Rows and columns of the matrix an array counts as."""
    if len(shape) < 2:
        return 1, math.prod(shape)
    return shape[0], math.prod(shape[1:])


def segments(shape, config):
    """The number of parameter sets, and which one each element uses."""
    granularity = config.get("granularity", "group")
    count = math.prod(shape)
    if granularity == "tensor":
        return 1, np.zeros(count, int)
    if granularity == "channel":
        axis = int(config.get("axis", "0")) % len(shape)
        index = np.arange(count) // math.prod(shape[axis + 1:])
        return shape[axis], index % max(shape[axis], 1)
    rows, columns = matrix_shape(shape)
    size = int(config.get("group_size", "128"))
    groups = -(-columns // size)
    column, row = np.arange(count) % max(columns, 1), np.arange(count) // max(columns, 1)
    return rows * groups, row * groups + column // size


def exact_sum(x):
    """The sum of x, having made sure that summing in any order gives it.

    All elements are multiples of the least bit of any of them, and the sum of
    the magnitudes is below 2**53 of those: no partial sum is ever rounded.
    """
    exact = [Fraction(float(v)) for v in x]
    unit = Fraction(1, max((v.denominator for v in exact), default=1))
    if unit == 1 and any(exact):
        unit = Fraction(math.gcd(*(int(v) for v in exact)))
    total = sum(exact, Fraction(0))
    assert total / unit <= 2**53, "a sum that depends on the order of summing"
    return float(total)


def ternary(x):
    """Codes, scale and dequantized values of one segment; no zero point."""
    mean = F32(exact_sum(np.abs(x)) / x.size) if x.size else F32(0)
    if mean == 0:
        return np.zeros(x.size, int), F32(0), 0
    scale = max(mean, F32(1e-5))
    codes = np.clip(np.rint(x * (F32(1) / scale)), -1, 1)
    return codes.astype(int), scale, 0


def limited(scale, steps):
    """scale, but at most FLT_MAX / steps rounded down: no value overflows."""
    limit = FLT_MAX / F32(steps)
    if Fraction(float(limit)) * steps > Fraction(float(FLT_MAX)):
        limit = np.nextafter(limit, F32(0))
    return min(scale, limit)


def int8_symmetric(x):
    m = np.max(np.abs(x), initial=F32(0))
    if m == 0:
        return np.zeros(x.size, int), F32(0), 0
    scale = limited(max(m / F32(127), FLT_MIN), 127)
    codes = np.clip(np.rint(x * (F32(1) / scale)), -127, 127)
    return codes.astype(int), scale, 0


def int8_asymmetric(x):
    lo = np.min(x, initial=F32(0))
    hi = np.max(x, initial=F32(0))
    if lo == 0 and hi == 0:
        return np.zeros(x.size, int), F32(0), 0
    with np.errstate(over="ignore"):
        width = hi - lo
    scale = width / F32(255) if np.isfinite(width) else hi / F32(255) - lo / F32(255)
    scale = max(scale, FLT_MIN)
    zero_point = int(np.clip(-128 - np.rint(lo / scale), -128, 127))
    scale = limited(scale, max(zero_point + 128, 127 - zero_point))
    codes = np.rint(x * (F32(1) / scale)).astype(int) + zero_point
    return np.clip(codes, -128, 127), scale, zero_point


def pack_2bit(codes, shape):
    """Codes + 1, the first element in the lowest bits, rows from a new byte."""
    rows, columns = matrix_shape(shape)
    out = bytearray()
    for row in codes.reshape(rows, columns):
        for i in range(0, columns, 4):
            out.append(sum((int(c) + 1) << (2 * k) for k, c in enumerate(row[i:i + 4])))
    return bytes(out)


def pack_8bit(codes, shape):
    return codes.astype(np.int8).tobytes()


QUANTIZERS = {
    ("ternary", "symmetric"): (ternary, pack_2bit),
    ("int8", "symmetric"): (int8_symmetric, pack_8bit),
    ("int8", "asymmetric"): (int8_asymmetric, pack_8bit),
}


def quantize(config, shape, values):
    scheme = config.get("scheme", "symmetric")
    quantizer, pack = QUANTIZERS[config.get("format", "ternary"), scheme]
    x = np.array(values, F32)
    assert x.size == math.prod(shape)
    assert [float(v) for v in x] == [float(v) for v in values], "not exactly float32"
    clip = F32(config.get("clip", "0"))
    if clip > 0:
        x = np.clip(x, -clip, clip)
    count, segment = segments(shape, config)
    codes = np.zeros(x.size, int)
    dequantized = np.zeros(x.size, F32)
    scales, zero_points = [], []
    for s in range(count):
        own = segment == s
        codes[own], scale, zero_point = quantizer(x[own])
        dequantized[own] = (codes[own] - zero_point).astype(F32) * scale
        scales.append(F32(scale))
        zero_points.append(zero_point)
    return {
        "codes": [int(c) for c in codes],
        "packed": pack(codes, shape).hex(),
        "scales": [float_bits(s) for s in scales],
        "zero_points": zero_points if scheme == "asymmetric" else [],
        "dequantized": [float_bits(v) for v in dequantized],
    }


def metrics(a, b):
    """The metrics, in exact rational arithmetic up to the last step."""
    a, b = ([Fraction(float(v)) for v in side] for side in (a, b))
    errors = [x - y for x, y in zip(a, b)]
    n = len(a)
    aa, bb, ee = (sum(v * v for v in side) for side in (a, b, errors))
    ab = sum(x * y for x, y in zip(a, b))
    if ee == 0:
        sqnr = "inf"
    elif aa == 0:
        sqnr = "-inf"
    else:
        sqnr = 10 * math.log10(aa / ee)
    if aa == 0 or bb == 0:
        cosine = 1.0 if aa == bb else 0.0
    else:
        cosine = math.copysign(math.sqrt(ab * ab / (aa * bb)), ab)
    return {
        "mse": float(ee / n),
        "mae": float(sum(map(abs, errors)) / n),
        "max_error": float(max(map(abs, errors))),
        "sqnr_db": sqnr,
        "cosine": cosine,
    }


# ----------------------------------------------------------------------------
# Inputs


def float_bits(value):
    return "%08X" % int(F32(value).view(np.uint32))


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
    """Values with full 24-bit mantissas over some decades (int8 only)."""
    return [float(F32(v) * F32(math.exp(w)) / F32(3))
            for v, w in zip(noise(count, seed), noise(count, seed + 1))]


# ----------------------------------------------------------------------------
# Cases

QUANTIZE = []


def case(name, config, shape, values, source="the definition", hand=None):
    """Adds a case; `hand` holds parts of the result worked out by hand."""
    result = quantize(config, shape, values)
    for key, expected in (hand or {}).items():
        if key == "scales":
            expected = [float_bits(F32(v)) for v in expected]
        assert result[key] == expected, (name, key, result[key], expected)
    assert name not in (c["name"] for c in QUANTIZE), name
    QUANTIZE.append({
        "name": name, "source": source, "config": config, "dtype": "F32",
        "shape": list(shape), "input": [float(F32(v)) for v in values], **result})


TERNARY = {"format": "ternary"}
INT8 = {"format": "int8"}
ASYMMETRIC = {"format": "int8", "scheme": "asymmetric"}
TENSOR = {"granularity": "tensor"}
FORMATS = {"ternary": TERNARY, "int8": INT8, "int8_asymmetric": ASYMMETRIC}


def channel(axis):
    return {"granularity": "channel", "axis": str(axis)}


def group(size):
    return {"granularity": "group", "group_size": str(size)}


def known_by_hand():
    case("ternary_absmean", {**TERNARY, **TENSOR}, [4], [0.5, -0.25, 0.125, -1],
         "by hand: mean 0.46875; x / mean = 1.07, -0.53, 0.27, -2.13",
         {"codes": [1, -1, 0, -1], "scales": [0.46875], "packed": "12",
          "zero_points": []})
    case("ternary_tie", {**TERNARY, **TENSOR}, [4], [0.5, 1, 1.5, -1],
         "by hand: mean 1; 0.5 rounds to the even 0, 1.5 to 2, clamped to 1",
         {"codes": [0, 1, 1, -1], "scales": [1.0], "packed": "29"})
    case("ternary_negative_tie", {**TERNARY, **TENSOR}, [4], [-0.5, -1, -1.5, 1],
         "by hand: mean 1; -0.5 rounds to the even 0",
         {"codes": [0, -1, -1, 1], "scales": [1.0], "packed": "81"})
    case("ternary_packing", {**TERNARY, **TENSOR}, [5], [1, -1, 1, 1, -1],
         "by hand: element 0 in the lowest bits, unused bits 0",
         {"codes": [1, -1, 1, 1, -1], "packed": "a200", "scales": [1.0]})
    case("ternary_rows_start_on_bytes", {**TERNARY, **TENSOR}, [3, 3],
         [1, 1, 1, -1, -1, -1, 1, -1, 1],
         "by hand: three codes to a row fill three quarters of a byte",
         {"packed": "2a0022", "scales": [1.0]})
    case("int8_ties", {**INT8, **TENSOR}, [6], [0.5, 127, -127, 1.5, 2.5, -0.5],
         "by hand: scale 1; halves round to even",
         {"codes": [0, 127, -127, 2, 2, 0], "scales": [1.0], "zero_points": [],
          "packed": "007f81020200"})
    case("int8_asymmetric_range", {**ASYMMETRIC, **TENSOR}, [4], [-1, 2, 0, 1],
         "by hand: range -1..2, scale 3/255 (1/scale = 85), zero point -128 + 85",
         {"codes": [-128, 127, -43, 42], "scales": [F32(3) / F32(255)],
          "zero_points": [-43]})
    case("int8_asymmetric_positive", {**ASYMMETRIC, **TENSOR}, [3], [255, 17, 1],
         "by hand: the range is 0..255 because it always includes 0; scale 1",
         {"codes": [127, -111, -127], "scales": [1.0], "zero_points": [-128]})
    case("int8_asymmetric_negative", {**ASYMMETRIC, **TENSOR}, [3], [-255, -17, -1],
         "by hand: the range is -255..0; scale 1, zero point 127",
         {"codes": [-128, 110, 126], "scales": [1.0], "zero_points": [127]})
    case("int8_asymmetric_zero_point_tie", {**ASYMMETRIC, **TENSOR}, [4],
         [-0.5, 254.5, 1.5, 2.5],
         "by hand: scale 1; lo / scale = -0.5 rounds to 0, 254.5 to 254",
         {"codes": [-128, 126, -126, -126], "scales": [1.0], "zero_points": [-128]})
    case("int8_asymmetric_clamped", {**ASYMMETRIC, **TENSOR}, [2], [-1.5, 253.5],
         "by hand: scale 1; lo / scale = -1.5 rounds to -2, 253.5 to 254, whose "
         "code 128 is clamped to 127",
         {"codes": [-128, 127], "scales": [1.0], "zero_points": [-126]})
    case("ternary_clip", {**TERNARY, **TENSOR, "clip": "1.5"}, [4], [100, 0.5, -1.5, -0.5],
         "by hand: 100 counts as 1.5, so the mean is 1",
         {"codes": [1, 0, -1, 0], "scales": [1.0]})
    case("int8_clip", {**INT8, **TENSOR, "clip": "127"}, [4], [1000, -1000, 3, 0.25],
         "by hand: +-1000 count as +-127, scale 1",
         {"codes": [127, -127, 3, 0], "scales": [1.0]})
    case("int8_asymmetric_clip", {**ASYMMETRIC, **TENSOR, "clip": "127.5"}, [4],
         [1000, -1000, 3, 0],
         "by hand: range -127.5..127.5, scale 1; -127.5 rounds to the even -128, so "
         "the zero point is 0; 127.5 rounds to 128, clamped to 127",
         {"codes": [127, -128, 3, 0], "scales": [1.0], "zero_points": [0]})
    case("clip_beyond_the_values", {**INT8, **TENSOR, "clip": "500"}, [2], [127, -1],
         "by hand: a clip above every value changes nothing",
         {"codes": [127, -1], "scales": [1.0]})
    case("ternary_scale_floor", {**TERNARY, **TENSOR}, [2], [2.0**-20, -(2.0**-18)],
         "by hand: the mean 2.4e-6 is raised to 1e-5; 0.095 and -0.38 round to 0",
         {"codes": [0, 0], "scales": [1e-5]})


def zeros_and_extremes():
    for name, config in FORMATS.items():
        case(f"{name}_zeros", {**config, **TENSOR}, [3], [0, 0, 0],
             "by hand: scale, zero point and codes 0",
             {"codes": [0, 0, 0], "scales": [0.0]})
        case(f"{name}_negative_zeros", {**config, **TENSOR}, [2], [-0.0, 0.0],
             "by hand: -0 is a zero like the other",
             {"codes": [0, 0], "scales": [0.0], "dequantized": ["00000000"] * 2})
        case(f"{name}_zero_group", {**config, **group(4)}, [2, 8],
             [0, 0, 0, 0, 1, -1, 2, -2, 4, 0, -4, 0, 0, 0, 0, 0])
        case(f"{name}_subnormal", {**config, **TENSOR}, [4],
             [FLT_TRUE_MIN * 8, -FLT_TRUE_MIN * 2, 0, FLT_TRUE_MIN])
        case(f"{name}_one_element", {**config, **group(128)}, [1], [-0.75])
    case("ternary_mean_underflows", {**TERNARY, **TENSOR}, [4], [FLT_TRUE_MIN, 0, 0, 0],
         "by hand: a quarter of the least subnormal rounds to 0, so the scale is 0",
         {"codes": [0, 0, 0, 0], "scales": [0.0]})
    case("ternary_max_float", {**TERNARY, **TENSOR}, [4], [FLT_MAX, -FLT_MAX, FLT_MAX, 0],
         "the definition; 1 / scale is subnormal, the sum exceeds a float32")
    case("ternary_all_max_float", {**TERNARY, **group(4)}, [6], [FLT_MAX] * 4 + [-FLT_MAX] * 2)
    case("int8_huge", {**INT8, **TENSOR}, [4],
         [127 * 2.0**121, -127 * 2.0**121, 2.0**127, 2.0**120],
         "by hand: scale 2**121; half a scale rounds to 0",
         {"codes": [127, -127, 64, 0], "scales": [2.0**121]})
    case("int8_asymmetric_max_float", {**ASYMMETRIC, **TENSOR}, [4],
         [FLT_MAX, FLT_MAX / F32(2), 0, 1])
    case("int8_max_float", {**INT8, **TENSOR}, [3], [FLT_MAX, -FLT_MAX, 0],
         "the definition: 127 steps of the scale do not overflow")
    case("int8_asymmetric_whole_range", {**ASYMMETRIC, **TENSOR}, [4],
         [FLT_MAX, -FLT_MAX, 0, FLT_MAX / F32(2)],
         "the definition: 128 steps of the scale do not overflow")
    case("int8_asymmetric_overflowing_range", {**ASYMMETRIC, **TENSOR}, [4],
         [765 * 2.0**118, -765 * 2.0**118, 3 * 2.0**119, 0],
         "by hand: the range exceeds a float32, the scale 3 * 2**119 does not; -127.5 rounds "
         "to the even -128, so the zero point is 0; 127.5 rounds to 128, clamped to 127",
         {"codes": [127, -128, 1, 0], "scales": [3 * 2.0**119], "zero_points": [0]})
    case("int8_least_scale", {**INT8, **TENSOR}, [4],
         [FLT_MIN * 3, -FLT_MIN, FLT_MIN / F32(2), FLT_MIN * F32(2.5)],
         "by hand: the scale is raised to the least normal float32",
         {"codes": [3, -1, 0, 2], "scales": [FLT_MIN]})
    case("int8_asymmetric_least_scale", {**ASYMMETRIC, **TENSOR}, [3],
         [-FLT_MIN * 5, FLT_MIN * 7, 0],
         "by hand: the scale is raised to the least normal float32",
         {"codes": [-128, -116, -123], "scales": [FLT_MIN], "zero_points": [-123]})


def shapes():
    for name, config in FORMATS.items():
        case(f"{name}_rank_0", {**config, **TENSOR}, [], [-1.25])
        case(f"{name}_rank_0_group", {**config, **group(16)}, [], [1.25])
        case(f"{name}_rank_1_channels", {**config, **channel(0)}, [5], noise(5, 30))
        for axis in (0, 1, -1):
            case(f"{name}_rank_2_axis_{axis}", {**config, **channel(axis)}, [3, 5],
                 noise(15, 31))
        for axis in (0, 1, 2, -1, -2):
            case(f"{name}_rank_3_axis_{axis}", {**config, **channel(axis)}, [2, 3, 5],
                 noise(30, 32))
        case(f"{name}_rank_4_axis_2", {**config, **channel(2)}, [2, 2, 3, 3], noise(36, 33))
        case(f"{name}_rank_8", {**config, **group(4)}, [2, 1, 2, 1, 2, 1, 3, 1], noise(24, 34))
        case(f"{name}_rank_3_tensor", {**config, **TENSOR}, [3, 2, 3], noise(18, 35))
        case(f"{name}_rank_3_group", {**config, **group(4)}, [2, 3, 3], noise(18, 36),
             "the definition; groups run over the flattened rest of each row")
        case(f"{name}_odd_columns", {**config, **TENSOR}, [3, 7], noise(21, 37))
        case(f"{name}_one_column", {**config, **group(8)}, [5, 1], noise(5, 38))
        case(f"{name}_defaults", dict(config), [2, 3], noise(6, 39),
             "the definition; groups of 128 by default, which one row does not fill")
        case(f"{name}_empty", {**config, **group(4)}, [0], [])
        case(f"{name}_empty_tensor", {**config, **TENSOR}, [0], [],
             "by hand: the one parameter of nothing is 0", {"scales": [0.0]})
        case(f"{name}_empty_columns_channels", {**config, **channel(0)}, [3, 0], [],
             "by hand: three channels of nothing", {"scales": [0.0] * 3})
        case(f"{name}_empty_rows", {**config, **group(4)}, [0, 6], [])
        case(f"{name}_empty_columns", {**config, **group(4)}, [3, 0], [])
        case(f"{name}_empty_channels", {**config, **channel(1)}, [3, 0], [])


def groups():
    for name, config in FORMATS.items():
        for size in (1, 2, 3, 5, 8, 16):
            case(f"{name}_group_{size}", {**config, **group(size)}, [3, 13], noise(39, 40),
                 "the definition; the last group of each row is short")
        case(f"{name}_group_divides", {**config, **group(8)}, [2, 16], noise(32, 41))
        case(f"{name}_group_exceeds_row", {**config, **group(1000)}, [2, 9], noise(18, 42))
        case(f"{name}_group_clip", {**config, **group(6), "clip": "0.75"}, [2, 15],
             noise(30, 43))
        case(f"{name}_large_group", {**config, **group(128)}, [2, 300], noise(600, 44))
        case(f"{name}_large_tensor", {**config, **TENSOR}, [601], noise(601, 45))
    case("int8_rough", {**INT8, **group(32)}, [3, 67], rough(201, 46))
    case("int8_asymmetric_rough", {**ASYMMETRIC, **group(32)}, [3, 67], rough(201, 47))
    case("int8_asymmetric_rough_channels", {**ASYMMETRIC, **channel(1)}, [5, 6, 2],
         rough(60, 48))


def metric_cases():
    x = noise(200, 60)
    coarse = [round(v * 8) / 8 for v in x]
    pairs = {
        "by_hand": ([1, 2, -2, 4], [1, 1, -2, 2]),
        "equal": ([0.5, -3, 0], [0.5, -3, 0]),
        "both_zero": ([0, 0, 0], [0, 0, 0]),
        "original_zero": ([0, 0], [1, -2]),
        "other_zero": ([3, -4], [0, 0]),
        "opposite": ([1, -2, 3], [-1, 2, -3]),
        "orthogonal": ([1, 1, 0, 0], [1, -1, 0, 0]),
        "one_element": ([2], [-0.5]),
        "max_float": ([FLT_MAX, -FLT_MAX, 1], [FLT_MAX, FLT_MAX, 0]),
        "subnormal": ([FLT_TRUE_MIN, 0], [FLT_TRUE_MIN * 3, FLT_TRUE_MIN]),
        "wide_range": ([1e10, 1, 0, -1], [1e10, 2, 1, -4]),
        "one_error_among_many": (x[:100], x[:57] + [9.5] + x[58:100]),
        "rounded": (x, coarse),
        "unrelated": (x, noise(200, 61)),
    }
    hand = {
        "by_hand": {"mse": 1.25, "mae": 0.75, "max_error": 2.0, "sqnr_db": 10 * math.log10(5)},
        "equal": {"mse": 0.0, "mae": 0.0, "max_error": 0.0, "sqnr_db": "inf", "cosine": 1.0},
        "both_zero": {"mse": 0.0, "sqnr_db": "inf", "cosine": 1.0},
        "original_zero": {"mse": 2.5, "mae": 1.5, "sqnr_db": "-inf", "cosine": 0.0},
        "other_zero": {"mse": 12.5, "mae": 3.5, "sqnr_db": 0.0, "cosine": 0.0},
        "opposite": {"cosine": -1.0, "max_error": 6.0},
        "orthogonal": {"cosine": 0.0},
    }
    out = []
    for name, (original, other) in pairs.items():
        original, other = ([float(F32(v)) for v in side] for side in (original, other))
        values = metrics(original, other)
        for key, expected in hand.get(name, {}).items():
            assert values[key] == expected, (name, key, values[key], expected)
        out.append({"name": name, "original": original, "other": other, "metrics": values})
    return out


def error_cases():
    six = [1, -1, 2, -2, 3, -3]
    finite = noise(20, 70)

    def spoilt(index, value):
        return finite[:index] + [value] + finite[index + 1:]

    def error(name, config, shape, values, status, message):
        return {"name": name, "config": config, "shape": shape,
                "input": [v if isinstance(v, str) else float(F32(v)) for v in values],
                "status": status, "message": message}

    bad = "invalid argument"
    return [
        error("nan", {**TERNARY, **TENSOR}, [20], spoilt(13, "nan"), "non-finite value", "13"),
        error("infinity", {**INT8, **TENSOR}, [20], spoilt(19, "inf"), "non-finite value", "19"),
        error("negative_infinity", {**ASYMMETRIC, **group(4)}, [4, 5], spoilt(17, "-inf"),
              "non-finite value", "17"),
        error("first_of_several", {**INT8, **channel(1)}, [2, 10],
              ["nan" if i in (12, 13, 18) else v for i, v in enumerate(finite)],
              "non-finite value", "12"),
        error("clip_does_not_mend_nan", {**INT8, **TENSOR, "clip": "1"}, [20],
              spoilt(14, "nan"), "non-finite value", "14"),
        error("clip_does_not_mend_infinity", {**TERNARY, **TENSOR, "clip": "1"}, [20],
              spoilt(15, "inf"), "non-finite value", "15"),
        error("ternary_asymmetric", {**TERNARY, "scheme": "asymmetric"}, [6], six,
              "unsupported", "ternary"),
        error("unknown_option", {"group_sise": "64"}, [6], six, "not found", "group_sise"),
        error("unknown_format", {"format": "int9"}, [6], six, bad, "int9"),
        error("unknown_scheme", {"scheme": "lopsided"}, [6], six, bad, "lopsided"),
        error("unknown_granularity", {"granularity": "row"}, [6], six, bad, "granularity"),
        error("group_size_zero", group(0), [6], six, bad, "group_size"),
        error("group_size_negative", group(-8), [6], six, bad, "group_size"),
        error("group_size_no_number", {"group_size": "many"}, [6], six, bad, "many"),
        error("group_size_with_tail", {"group_size": "64k"}, [6], six, bad, "64k"),
        error("group_size_empty", {"group_size": ""}, [6], six, bad, "group_size"),
        error("group_size_too_large_for_an_integer", {"group_size": "99999999999999999999"},
              [6], six, bad, "group_size"),
        error("axis_out_of_bounds", channel(8), [2, 3], six, bad, "axis"),
        error("axis_beyond_the_rank", {**INT8, **channel(2)}, [2, 3], six, bad, "axis"),
        error("axis_before_the_first", {**INT8, **channel(-3)}, [2, 3], six, bad, "axis"),
        error("clip_negative", {"clip": "-1"}, [6], six, bad, "clip"),
        error("clip_nan", {"clip": "nan"}, [6], six, bad, "clip"),
        error("clip_infinite", {"clip": "inf"}, [6], six, bad, "clip"),
    ]


# ----------------------------------------------------------------------------
# Files


def write(path, description, cases):
    """One line to a member, so that a change of one value is a small diff."""
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write("{\n  \"description\": %s,\n  \"cases\": [" % json.dumps(description))
        for i, entry in enumerate(cases):
            members = ",\n".join(f"      {json.dumps(key)}: {json.dumps(value)}"
                                 for key, value in entry.items())
            file.write("%s\n    {\n%s\n    }" % ("," if i else "", members))
        file.write("\n  ]\n}\n")


def main():
    target = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__)
    if target.is_file():
        target = target.parent
    for add in (known_by_hand, zeros_and_extremes, shapes, groups):
        add()
    write(target / "quantize.json",
          "Arrays, options, and the codes, scales and values they give.", QUANTIZE)
    write(target / "metrics.json",
          "Pairs of float32 arrays and the metrics between them.", metric_cases())
    write(target / "errors.json",
          "Options and arrays that are refused, and how.", error_cases())


if __name__ == "__main__":
    main()
