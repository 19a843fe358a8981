// The scalar reference and the parameters shared by formats whose codes are
// small floats: what kernels/float_code.cc computes with vectors.
#ifndef BNQ_CORE_FORMATS_FLOAT_CODE_H_
#define BNQ_CORE_FORMATS_FLOAT_CODE_H_

#include <cfloat>
#include <cmath>

#include "core/base/small_float.h"
#include "core/kernels/float_code.h"
#include "core/scheme/format.h"

namespace bnq {

// A format's functions, for its row.
template <const SmallFloat& kType>
struct FloatCodes {
  // Codes of 8 bits as signed bytes.
  static CodeRange Codes(const Variant&) {
    const int32_t sign = static_cast<int32_t>(kType.sign);
    return sign == 0x80 ? CodeRange{-0x80, 0x7F} : CodeRange{0, 2 * sign - 1};
  }

  // scale = max |x| / the greatest number, at least the least normal float32,
  // and so that the greatest number times it is finite.
  static Params Parameters(Range range, const Variant&) {
    Params params;
    const float m = -range.lo > range.hi ? -range.lo : range.hi;
    if (m == 0.0f) return params;
    const float greatest = SmallFloatValue(kType, kType.greatest);
    const float scale = m / greatest;
    params.scale = scale < FLT_MIN ? FLT_MIN : scale;
    if (static_cast<double>(params.scale) * static_cast<double>(greatest) >
        static_cast<double>(FLT_MAX)) {
      params.scale = std::nextafter(params.scale, 0.0f);
    }
    return params;
  }

  static float Divisor(const Variant&) {
    return SmallFloatValue(kType, kType.greatest);
  }

  static int32_t Encode(float x, Params params, const CodeRule& rule,
                        uint32_t) {
    const float v = x * InverseScale(params.scale);
    const bool ties_down = rule.rounding == Rounding::kHalfTowardZero;
    uint32_t code =
        SmallFloatCode(kType, std::fabs(v), rule.saturate, ties_down);
    // Then -0 has no code.
    if (std::signbit(v) && !(ties_down && code == 0)) code |= kType.sign;
    return kType.sign == 0x80 ? static_cast<int8_t>(code)
                              : static_cast<int32_t>(code);
  }

  static float Decode(int32_t code, Params params, const CodeRule&) {
    const uint32_t bits = static_cast<uint32_t>(code);
    const float value = SmallFloatValue(kType, bits & (kType.sign - 1));
    return ((bits & kType.sign) != 0 ? -value : value) * params.scale;
  }

  static constexpr Format Row(int32_t id, const char* name,
                              const char* description, Packing packing) {
    return {
        id,
        name,
        description,
        /*min_group=*/1,
        kScaled | kSmallFloat | (kType.has_non_finite ? kNonFiniteCodes : 0u),
        packing,
        /*bias=*/0,
        /*first_invalid=*/0,
        /*padding=*/0,
        /*table=*/nullptr,
        Statistic::kAbsMax,
        Codes,
        EachRange<Parameters>,
        Encode,
        Decode,
        FloatCodeKernels,
        &kType,
        Divisor};
  }
};

}  // namespace bnq

#endif  // BNQ_CORE_FORMATS_FLOAT_CODE_H_
