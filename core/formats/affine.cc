#include "core/formats/affine.h"

#include <algorithm>
#include <cfloat>

namespace bnq {
namespace {

// value = (code + q + 1) * scale + offset: the least code stands for the
// offset. Ranges end at a quarter of what float32 holds: so that no sum
// overflows, however scale and offset are rounded when they are stored.
Params OffsetParams(int32_t q, Range range) {
  constexpr float kMost = FLT_MAX / 4.0f;
  range.lo = std::min(std::max(range.lo, -kMost), kMost);
  range.hi = std::min(std::max(range.hi, -kMost), kMost);
  Params params;
  params.zero_point = -q - 1;
  // Never -0, which targets order differently.
  params.offset = range.lo + 0.0f;
  if (range.lo == range.hi) return params;
  const int32_t steps = 2 * q + 1;
  const float n = static_cast<float>(steps);
  params.scale = UsableScale((range.hi - range.lo) / n, steps);
  return params;
}

Params SignedParamsOf(int32_t q, Range range, const Variant& variant) {
  Params params;
  const float qf = static_cast<float>(q);
  if (variant.scheme == Scheme::kSymmetric) {
    const float m = -range.lo > range.hi ? -range.lo : range.hi;
    if (m == 0.0f) return params;
    switch (variant.symmetric_range) {
      case SymmetricRange::kNarrow:
        params.scale = UsableScale(m / qf, q);
        break;
      case SymmetricRange::kFull:
        params.scale = UsableScale(m / (qf + 0.5f), q + 1);
        break;
      case SymmetricRange::kExtreme:
        params.scale = UsableScale(m / (qf + 1.0f), q + 1);
        if (-range.lo < range.hi) params.scale = -params.scale;
        break;
    }
    return params;
  }
  if (variant.scheme == Scheme::kOffset) return OffsetParams(q, range);
  const float lo = range.lo < 0.0f ? range.lo : 0.0f;
  const float hi = range.hi > 0.0f ? range.hi : 0.0f;
  if (lo == 0.0f && hi == 0.0f) return params;
  const float steps = 2.0f * qf + 1.0f;
  const float width = hi - lo;
  const float scale =
      width <= FLT_MAX ? width / steps : hi / steps - lo / steps;
  const float least = -qf - 1.0f;
  // The nearest integer, ties to even: its magnitude is at most 256, give or
  // take rounding, and adding 1.5 * 2^23 leaves no bits for a fraction.
  const float shift = 12582912.0f;
  const float zero =
      least - ((lo / (scale > FLT_MIN ? scale : FLT_MIN) + shift) - shift);
  params.zero_point = static_cast<int32_t>(std::min(std::max(zero, least), qf));
  params.scale = UsableScale(
      scale, std::max(params.zero_point + q + 1, q - params.zero_point));
  return params;
}

}  // namespace

void SignedParams(int32_t q, const Range* ranges, size_t count,
                  const Variant& variant, Params* out) {
  for (size_t i = 0; i < count; ++i) {
    out[i] = SignedParamsOf(q, ranges[i], variant);
  }
}

}  // namespace bnq
