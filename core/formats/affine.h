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
inline int32_t AffineEncode(float x, Params params, const CodeRule& rule,
                            uint32_t random) {
  const float lo = static_cast<float>(rule.range.lo - params.zero_point);
  const float hi = static_cast<float>(rule.range.hi - params.zero_point);
  const float from = x - params.offset;
  const float v =
      std::fmin(std::fmax(from * InverseScale(params.scale), lo), hi);
  const float nearest = std::nearbyint(v), rest = v - nearest;
  int32_t code = static_cast<int32_t>(nearest) + params.zero_point;
  if (rule.rounding == Rounding::kStochastic) {
    // 24 bits, as a fraction of 1.
    const float u = static_cast<float>(random >> 8) * 5.9604644775390625e-8f;
    const float fraction = rest < 0.0f ? rest + 1.0f : rest;
    code += (u < fraction ? 1 : 0) - (rest < 0.0f ? 1 : 0);
  } else {
    const int negative = v < 0.0f ? 1 : 0;
    code += (rest >= rule.steps.up[negative] ? 1 : 0) -
            (rest <= rule.steps.down[negative] ? 1 : 0);
  }
  return code;
}

inline float AffineDecode(int32_t code, Params params, const CodeRule&) {
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

// Of `count` segments; the same for all of these formats, so that it is there
// once.
void SignedParams(int32_t q, const Range* ranges, size_t count,
                  const Variant& variant, Params* out);

// What signed integer formats have in common, for a row of each.
template <int32_t kGreatest>
struct SignedIntegers {
  static CodeRange Codes(const Variant& variant) {
    return SignedCodes(kGreatest, variant);
  }
  static void Parameters(const Range* ranges, size_t count,
                         const Variant& variant, Params* out) {
    SignedParams(kGreatest, ranges, count, variant, out);
  }
  static float Divisor(const Variant& variant) {
    const float q = static_cast<float>(kGreatest);
    switch (variant.symmetric_range) {
      case SymmetricRange::kNarrow:
        break;
      case SymmetricRange::kFull:
        return q + 0.5f;
      case SymmetricRange::kExtreme:
        // The extreme is the least code, whatever its sign.
        return -q - 1.0f;
    }
    return q;
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
            Parameters,
            AffineEncode,
            AffineDecode,
            AffineKernels,
            /*small_float=*/nullptr,
            Divisor};
  }
};

}  // namespace bnq

#endif  // BNQ_CORE_FORMATS_AFFINE_H_
