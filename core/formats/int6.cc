// int6: 6-bit integers.
//
// Source   as int4 (arXiv:1712.05877), with 64 codes.
// Segment  symmetric: m = max |x|, zero point 0; by symmetric_range
//            narrow   scale = m / 31
//            full     scale = m / 31.5
//            extreme  scale = -M / 32, M the first x of the greatest |x|
//          asymmetric: lo = min(min x, 0), hi = max(max x, 0);
//          scale = (hi - lo) / 63; zero point = clamp(-32 - round(lo /
//          scale), -32, 31). Scales are bounded as those of int8.
// Code     clamp(round(x * (1 / scale)) + zero point), ties to even unless the
//          option rounding says otherwise; -31..31 narrow, else -32..31
// Value    (code - zero point) * scale
// Bytes    eight codes, as code + 32, are a little-endian number of six bytes,
//          the first in the lowest bits. Rows start on a byte: 6 *
//          ceil(columns / 8) bytes each.
// Zero     an all-zero segment has scale 0, zero point 0 and decodes to 0.
// Tails    a group may be short.

#include "core/formats/affine.h"

namespace bnq {

extern const Format k_int6;
const Format k_int6 = SignedIntegers<31>::Row(
    11, "int6", "6-bit integers, symmetric (absmax / 31) or asymmetric",
    Packing::kBits6, /*bias=*/32);

}  // namespace bnq
