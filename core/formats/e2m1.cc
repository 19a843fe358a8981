// e2m1: 4-bit floating point.
//
// Source   OCP Microscaling Formats (MX) 1.0, section 5.3.3: FP4
// Segment  scale = max |x| / 6; with scale_dtype = e8m0 the power of two of
//          section 6.3: 2^(floor(log2 max |x|) - 2), and values beyond 6
//          clipped
// Code     x * (1 / scale) rounded to the nearest number, ties to even: a sign
//          (bit 3), 2 bits of exponent, 1 of mantissa; -0 is 8
//          With rounding = half_toward_zero, which is ggml's (MXFP4:
//          quantize_row_mxfp4_ref), ties to the number nearer 0, and what is
//          rounded to 0 is 0, never -0
// Value    (+-0, 0.5, 1, 1.5, 2, 3, 4, 6) * scale
// Bytes    two codes each, the even element in the low half. Rows start on a
//          byte; the last half byte of an odd row is 0.
// Zero     an all-zero segment has scale 0 (e8m0: 2^-127) and decodes to 0.
// Tails    a group may be short.

#include "core/formats/float_code.h"

namespace bnq {

extern const Format k_e2m1;
const Format k_e2m1 = FloatCodes<kE2M1>::Row(
    13, "e2m1", "4-bit floating point of OCP: MXFP4 and NVFP4",
    Packing::kBits4);

}  // namespace bnq
