// The scalar reference shared by integer formats: what kernels/affine.cc
// computes with vectors.
#ifndef BNQ_CORE_FORMATS_AFFINE_H_
#define BNQ_CORE_FORMATS_AFFINE_H_

#include <cfloat>
#include <cmath>

#include "core/format.h"

namespace bnq {

// clamp(round(x / scale) + zero_point), ties to even; the division is a
// multiplication by the float32 reciprocal.
inline int32_t AffineEncode(float x, Params params, CodeRange range) {
  const float v = x * InverseScale(params.scale);
  const float lo = static_cast<float>(range.lo - params.zero_point);
  const float hi = static_cast<float>(range.hi - params.zero_point);
  return static_cast<int32_t>(std::nearbyint(std::fmin(std::fmax(v, lo), hi))) +
         params.zero_point;
}

inline float AffineDecode(int32_t code, Params params) {
  return static_cast<float>(code - params.zero_point) * params.scale;
}

// The scale for a range that is not all zero, such that its reciprocal is
// finite and does not depend on the host's denormal mode, and that `steps` of
// it, the most a code can stand for, are finite too. steps <= 256.
inline float UsableScale(float scale, int32_t steps) {
  // Nearly always, and this is done for every group.
  if (scale >= FLT_MIN && scale <= FLT_MAX / 256.0f) return scale;
  if (scale < FLT_MIN) return FLT_MIN;
  // FLT_MAX / steps, rounded down; the product is exact in double.
  float limit = FLT_MAX / static_cast<float>(steps);
  if (static_cast<double>(limit) * steps > FLT_MAX) {
    limit = std::nextafter(limit, 0.0f);
  }
  return scale < limit ? scale : limit;
}

}  // namespace bnq

#endif  // BNQ_CORE_FORMATS_AFFINE_H_
