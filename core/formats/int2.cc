// int2: 2-bit integers.
//
// Source   as int4 (arXiv:1712.05877), with 4 codes.
// Segment  symmetric: m = max |x|, zero point 0; by symmetric_range
//            narrow   scale = m / 1
//            full     scale = m / 1.5
//            extreme  scale = -M / 2, M the first x of the greatest |x|
//          asymmetric: lo = min(min x, 0), hi = max(max x, 0);
//          scale = (hi - lo) / 3; zero point = clamp(-2 - round(lo /
//          scale), -2, 1). Scales are bounded as those of int8.
// Code     clamp(round(x * (1 / scale)) + zero point), ties to even unless the
//          option rounding says otherwise; -1..1 narrow, else -2..1
// Value    (code - zero point) * scale
// Bytes    four codes each, as code + 2, the first in the lowest bits. Rows
//          start on a byte: ceil(columns / 4) bytes each.
// Zero     an all-zero segment has scale 0, zero point 0 and decodes to 0.
// Tails    a group may be short.

#include "core/formats/affine.h"

namespace bnq {

extern const Format k_int2;
const Format k_int2 = SignedIntegers<1>::Row(
    8, "int2", "2-bit integers, symmetric (absmax / 1) or asymmetric",
    Packing::kBits2, /*bias=*/2);

}  // namespace bnq
