"""The formats as they are defined, with numpy and Python's integers.

Written for reading, not for speed: the expected values of the vectors come from
here. All arithmetic is that of float32 unless it says otherwise.

SPDX-License-Identifier: MIT
"""
import math
from fractions import Fraction

import numpy as np

import double_quant
import philox
import tables

F32 = np.float32
FLT_MIN = F32(2.0**-126)
FLT_MAX = F32((2 - 2.0**-23) * 2.0**127)
FLT_TRUE_MIN = F32(2.0**-149)

DEFAULTS = {
    "format": "ternary", "granularity": "group", "group_size": "128", "axis": "0",
    "scheme": "symmetric", "clip": "0", "non_finite": "error", "rounding": "half_even",
    "seed": "0", "scale_rule": "default", "percentile": "99.9",
    "symmetric_range": "narrow", "scale_dtype": "f32", "double_quant": "off",
    "packing": "default", "outlier_threshold": "0",
}
# The greatest code of the symmetric integer formats.
GREATEST = {"ternary": 1, "int8": 127, "int4": 7}


class Options:
    """A case's options, with the defaults of those it does not name."""

    def __init__(self, config):
        for name, default in DEFAULTS.items():
            setattr(self, name, config.get(name, default))
        assert set(config) <= set(DEFAULTS), config
        self.asymmetric = self.scheme == "asymmetric"


# ----------------------------------------------------------------------------
# Who shares parameters


def matrix_shape(shape):
    """Rows and columns of the matrix an array counts as."""
    if len(shape) < 2:
        return 1, math.prod(shape)
    return shape[0], math.prod(shape[1:])


