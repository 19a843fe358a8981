// int4: 4-bit integers.
//
// Source   symmetric: absmax / 7, absmax / 7.5 as torchao, or the signed
//          extreme / -8 as ggml's Q4_0 (which rounds half up); asymmetric: the
//          affine scheme of arXiv:1712.05877.
// Segment  symmetric: m = max |x|, zero point 0; by symmetric_range
//            narrow   scale = m / 7
//            full     scale = m / 7.5
//            extreme  scale = -M / 8, M the first x of the greatest |x|
//          asymmetric: lo = min(min x, 0), hi = max(max x, 0);
//          scale = (hi - lo) / 15; zero point = clamp(-8 - round(lo / scale),
//          -8, 7). Scales are bounded as those of int8.
// Code     clamp(round(x * (1 / scale)) + zero point), ties to even unless the
//          option rounding says otherwise; -7..7 narrow, else -8..7
// Value    (code - zero point) * scale
// Bytes    two codes each, as code + 8, the even element in the low half. Rows
//          start on a byte: ceil(columns / 2) bytes each; the last half byte of
//          an odd row is 0.
// Zero     an all-zero segment has scale 0, zero point 0 and decodes to 0.
// Tails    a group may be short.

#include "core/formats/affine.h"

namespace bnq {

extern const Format k_int4;
const Format k_int4 = SignedIntegers<7>::Row(
    3, "int4", "4-bit integers, symmetric (absmax / 7) or asymmetric",
    Packing::kBits4, /*bias=*/8);

}  // namespace bnq
