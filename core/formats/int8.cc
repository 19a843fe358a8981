// int8: 8-bit integers.
//
// Source   symmetric: absmax / 127 as in BitNet, LLM.int8 (arXiv:2208.07339)
//          and ggml; asymmetric: the affine scheme of arXiv:1712.05877 as
//          PyTorch's observers compute it.
// Segment  symmetric: m = max |x|, zero point 0; by symmetric_range
//            narrow   scale = m / 127
//            full     scale = m / 127.5 (PyTorch)
//            extreme  scale = -M / 128, M the first x of the greatest |x|
//          asymmetric: lo = min(min x, 0), hi = max(max x, 0);
//          scale = (hi - lo) / 255 (hi / 255 - lo / 255 where the difference
//          overflows); zero point = clamp(-128 - round(lo / scale), -128, 127)
//          A scale below the smallest normal float32 is raised to it, and one
//          of which the greatest code would overflow is lowered until it does
//          not.
// Code     clamp(round(x * (1 / scale)) + zero point), ties to even unless the
//          option rounding says otherwise; -127..127 narrow, else -128..127
// Value    (code - zero point) * scale
// Bytes    one, two's complement.
// Zero     an all-zero segment has scale 0, zero point 0 and decodes to 0.
// Tails    a group may be short.

#include "core/formats/affine.h"

namespace bnq {

extern const Format k_int8;
const Format k_int8 = SignedIntegers<127>::Row(
    2, "int8", "8-bit integers, symmetric (absmax / 127) or asymmetric",
    Packing::kBits8, /*bias=*/0);

}  // namespace bnq
