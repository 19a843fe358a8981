// int3: 3-bit integers.
//
// Source   as int4 (arXiv:1712.05877), with 8 codes.
// Segment  symmetric: m = max |x|, zero point 0; by symmetric_range
//            narrow   scale = m / 3
//            full     scale = m / 3.5
//            extreme  scale = -M / 4, M the first x of the greatest |x|
//          asymmetric: lo = min(min x, 0), hi = max(max x, 0);
//          scale = (hi - lo) / 7; zero point = clamp(-4 - round(lo /
//          scale), -4, 3). Scales are bounded as those of int8.
// Code     clamp(round(x * (1 / scale)) + zero point), ties to even unless the
//          option rounding says otherwise; -3..3 narrow, else -4..3
// Value    (code - zero point) * scale
// Bytes    eight codes, as code + 4, are a little-endian number of three bytes,
//          the first in the lowest bits. Rows start on a byte: 3 *
//          ceil(columns / 8) bytes each.
// Zero     an all-zero segment has scale 0, zero point 0 and decodes to 0.
// Tails    a group may be short.

#include "core/formats/affine.h"

namespace bnq {

extern const Format k_int3;
const Format k_int3 = SignedIntegers<3>::Row(
    9, "int3", "3-bit integers, symmetric (absmax / 3) or asymmetric",
    Packing::kBits3, /*bias=*/4);

}  // namespace bnq
