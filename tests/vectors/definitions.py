"""The formats as they are defined, with numpy and Python's integers.

Written for reading, not for speed: the expected values of the vectors come from
here. All arithmetic is that of float32 unless it says otherwise.

SPDX-License-Identifier: MIT
"""
import math
from fractions import Fraction

import numpy as np

import codebooks
import double_quant
import philox
import tables
from small_floats import (FLOATS, FLT_MAX, FLT_MIN, e4m3_scales, e8m0_codes, exponent,
                          power_of_two)

F32 = np.float32
FLT_TRUE_MIN = F32(2.0**-149)

DEFAULTS = {
    "format": "ternary", "granularity": "group", "group_size": "128", "axis": "0",
    "scheme": "symmetric", "clip": "0", "non_finite": "error", "rounding": "half_even",
    "seed": "0", "scale_rule": "default", "percentile": "99.9",
    "symmetric_range": "narrow", "scale_dtype": "f32", "double_quant": "off",
    "packing": "default", "outlier_threshold": "0", "saturate": "on",
}
# The greatest code of the symmetric integer formats.
GREATEST = {"ternary": 1, "int8": 127, "int6": 31, "int5": 15, "int4": 7, "int3": 3, "int2": 1}
BITS = {"int6": 6, "int5": 5, "int4": 4, "int3": 3, "int2": 2, "binary": 1,
        "codebook4": 4, "codebook3": 3, "codebook2": 2}


