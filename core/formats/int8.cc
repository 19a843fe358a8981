// int8: 8-bit integers.
//
// Source   symmetric: absmax / 127 as in BitNet, LLM.int8 (arXiv:2208.07339)
//          and ggml; asymmetric: the affine scheme of arXiv:1712.05877 as
//          PyTorch's observers compute it.
// Segment  symmetric: m = max |x|; scale = m / 127; zero point 0
//          asymmetric: lo = min(min x, 0), hi = max(max x, 0);
//          scale = (hi - lo) / 255 (hi / 255 - lo / 255 where the difference
//          overflows); zero point = clamp(-128 - round(lo / scale), -128, 127)
//          A scale below the smallest normal float32 is raised to it, and one
//          of which the greatest code would overflow is lowered until it does
//          not.
// Code     clamp(round(x * (1 / scale)) + zero point), ties to even;
//          -127..127 symmetric, -128..127 asymmetric
// Value    (code - zero point) * scale
// Bytes    one, two's complement.
// Zero     an all-zero segment has scale 0, zero point 0 and decodes to 0.
// Tails    a group may be short.

#include <algorithm>

#include "core/formats/affine.h"
#include "core/kernels/affine.h"

namespace bnq {
namespace {

CodeRange Codes(Scheme scheme) {
  return {scheme == Scheme::kSymmetric ? -127 : -128, 127};
}

Statistic RangeOf(Scheme scheme) {
  return scheme == Scheme::kSymmetric ? Statistic::kAbsMax : Statistic::kMinMax;
}

Params Parameters(Range range, Scheme scheme) {
  Params params;
  if (scheme == Scheme::kSymmetric) {
    const float m = -range.lo > range.hi ? -range.lo : range.hi;
    if (m != 0.0f) params.scale = UsableScale(m / 127.0f, 127);
    return params;
  }
  const float lo = range.lo < 0.0f ? range.lo : 0.0f;
  const float hi = range.hi > 0.0f ? range.hi : 0.0f;
  if (lo == 0.0f && hi == 0.0f) return params;
  const float width = hi - lo;
  const float scale =
      width <= FLT_MAX ? width / 255.0f : hi / 255.0f - lo / 255.0f;
  const float zero =
      -128.0f - std::nearbyint(lo / (scale > FLT_MIN ? scale : FLT_MIN));
  params.zero_point =
      static_cast<int32_t>(std::min(std::max(zero, -128.0f), 127.0f));
  params.scale = UsableScale(
      scale, std::max(params.zero_point + 128, 127 - params.zero_point));
  return params;
}

int32_t Encode(float x, Params params, Scheme scheme) {
  return AffineEncode(x, params, Codes(scheme));
}

}  // namespace

extern const Format k_int8;
const Format k_int8 = {
    2,
    "int8",
    "8-bit integers, symmetric (absmax / 127) or asymmetric",
    /*min_group=*/1,
    /*asymmetric=*/true,
    Packing::kBits8,
    /*bias=*/0,
    /*first_invalid=*/0,
    Codes,
    RangeOf,
    Parameters,
    Encode,
    AffineDecode,
    AffineKernels,
};

}  // namespace bnq
