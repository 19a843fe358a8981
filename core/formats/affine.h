// The scalar reference and the parameters shared by integer formats: what
// kernels/affine.cc computes with vectors.
#ifndef BNQ_CORE_FORMATS_AFFINE_H_
#define BNQ_CORE_FORMATS_AFFINE_H_

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "core/kernels/affine.h"
#include "core/scheme/format.h"
#include "core/scheme/rules.h"

namespace bnq {

// clamp(round(x / scale) + zero_point); the division is a multiplication by the
// float32 reciprocal.
inline int32_t AffineEncode(float x, Params params, CodeRange range,
                            Rounding rounding, uint32_t random) {
  const float lo = static_cast<float>(range.lo - params.zero_point);
  const float hi = static_cast<float>(range.hi - params.zero_point);
  const float from = x - params.offset;
  const float v =
      std::fmin(std::fmax(from * InverseScale(params.scale), lo), hi);
  const float nearest = std::nearbyint(v), rest = v - nearest;
  int32_t code = static_cast<int32_t>(nearest) + params.zero_point;
  if (rounding == Rounding::kStochastic) {
    // 24 bits, as a fraction of 1.
    const float u = static_cast<float>(random >> 8) * 5.9604644775390625e-8f;
    const float fraction = rest < 0.0f ? rest + 1.0f : rest;
    code += (u < fraction ? 1 : 0) - (rest < 0.0f ? 1 : 0);
  } else {
    const RoundingSteps steps = StepsOf(rounding);
    const int negative = v < 0.0f ? 1 : 0;
    code += (rest >= steps.up[negative] ? 1 : 0) -
            (rest <= steps.down[negative] ? 1 : 0);
  }
  return code;
}

inline float AffineDecode(int32_t code, Params params) {
  const float value =
      static_cast<float>(code - params.zero_point) * params.scale;
  return params.offset == 0.0f ? value : value + params.offset;
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

// Signed integers of 2q + 2 codes, -q - 1 to q: q = 127, 31, 15, 7, 3 or 1.
inline CodeRange SignedCodes(int32_t q, const Variant& variant) {
  const bool narrow = variant.scheme == Scheme::kSymmetric &&
                      variant.symmetric_range == SymmetricRange::kNarrow;
  return {narrow ? -q : -q - 1, q};
}

// value = (code + q + 1) * scale + offset: the least code stands for the
// offset. Ranges end at a quarter of what float32 holds: so that no sum
// overflows, however scale and offset are rounded when they are stored.
inline Params OffsetParams(int32_t q, Range range) {
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

inline Params SignedParams(int32_t q, Range range, const Variant& variant) {
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

// What signed integer formats have in common, for a row of each.
template <int32_t kGreatest>
struct SignedIntegers {
  static CodeRange Codes(const Variant& variant) {
    return SignedCodes(kGreatest, variant);
  }
  static Params Parameters(Range range, const Variant& variant) {
    return SignedParams(kGreatest, range, variant);
  }
  // Of the symmetric range extreme there is none, but its statistic is another.
  static float Divisor(const Variant& variant) {
    const float q = static_cast<float>(kGreatest);
    return variant.symmetric_range == SymmetricRange::kFull ? q + 0.5f : q;
  }
  static int32_t Encode(float x, Params params, const Variant& variant,
                        uint32_t random) {
    return AffineEncode(x, params, Codes(variant), variant.rounding, random);
  }

  // Codes are stored as code + bias; a row's last unit is filled up with 0.
  static constexpr Format Row(int32_t id, const char* name,
                              const char* description, Packing packing,
                              int32_t bias) {
    return {id,
            name,
            description,
            /*min_group=*/1,
            kScaled | kInteger | kAsymmetric | kFullRanges,
            packing,
            bias,
            /*first_invalid=*/0,
            /*padding=*/-bias,
            /*table=*/nullptr,
            Statistic::kAbsMax,
            Codes,
            EachRange<Parameters>,
            Encode,
            AffineDecode,
            AffineKernels,
            /*small_float=*/nullptr,
            Divisor};
  }
};

}  // namespace bnq

#endif  // BNQ_CORE_FORMATS_AFFINE_H_