def segments(shape, o):
    """The number of parameter sets, and which one each element uses."""
    index = np.arange(math.prod(shape))
    size = int(o.group_size)
    if o.granularity == "tensor":
        return 1, np.zeros(index.size, int)
    if o.granularity == "channel":
        axis = int(o.axis) % len(shape)
        channels = shape[axis] if index.size else 0  # without elements they share nothing
        return channels, index // math.prod(shape[axis + 1:]) % max(shape[axis], 1)
    if o.granularity == "token":
        return math.prod(shape[:-1]), index // max(math.prod(shape[-1:]), 1)
    if o.granularity == "block":
        return -(-index.size // size), index // size
    rows, columns = matrix_shape(shape)
    groups = -(-columns // size)
    column, row = index % max(columns, 1), index // max(columns, 1)
    return rows * groups, row * groups + column // size


# ----------------------------------------------------------------------------
# Statistics


def exact_sum(x):
    """The sum of x, having made sure that summing in any order gives it.

    All elements are multiples of the least bit of any of them, and the sum of
    the magnitudes is below 2**53 of those: no partial sum is ever rounded.
    """
    exact = [Fraction(float(v)) for v in x]
    unit = Fraction(1, max((v.denominator for v in exact), default=1))
    if unit == 1 and any(exact):
        unit = Fraction(math.gcd(*(int(v) for v in exact)))
    assert sum(map(abs, exact)) / unit <= 2**53, "a sum that depends on the order of summing"
    return float(sum(exact, Fraction(0)))


def mean(x):
    """The mean in float64."""
    return exact_sum(x) / len(x) if len(x) else 0.0


def magnitude(x, o):
    """The statistic that the scale of a symmetric segment is made from."""
    m = np.abs(x)
    if o.scale_rule == "percentile" and m.size:
        rank = max(math.ceil(Fraction(o.percentile) / 100 * m.size), 1)
        return np.sort(m)[rank - 1]
    if o.scale_rule == "absmean" or (o.format, o.scale_rule) == ("ternary", "default"):
        a = F32(mean(m))
        if o.format == "ternary":
            return a
        # The start of LSQ is this over q, which the scale will be.
        with np.errstate(over="ignore"):
            return F32(2 * math.sqrt(GREATEST[o.format]) * float(a))
    return np.max(m, initial=F32(0))


def limits(x, o):
    """The range of an asymmetric segment, which always includes 0."""
    if not x.size:
        return F32(0), F32(0)
    tail = 0
    if o.scale_rule == "percentile":
        tail = math.floor((100 - Fraction(o.percentile)) / 200 * x.size)
    ascending = np.sort(x)
    return min(ascending[tail], F32(0)), max(ascending[-1 - tail], F32(0))


# ----------------------------------------------------------------------------
# Scales


def usable(scale, steps):
    """scale, within the normal numbers and so that no value overflows.

    At least FLT_MIN, at most FLT_MAX / steps rounded down.
    """
    limit = FLT_MAX / F32(steps)
    if Fraction(float(limit)) * steps > Fraction(float(FLT_MAX)):
        limit = np.nextafter(limit, F32(0))
    return np.copysign(min(max(abs(scale), FLT_MIN), limit), scale)


def symmetric_scale(x, o):
    m = magnitude(x, o)
    if m == 0:
        return F32(0)
    if o.format in tables.TABLES:
        return usable(m, 1)
    if o.format == "ternary":
        return max(m, F32(1e-5))
    q = GREATEST[o.format]
    if o.symmetric_range == "full":
        return usable(m / (F32(q) + F32(0.5)), q + 1)
    if o.symmetric_range == "extreme":
        first = x[np.argmax(np.abs(x))]
        assert abs(first) == m, "extreme is that of absmax"
        return usable(first / F32(-q - 1), q + 1)
    return usable(m / F32(q), q)


def asymmetric_parameters(x, o):
    lo, hi = limits(x, o)
    if lo == 0 and hi == 0:
        return F32(0), 0
    q = GREATEST[o.format]
    steps = F32(2 * q + 1)
    with np.errstate(over="ignore"):
        width = hi - lo
    scale = width / steps if np.isfinite(width) else hi / steps - lo / steps
    scale = max(scale, FLT_MIN)
    zero_point = int(np.clip(-q - 1 - np.rint(lo / scale), -q - 1, q))
    return usable(scale, max(zero_point + q + 1, q - zero_point)), zero_point


def to_f16(x):
    """Nearest binary16, ties to even; any NaN is the quiet one of its sign."""
    with np.errstate(over="ignore"):
        bits = np.asarray(x, F32).astype(np.float16).view(np.uint16)
    return np.where(np.isnan(x), np.signbit(x) * 0x8000 | 0x7E00, bits).astype("<u2")


def to_bf16(x):
    """Nearest bfloat16, ties to even; NaN keeps its upper bits, made quiet."""
    bits = np.asarray(x, F32).view(np.uint32).astype(np.uint64)
    nearest = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    return np.where(np.isnan(x), bits >> 16 | 0x40, nearest).astype("<u2")


def from_f16(words):
    return words.view(np.float16).astype(F32)


def from_bf16(words):
    return (words.astype(np.uint32) << 16).view(F32)


HALVES = {"f16": (to_f16, from_f16, F32(65504), F32(2.0**-24)),
          "bf16": (to_bf16, from_bf16, F32((2 - 2.0**-7) * 2.0**127), F32(2.0**-133))}


def greatest_multiple(zero_point, o):
    """The most scales that a value is."""
    if o.format in tables.TABLES or o.format == "ternary":
        return 1
    q = GREATEST[o.format]
    if o.asymmetric:
        return max(zero_point + q + 1, q - zero_point)
    return q if o.symmetric_range == "narrow" else q + 1


def stored_scale(scale, dtype, steps):
    """What a 16-bit type keeps of a scale: neither infinity nor, unless it is 0, 0.

    Where `steps` of what it is rounded up to would overflow, the next lower number.
    """
    if dtype == "f32" or scale == 0:
        return scale
    narrow, widen, greatest, least = HALVES[dtype]
    kept = widen(narrow(np.array([scale], F32)))[0]
    kept = min(max(abs(kept), least), greatest)
    if Fraction(float(kept)) * steps > Fraction(float(FLT_MAX)):
        kept = widen(narrow(np.array([kept], F32)) - np.uint16(1))[0]
    return np.copysign(kept, scale)


# ----------------------------------------------------------------------------
# Codes


def rounded(v, o, index):
    """v as integers. float64 holds v and v +- 0.5 exactly."""
    exact = v.astype(np.float64)
    # Next to an integer by less than a normal float32 counts as being one.
    near = np.abs(exact - np.rint(exact)) < float(FLT_MIN)
    exact = np.where(near, np.rint(exact), exact)
    if o.rounding == "half_even":
        return np.rint(exact)
    if o.rounding == "half_away":
        return np.copysign(np.floor(np.abs(exact) + 0.5), exact)
    if o.rounding == "half_up":
        return np.floor(exact + 0.5)
    if o.rounding == "stochastic":
        u = np.array([philox.uniform(int(o.seed), int(i)) for i in index], F32)
        below = np.floor(v)
        return below + (u < v - below)
    return {"floor": np.floor, "ceil": np.ceil, "toward_zero": np.trunc}[o.rounding](exact)


def scaled(x, scale):
    """x / scale, by the reciprocal; 0 where the scale is 0."""
    if scale == 0:
        return np.zeros_like(x)
    with np.errstate(over="ignore"):
        return x * (F32(1) / scale)


def integer_codes(x, scale, zero_point, o, index):
    q = GREATEST[o.format]
    lo = -q if not o.asymmetric and o.symmetric_range == "narrow" else -q - 1
    v = np.clip(scaled(x, scale), F32(lo - zero_point), F32(q - zero_point))
    return np.clip(rounded(v, o, index).astype(int) + zero_point, lo, q)


def code_values(codes, zero_point, o):
    """What codes stand for, before the scale."""
    if o.format in tables.TABLES:
        return tables.TABLES[o.format][codes]
    return (codes - zero_point).astype(F32)


# ----------------------------------------------------------------------------
# Packing: rows start on bytes; element 0 is in the low bits, or leads


def in_rows(codes, shape, o):
    rows, columns = matrix_shape(shape)
    return codes.reshape((1, codes.size) if o.granularity == "block" else (rows, columns))


def digits(row, size, fill):
    """Pieces of `size` codes, the last filled up."""
    row = [int(c) for c in row]
    for i in range(0, len(row), size):
        yield row[i:i + size] + [fill] * (size - len(row[i:i + size]))


def pack(codes, shape, o):
    out = bytearray()
    for row in in_rows(codes, shape, o):
        if o.format == "int8":
            out += row.astype(np.int8).tobytes()
        elif o.format == "int4":
            out += bytes((a + 8) | (b + 8) << 4 for a, b in digits(row, 2, -8))
        elif o.format in tables.TABLES:
            out += bytes(a << 4 | b for a, b in digits(row, 2, tables.ZERO_CODE[o.format]))
        elif o.packing == "base3":
            for five in digits(row, 5, -1):
                v = sum((c + 1) * 3**(4 - n) for n, c in enumerate(five))
                out.append(-(-v * 256 // 243))
        else:
            out += bytes(sum((c + 1) << 2 * k for k, c in enumerate(four))
                         for four in digits(row, 4, -1))
    return bytes(out)


# ----------------------------------------------------------------------------
# The whole


def float_bits(value):
    return "%08X" % int(F32(value).view(np.uint32))


def from_bits(bits):
    return np.array([int(bits, 16)], np.uint32).view(F32)[0]


def prepared(values, o):
    """The input as float32, after the options that change it."""
    x = np.array([float(v) for v in values], F32)
    assert all(float(a) == float(b) or np.isnan(a) for a, b in zip(x, values)), "not float32"
    if o.non_finite == "zero":
        x[~np.isfinite(x)] = 0
    clip = F32(o.clip)
    if clip > 0:
        x = np.clip(x, -clip, clip)
    assert o.non_finite == "keep" or np.isfinite(x).all()
    return x


def quantize_halves(x, o):
    narrow, widen, _, _ = HALVES[o.format]
    words = narrow(x)
    values = widen(words)
    assert o.non_finite == "keep" or np.isfinite(values).all()
    return {
        "packed": words.tobytes().hex(),
        "scales": [],
        "zero_points": [],
        "dequantized": [float_bits(v) for v in values],
    }


def outliers(x, shape, o):
    """Which elements are outliers, and which columns have any."""
    threshold = F32(o.outlier_threshold)
    columns = math.prod(shape[-1:])
    if threshold == 0 or columns == 0:
        return np.zeros(x.size, bool), []
    big = np.abs(x) >= threshold
    return big, [int(j) for j in np.flatnonzero(big.reshape(-1, columns).any(axis=0))]


def quantize(config, shape, values, given=None):
    """What an array is quantized to; with the scales and zero points of `given`, one
    pair for each segment, where they are not to be found."""
    o = Options(config)
    x = prepared(values, o)
    assert x.size == math.prod(shape)
    if o.format in HALVES:
        return quantize_halves(x, o)
    big, outlier_columns = outliers(x, shape, o)
    kept_apart = np.isin(np.arange(x.size) % max(math.prod(shape[-1:]), 1), outlier_columns)
    judged = np.where(big, F32(0), x)

    count, segment = segments(shape, o)
    scales, zero_points = [], []
    for s in range(count):
        own = np.flatnonzero(segment == s)
        if given is not None:
            scale, zero_point = given[s]
        elif o.asymmetric:
            scale, zero_point = asymmetric_parameters(judged[own], o)
        else:
            scale, zero_point = symmetric_scale(judged[own], o), 0
        scales.append(stored_scale(F32(scale), o.scale_dtype, greatest_multiple(zero_point, o)))
        zero_points.append(zero_point)

    extra, coding = {}, scales
    if o.double_quant == "on":
        scales, stored = double_quant.quantize(scales, mean)
        if o.format not in tables.TABLES:
            # Integers are coded with the scales as they are stored.
            coding = [F32(0) if abs(v) < np.finfo(F32).tiny else v for v in scales]
        extra["scale_bytes"] = stored.hex()
    elif o.scale_dtype != "f32":
        extra["scale_bytes"] = HALVES[o.scale_dtype][0](np.array(scales, F32)).tobytes().hex()
    codes = np.zeros(x.size, int)
    for s in range(count):
        own = np.flatnonzero(segment == s)
        if o.format in tables.TABLES:
            codes[own] = tables.encode(scaled(x[own], coding[s]), o.format)
        else:
            codes[own] = integer_codes(x[own], coding[s], zero_points[s], o, own)
            codes[own[kept_apart[own]]] = zero_points[s]
    dequantized = np.zeros(x.size, F32)
    for s in range(count):
        own = segment == s
        dequantized[own] = code_values(codes[own], zero_points[s], o) * scales[s]

    if outlier_columns:
        kept = x[kept_apart]
        dtype = "bf16" if (np.abs(kept) > 65504).any() else "f16"
        narrow, widen, _, _ = HALVES[dtype]
        dequantized[kept_apart] = widen(narrow(kept))
        extra["outlier_columns"] = outlier_columns
        extra["outlier_dtype"] = dtype.upper()
        extra["outlier_values"] = narrow(kept).tobytes().hex()
    return {
        "codes": [int(c) for c in codes],
        "packed": pack(codes, shape, o).hex(),
        "scales": [float_bits(s) for s in scales],
        "zero_points": zero_points if o.asymmetric else [],
        "dequantized": [float_bits(v) for v in dequantized],
        **extra,
    }
