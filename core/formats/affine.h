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

// A scale whose reciprocal is finite and does not depend on the host's denormal
// mode; 0 stays 0.
inline float UsableScale(float scale) {
  return scale > 0.0f && scale < FLT_MIN ? FLT_MIN : scale;
}

}  // namespace bnq

#endif  // BNQ_CORE_FORMATS_AFFINE_H_
