"""Floating-point numbers of 8 bits or fewer: OCP 8-bit Floating Point (OFP8) 1.0 and
Microscaling Formats (MX) 1.0.

SPDX-License-Identifier: MIT
"""
import math

import numpy as np

F32 = np.float32
FLT_MIN = F32(2.0**-126)
FLT_MAX = F32((2 - 2.0**-23) * 2.0**127)


class SmallFloat:
    """A sign, exponent bits, mantissa bits; all values are exact in float64."""

    def __init__(self, exponent_bits, mantissa_bits, greatest, beyond):
        self.sign = 1 << exponent_bits + mantissa_bits
        self.greatest = greatest  # the code of the greatest number
        self.beyond = beyond      # what follows it: "none", "nan" or "inf"
        bias, m = 2**(exponent_bits - 1) - 1, 1 << mantissa_bits
        # What all codes would be if none of them were kept for other ends, and one more.
        self.numbers = np.array([
            c / m * 2.0**(1 - bias) if c < m else (1 + c % m / m) * 2.0**(c // m - bias)
            for c in range(self.sign + 1)])
        # The exponent of the greatest number: OCP's emax.
        self.greatest_exponent = math.frexp(self.numbers[greatest])[1] - 1

    def encode(self, v, saturate=True, rounding="half_even"):
        """The codes of float32 values: the nearest number's, of two the even code, or
        the lower number's, and then never -0."""
        a = np.abs(v.astype(np.float64))
        ascending = self.numbers[:self.greatest + 2]
        middles = (ascending[1:] + ascending[:-1]) / 2
        codes = np.searchsorted(middles, a, side="left")
        tie = (codes < middles.size) & (a == middles[np.minimum(codes, middles.size - 1)])
        assert rounding in ("half_even", "half_toward_zero")
        down = rounding == "half_toward_zero"
        codes = codes + (tie & (codes % 2 == 1) & (not down))
        most = self.greatest + (not saturate and self.beyond != "none")
        codes = np.minimum(codes, most)
        return codes | np.where(np.signbit(v) & ~((codes == 0) & down), self.sign, 0)

    def decode(self, codes):
        codes = np.asarray(codes)
        bits = codes & (self.sign - 1)
        values = self.numbers[bits].astype(F32)
        if self.beyond != "none":
            values[bits > self.greatest] = np.nan
        if self.beyond == "inf":
            values[bits == self.greatest + 1] = np.inf
        return np.where(codes & self.sign, -values, values)


FLOATS = {"e2m1": SmallFloat(2, 1, 0x7, "none"),
          "e4m3": SmallFloat(4, 3, 0x7E, "nan"),
          "e5m2": SmallFloat(5, 2, 0x7B, "inf")}
E4M3 = FLOATS["e4m3"]


def exponent(x):
    """floor(log2 x) of x > 0."""
    return math.frexp(float(x))[1] - 1


def power_of_two(e):
    """As e8m0 holds it: 2**-127 to 2**127."""
    return F32(2.0**min(max(e, -127), 127))


def e8m0_codes(scales):
    """0 is no power of two and is taken for the least."""
    return bytes(0 if s == 0 else exponent(s) + 127 for s in scales)


def tensor_scale(scales):
    """What e4m3 scales are multiples of: the greatest is to be 448."""
    greatest = F32(np.max(np.abs(scales), initial=F32(0)))
    if greatest == 0:
        return F32(0)
    scale = max(greatest / F32(448), FLT_MIN)
    return np.nextafter(scale, F32(0)) \
        if scale * F32(448) > greatest and scale > FLT_MIN else scale


def e4m3_scales(scales):
    """What the scales become, their bytes, and the tensor's scale."""
    scales = np.array(scales, F32)
    of_tensor = tensor_scale(scales)
    inverse = F32(1) / of_tensor if of_tensor else F32(0)
    codes = E4M3.encode(scales * inverse)
    # Only 0 is stored as 0.
    codes = np.where((scales != 0) & (codes & 0x7F == 0), codes | 1, codes)
    return list(E4M3.decode(codes) * of_tensor), bytes(int(c) for c in codes), of_tensor


def check():
    """The tables of the specifications."""
    e2m1 = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
    assert (FLOATS["e2m1"].decode(np.arange(16)) == e2m1 + [-v for v in e2m1]).all()
    assert np.signbit(FLOATS["e2m1"].decode([8]))
    # OFP8, table 1: the greatest, the least normal, greatest and least subnormal number.
    for name, numbers in (
            ("e4m3", {0x7E: 448, 0x08: 2.0**-6, 0x07: 0.875 * 2.0**-6, 0x01: 2.0**-9}),
            ("e5m2", {0x7B: 57344, 0x04: 2.0**-14, 0x03: 0.75 * 2.0**-14, 0x01: 2.0**-16})):
        for code, number in numbers.items():
            assert FLOATS[name].decode([code]) == number
            assert FLOATS[name].decode([code | 0x80]) == -number
    assert np.isnan(FLOATS["e4m3"].decode([0x7F, 0xFF])).all()
    assert (FLOATS["e5m2"].decode([0x7C, 0xFC]) == [np.inf, -np.inf]).all()
    assert np.isnan(FLOATS["e5m2"].decode([0x7D, 0x7E, 0x7F, 0xFD, 0xFE, 0xFF])).all()
    assert [f.greatest_exponent for f in FLOATS.values()] == [2, 8, 15]
    for f in FLOATS.values():
        finite = [c | s for s in (0, f.sign) for c in range(f.greatest + 1)]
        assert (f.encode(f.decode(finite)) == finite).all()
