// e4m3: 8-bit floating point with 4 bits of exponent.
//
// Source   OCP 8-bit Floating Point (OFP8) 1.0, as float8_e4m3fn of PyTorch
// Segment  scale = max |x| / 448; with scale_dtype = e8m0
//          2^(floor(log2 max |x|) - 8), and values beyond 448 clipped
// Code     x * (1 / scale) rounded to the nearest number, ties to even; beyond
//          448 (after rounding) +-448, or with saturate = off NaN, 0x7F
// Value    the number times scale; 0x7F and 0xFF are NaN
// Bytes    one each
// Zero     an all-zero segment has scale 0 (e8m0: 2^-127) and decodes to 0.
// Tails    a group may be short.

#include "core/formats/float_code.h"

namespace bnq {

extern const Format k_e4m3;
const Format k_e4m3 = FloatCodes<kE4M3>::Row(
    14, "e4m3", "8-bit floating point of OCP with 3 mantissa bits: FP8 weights",
    Packing::kBits8);

}  // namespace bnq
