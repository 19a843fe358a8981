// int5: 5-bit integers.
//
// Source   as int4 (arXiv:1712.05877), with 32 codes.
// Segment  symmetric: m = max |x|, zero point 0; by symmetric_range
//            narrow   scale = m / 15
//            full     scale = m / 15.5
//            extreme  scale = -M / 16, M the first x of the greatest |x|
//          asymmetric: lo = min(min x, 0), hi = max(max x, 0);
//          scale = (hi - lo) / 31; zero point = clamp(-16 - round(lo /
//          scale), -16, 15). Scales are bounded as those of int8.
// Code     clamp(round(x * (1 / scale)) + zero point), ties to even unless the
//          option rounding says otherwise; -15..15 narrow, else -16..15
// Value    (code - zero point) * scale
// Bytes    eight codes, as code + 16, are a little-endian number of five bytes,
//          the first in the lowest bits. Rows start on a byte: 5 *
//          ceil(columns / 8) bytes each.
// Zero     an all-zero segment has scale 0, zero point 0 and decodes to 0.
// Tails    a group may be short.

#include "core/formats/affine.h"

namespace bnq {

extern const Format k_int5;
const Format k_int5 = SignedIntegers<15>::Row(
    10, "int5", "5-bit integers, symmetric (absmax / 15) or asymmetric",
    Packing::kBits5, /*bias=*/16);

}  // namespace bnq