class Options:
    """A case's options, with the defaults of those it does not name."""

    def __init__(self, config):
        for name, default in DEFAULTS.items():
            setattr(self, name, config.get(name, default))
        assert set(config) <= set(DEFAULTS), config
        self.asymmetric = self.scheme == "asymmetric"
        self.offset = self.scheme == "offset"


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
    if o.granularity == "tile":
        rows, columns = (1, 1, *shape)[-2:]
        down, across = -(-rows // size), -(-columns // size)
        matrix, place = index // max(rows * columns, 1), index % max(rows * columns, 1)
        tile = place // max(columns, 1) // size * across + place % max(columns, 1) // size
        return math.prod(shape[:-2]) * down * across, matrix * down * across + tile
    rows, columns = matrix_shape(shape)
    groups = -(-columns // size)
    column, row = index % max(columns, 1), index // max(columns, 1)
    return rows * groups, row * groups + column // size


# ----------------------------------------------------------------------------
# Statistics


def exact_sum(x, bits=53):
    """The sum of x, having made sure that summing in any order gives it.

    All elements are multiples of the least bit of any of them, and the sum of
    the magnitudes is below 2**bits of those: no partial sum is ever rounded.
    """
    exact = [Fraction(float(v)) for v in x]
    unit = Fraction(1, max((v.denominator for v in exact), default=1))
    if unit == 1 and any(exact):
        unit = Fraction(math.gcd(*(int(v) for v in exact)))
    assert sum(map(abs, exact)) / unit <= 2**bits, "a sum that depends on the order of summing"
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
    if o.scale_rule == "absmean" or \
            o.scale_rule == "default" and o.format in ("ternary", "binary"):
        a = F32(mean(m))
        if o.format in ("ternary", "binary"):
            return a
        # The start of LSQ is this over q, which the scale will be.
        with np.errstate(over="ignore"):
            return F32(2 * math.sqrt(GREATEST[o.format]) * float(a))
    return np.max(m, initial=F32(0))


def limits(x, o):
    """The range of an asymmetric segment or one with an offset."""
    if not x.size:
        return F32(0), F32(0)
    tail = 0
    if o.scale_rule == "percentile":
        tail = math.floor((100 - Fraction(o.percentile)) / 200 * x.size)
    ascending = np.sort(x)
    return ascending[tail], ascending[-1 - tail]


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
    if o.format in tables.TABLES or o.format == "binary":
        return usable(m, 1)
    if o.format in FLOATS:
        return float_scale(m, o)
    if o.format == "ternary":
        return max(m, F32(1e-5))
    if o.format in codebooks.STARTS:
        return usable(x[np.argmax(np.abs(x))], codebooks.GREATEST_ENTRY)
    q = GREATEST[o.format]
    if o.symmetric_range == "full":
        return usable(m / (F32(q) + F32(0.5)), q + 1)
    if o.symmetric_range == "extreme":
        first = x[np.argmax(np.abs(x))]
        assert abs(first) == m, "extreme is that of absmax"
        return usable(first / F32(-q - 1), q + 1)
    return usable(m / F32(q), q)


def float_scale(m, o):
    """max |x| / the greatest number, or the power of two of OCP MX 1.0, section 6.3."""
    type = FLOATS[o.format]
    if o.scale_dtype == "e8m0":
        return power_of_two(exponent(m) - type.greatest_exponent)
    scale = max(m / F32(type.numbers[type.greatest]), FLT_MIN)
    too_much = float(scale) * type.numbers[type.greatest] > float(FLT_MAX)
    return np.nextafter(scale, F32(0)) if too_much else scale


def step(lo, hi, steps):
    with np.errstate(over="ignore"):
        width = hi - lo
    return width / steps if np.isfinite(width) else hi / steps - lo / steps


def asymmetric_parameters(x, o):
    """The scale and the zero point; the range always includes 0."""
    lo, hi = limits(x, o)
    lo, hi = min(lo, F32(0)), max(hi, F32(0))
    if lo == 0 and hi == 0:
        return F32(0), 0
    q = GREATEST[o.format]
    scale = max(step(lo, hi, F32(2 * q + 1)), FLT_MIN)
    zero_point = int(np.clip(-q - 1 - np.rint(lo / scale), -q - 1, q))
    return usable(scale, max(zero_point + q + 1, q - zero_point)), zero_point


def offset_parameters(x, o):
    """The scale and the offset, which is the least value; codes count from it.

    Ranges end at a quarter of float32, so that no sum overflows once both are rounded."""
    lo, hi = (np.clip(v, -FLT_MAX / F32(4), FLT_MAX / F32(4)) for v in limits(x, o))
    offset = lo + F32(0)  # never -0
    if lo == hi:
        return F32(0), offset
    steps = 2 * GREATEST[o.format] + 1
    return usable(step(lo, hi, F32(steps)), steps), offset


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
    if o.format in FLOATS:
        return int(FLOATS[o.format].numbers[FLOATS[o.format].greatest])
    if o.format in codebooks.STARTS:
        return codebooks.GREATEST_ENTRY
    if o.format not in GREATEST or o.format == "ternary":
        return 1
    q = GREATEST[o.format]
    if o.offset:
        return 2 * q + 1
    if o.asymmetric:
        return max(zero_point + q + 1, q - zero_point)
    return q if o.symmetric_range == "narrow" else q + 1


def stored_scale(scale, dtype, steps, signs=False):
    """What a type keeps of a scale: neither infinity nor, unless it is 0, 0. Powers of
    two are the next one up, of signs the nearest one.

    Where `steps` of what it is rounded up to would overflow, the next lower number.
    """
    if dtype in ("f32", "e4m3") or scale == 0:
        return scale
    if dtype == "e8m0":
        if signs:  # the nearest power: the next one up from here
            scale = F32(scale) / F32(1.5)
        kept = power_of_two(exponent(scale) + (math.frexp(float(scale))[0] != 0.5))
        return kept if Fraction(float(kept)) * steps <= Fraction(float(FLT_MAX)) \
            else kept / F32(2)
    narrow, widen, greatest, least = HALVES[dtype]
    kept = widen(narrow(np.array([scale], F32)))[0]
    kept = min(max(abs(kept), least), greatest)
    if Fraction(float(kept)) * steps > Fraction(float(FLT_MAX)):
        kept = widen(narrow(np.array([kept], F32)) - np.uint16(1))[0]
    return np.copysign(kept, scale)


def stored_offset(offset, dtype):
    """The nearest number that the type holds, never infinite."""
    if dtype == "f32":
        return offset
    narrow, widen, greatest, _ = HALVES[dtype]
    return widen(narrow(np.array([np.clip(offset, -greatest, greatest)], F32)))[0]


def stored_together(scales, o):
    """What scales (or offsets) become, and their bytes where they are not float32."""
    if o.double_quant == "on":
        return double_quant.quantize(scales, mean)
    if o.scale_dtype == "e8m0":
        return [power_of_two(-127) if s == 0 else s for s in scales], e8m0_codes(scales)
    if o.scale_dtype == "f32":
        return scales, None
    return scales, HALVES[o.scale_dtype][0](np.array(scales, F32)).tobytes()


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
    if o.rounding == "half_toward_zero":
        return np.copysign(np.ceil(np.abs(exact) - 0.5), exact)
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
    lo = -q if o.scheme == "symmetric" and o.symmetric_range == "narrow" else -q - 1
    v = np.clip(scaled(x, scale), F32(lo - zero_point), F32(q - zero_point))
    return np.clip(rounded(v, o, index).astype(int) + zero_point, lo, q)


def encoded(x, scale, zero_point, offset, o, index):
    if o.format == "binary":
        return np.where(x < 0, -1, 1)
    if o.format in tables.TABLES:
        return tables.encode(scaled(x, scale), o.format)
    if o.format in codebooks.STARTS:
        return codebooks.encode(scaled(x, scale), o.codebook)
    if o.format in FLOATS:
        # Codes of 8 bits are signed bytes.
        v = scaled(x, scale) if scale else np.copysign(F32(0), x)
        codes = FLOATS[o.format].encode(v, o.saturate == "on", o.rounding)
        return codes if o.format == "e2m1" else codes.astype(np.uint8).view(np.int8)
    with np.errstate(over="ignore"):
        from_offset = x - offset
    return integer_codes(from_offset, scale, zero_point, o, index)


def code_values(codes, zero_point, o):
    """What codes stand for, before the scale and the offset."""
    if o.format in tables.TABLES:
        return tables.TABLES[o.format][codes]
    if o.format in codebooks.STARTS:
        return o.codebook[codes]
    if o.format in FLOATS:
        return FLOATS[o.format].decode(codes)
    return (codes - zero_point).astype(F32)


# ----------------------------------------------------------------------------
# Packing: rows start on bytes; element 0 is in the low bits, or leads


def in_rows(codes, shape, o):
    if o.granularity == "block":
        return codes.reshape(1, codes.size)
    if o.granularity == "tile" and len(shape) > 2:
        return codes.reshape(-1, shape[-1]) if codes.size else codes.reshape(0, 0)
    return codes.reshape(matrix_shape(shape))


def digits(row, size, fill):
    """Pieces of `size` codes, the last filled up."""
    row = [int(c) for c in row]
    for i in range(0, len(row), size):
        yield row[i:i + size] + [fill] * (size - len(row[i:i + size]))


def bit_stream(row, format):
    """The first code in the lowest bits, of bytes or of numbers of as many bytes as bits."""
    bits = BITS[format]
    bias = 0 if format in codebooks.STARTS else 2**(bits - 1)
    stored = [int(c > 0) if format == "binary" else int(c) + bias for c in row]
    per_piece = 8 // bits if 8 % bits == 0 else 8
    out = bytearray()
    for piece in digits(stored, per_piece, 0):
        number = sum(c << bits * k for k, c in enumerate(piece))
        out += number.to_bytes(per_piece * bits // 8, "little")
    return out


def pack(codes, shape, o):
    out = bytearray()
    for row in in_rows(codes, shape, o):
        if o.format == "int8" and o.offset:
            out += (row + 128).astype(np.uint8).tobytes()
        elif o.format in ("int8", "e4m3", "e5m2"):
            out += row.astype(np.int8).tobytes()
        elif o.format == "e2m1":
            out += bytes(a | b << 4 for a, b in digits(row, 2, 0))
        elif o.format in BITS:
            out += bit_stream(row, o.format)
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


def parameters(x, o):
    """Of a segment: the scale, before it is stored, the zero point and the offset."""
    if o.asymmetric:
        return *asymmetric_parameters(x, o), F32(0)
    if o.offset:
        scale, offset = offset_parameters(x, o)
        return scale, -GREATEST[o.format] - 1, offset
    return symmetric_scale(x, o), 0, F32(0)


def quantize(config, shape, values, given=None):
    """What an array is quantized to; with the scales, zero points and offsets of `given`,
    three numbers for each segment, where they are not to be found."""
    o = Options(config)
    x = prepared(values, o)
    assert x.size == math.prod(shape)
    if o.format in HALVES:
        return quantize_halves(x, o)
    big, outlier_columns = outliers(x, shape, o)
    kept_apart = np.isin(np.arange(x.size) % max(math.prod(shape[-1:]), 1), outlier_columns)
    judged = np.where(big, F32(0), x)

    count, segment = segments(shape, o)
    scales, zero_points, offsets = [], [], []
    for s in range(count):
        scale, zero_point, offset = given[s] if given is not None else \
            parameters(judged[segment == s], o)
        if not (o.format in FLOATS and o.scale_dtype == "e8m0" and given is None):
            scale = stored_scale(F32(scale), o.scale_dtype, greatest_multiple(zero_point, o),
                                 o.format == "binary" and given is None)
        scales.append(scale)
        zero_points.append(zero_point)
        offsets.append(stored_offset(offset, o.scale_dtype) if o.offset else offset)

    extra, coding, coding_offsets = {}, scales, offsets
    if o.format in codebooks.STARTS and x.size:
        pieces = [x[segment == s] for s in range(count)]
        extremes = [p[np.argmax(np.abs(p))] if p.size else F32(0) for p in pieces]
        o.codebook = codebooks.fit(o.format, pieces, extremes)
        extra["codebook"] = [float_bits(v) for v in o.codebook]
    if o.scale_dtype == "e4m3":
        scales, stored, of_tensor = e4m3_scales(scales)
        if count:
            extra["tensor_scale"] = float_bits(of_tensor)
    else:
        scales, stored = stored_together(scales, o)
    if stored is not None:
        extra["scale_bytes"] = stored.hex()
    if o.offset:
        offsets, stored = stored_together(offsets, o)
        extra["offsets"] = [float_bits(v) for v in offsets]
        if stored is not None:
            extra["offset_bytes"] = stored.hex()
    if o.scale_dtype == "e4m3" or o.double_quant == "on" and o.format not in tables.TABLES:
        # Coded with what is stored, as bitsandbytes does not.
        coding = [F32(0) if abs(v) < FLT_MIN else v for v in scales]
        coding_offsets = offsets
    codes = np.zeros(x.size, int)
    for s in range(count):
        own = np.flatnonzero(segment == s)
        codes[own] = encoded(x[own], coding[s], zero_points[s], coding_offsets[s], o, own)
        if outlier_columns:
            codes[own[kept_apart[own]]] = zero_points[s]
    dequantized = np.zeros(x.size, F32)
    for s in range(count):
        own = segment == s
        values = code_values(codes[own], zero_points[s], o) * scales[s]
        dequantized[own] = values + offsets[s] if offsets[s] else values

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
