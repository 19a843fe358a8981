// e5m2: 8-bit floating point with 5 bits of exponent.
//
// Source   OCP 8-bit Floating Point (OFP8) 1.0, as float8_e5m2 of PyTorch
// Segment  scale = max |x| / 57344; with scale_dtype = e8m0
//          2^(floor(log2 max |x|) - 15), and values beyond 57344 clipped
// Code     x * (1 / scale) rounded to the nearest number, ties to even; beyond
//          57344 (after rounding) +-57344, or with saturate = off infinity,
//          0x7C
// Value    the number times scale; 0x7C is infinity, 0x7D to 0x7F are NaN, and
//          so with the sign
// Bytes    one each
// Zero     an all-zero segment has scale 0 (e8m0: 2^-127) and decodes to 0.
// Tails    a group may be short.

#include "core/formats/float_code.h"

namespace bnq {

extern const Format k_e5m2;
const Format k_e5m2 = FloatCodes<kE5M2>::Row(
    15, "e5m2",
    "8-bit floating point of OCP with 2 mantissa bits: FP8 gradients",
    Packing::kBits8);

}  // namespace bnq
