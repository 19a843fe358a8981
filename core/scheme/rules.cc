// What formats have in common: what options make of a range.
#include <algorithm>
#include <cfloat>
#include <cmath>

#include "core/base/half.h"
#include "core/scheme/format.h"
#include "core/scheme/rules.h"

namespace bnq {
namespace {

// The least e with a <= 2^e, of a > 0.
int ExponentUp(float a) {
  int e;
  return std::frexp(a, &e) == 0.5f ? e - 1 : e;
}
// As e8m0 holds it.
float PowerOfTwo(int e) {
  return std::ldexp(1.0f, std::min(std::max(e, -127), 127));
}

// Of small floats by the rule of the OCP MX specification (1.0, section 6.3):
// the greatest value's exponent less that of the greatest code, so that values
// may be clipped by up to a quarter. Of others the least power of two that is
// no less than the scale, so that nothing is clipped; but of signs, where
// nothing is, the nearest one, which has the least error.
float PowerOfTwoScale(const Format& format, Range range, float scale) {
  if (scale == 0.0f) return 0.0f;
  if (format.small_float == nullptr) {
    return RoundScale(format.Has(kSigns) ? scale / 1.5f : scale,
                      ScaleDType::kE8M0);
  }
  int e;
  std::frexp(std::max(-range.lo, range.hi), &e);
  return PowerOfTwo(e - 1 - format.small_float->greatest_exponent());
}

// A scale that was rounded up may let the greatest code overflow: then the next
// lower one of the type.
float Bounded(float scale, double most, ScaleDType dtype) {
  if (std::fabs(static_cast<double>(scale)) * most <= FLT_MAX) return scale;
  if (dtype == ScaleDType::kE8M0) return scale * 0.5f;
  return F32FromBF16(static_cast<uint16_t>(BF16FromF32(scale) - 1));
}
float Bounded(const Format& format, CodeRange codes, int32_t zero_point,
              float scale, ScaleDType dtype) {
  // Nearly always, whatever the format is.
  if (std::fabs(scale) <= FLT_MAX / 65536.0f) return scale;
  return Bounded(scale, GreatestValue(format, codes, zero_point), dtype);
}

}  // namespace

Packing PackingOf(const Format& format, const Config& config) {
  return config.packing() == PackingChoice::kBase3 ? Packing::kBase3
                                                   : format.packing;
}

bool CodesAreExact(const Format& format, const Config& config) {
  if (!config.stores_together()) return true;
  return config.double_quant() && format.table != nullptr;
}

RoundingSteps StepsOf(Rounding rounding) {
  const float never = HUGE_VALF;
  // Less than the least normal number of a difference counts as none, so that
  // the host's denormal mode cannot matter.
  const float any = FLT_MIN;
  switch (rounding) {
    case Rounding::kHalfAway:
      return {{0.5f, never}, {-never, -0.5f}};
    case Rounding::kHalfTowardZero:
      return {{never, 0.5f}, {-0.5f, -never}};
    case Rounding::kHalfUp:
      return {{0.5f, 0.5f}, {-never, -never}};
    case Rounding::kFloor:
      return {{never, never}, {-any, -any}};
    case Rounding::kCeil:
      return {{any, any}, {-never, -never}};
    case Rounding::kTowardZero:
      return {{never, any}, {-any, -never}};
    case Rounding::kHalfEven:
    case Rounding::kStochastic:
      break;
  }
  return {{never, never}, {-never, -never}};
}

int32_t BiasOf(const Format& format, const CodeRule& rule) {
  return rule.offset ? -rule.range.lo : format.bias;
}

CodeRule RuleOf(const Format& format, const Variant& variant) {
  CodeRule rule;
  rule.range = format.code_range(variant);
  rule.rounding = variant.rounding;
  rule.steps = StepsOf(variant.rounding);
  rule.table = format.table;
  rule.offset = variant.scheme == Scheme::kOffset;
  rule.signs = format.Has(kSigns);
  rule.small_float = format.small_float;
  rule.saturate = variant.saturate;
  return rule;
}

Statistic StatisticOf(const Format& format, const Variant& variant) {
  if (variant.scheme == Scheme::kAsymmetric) return Statistic::kMinMax;
  if (variant.scheme == Scheme::kOffset) return Statistic::kExtent;
  if (variant.symmetric_range == SymmetricRange::kExtreme ||
      format.statistic == Statistic::kExtreme) {
    return Statistic::kExtreme;
  }
  switch (variant.scale_rule) {
    case ScaleRule::kAbsMax:
      return Statistic::kAbsMax;
    case ScaleRule::kAbsMean:
      return Statistic::kAbsMean;
    default:
      return format.statistic;
  }
}

Params ParamsOf(const Format& format, const Variant& variant, Range range) {
  Params params;
  ParamsOf(format, variant, &range, 1, &params);
  return params;
}

void ParamsOf(const Format& format, const Variant& variant, Range* ranges,
              size_t count, Params* out) {
  const CodeRange codes = format.code_range(variant);
  if (variant.scale_rule == ScaleRule::kAbsMean &&
      format.statistic != Statistic::kAbsMean) {
    // LSQ's start, arXiv:1902.08153 section 2.1: 2 mean|x| / sqrt(q), of which
    // params will divide by q.
    const double factor = 2.0 * std::sqrt(static_cast<double>(codes.hi));
    for (size_t i = 0; i < count; ++i) {
      const double wide = factor * static_cast<double>(ranges[i].hi);
      ranges[i].hi = wide < FLT_MAX ? static_cast<float>(wide) : FLT_MAX;
      ranges[i].lo = -ranges[i].hi;
    }
  }
  format.params(ranges, count, variant, out);
  switch (variant.scale_dtype) {
    case ScaleDType::kF32:
    case ScaleDType::kE4M3:  // rounded when all are there
      return;
    case ScaleDType::kE8M0:
      for (size_t i = 0; i < count; ++i) {
        out[i].scale = Bounded(format, codes, out[i].zero_point,
                               PowerOfTwoScale(format, ranges[i], out[i].scale),
                               variant.scale_dtype);
      }
      return;
    case ScaleDType::kF16:
    case ScaleDType::kBF16:
      break;
  }
  for (size_t i = 0; i < count; ++i) {
    out[i].scale = RoundScale(out[i].scale, variant.scale_dtype);
    if (variant.scheme == Scheme::kOffset) {
      out[i].offset = RoundOffset(out[i].offset, variant.scale_dtype);
    }
    out[i].scale = Bounded(format, codes, out[i].zero_point, out[i].scale,
                           variant.scale_dtype);
  }
}

double GreatestValue(const Format& format, CodeRange codes,
                     int32_t zero_point) {
  if (format.small_float != nullptr) {
    return static_cast<double>(
        SmallFloatValue(*format.small_float, format.small_float->greatest));
  }
  if (format.Has(kCodebook)) return static_cast<double>(kGreatestEntry);
  if (!format.Has(kInteger)) return 1.0;
  return std::max(codes.hi - zero_point, zero_point - codes.lo);
}

float RoundOffset(float offset, ScaleDType dtype) {
  if (dtype == ScaleDType::kF16) {
    return F32FromF16(
        F16FromF32(std::min(std::max(offset, -kGreatestF16), kGreatestF16)));
  }
  if (dtype == ScaleDType::kBF16) {
    return F32FromBF16(
        BF16FromF32(std::min(std::max(offset, -kGreatestBF16), kGreatestBF16)));
  }
  return offset;
}

float RoundGivenScale(float scale, ScaleDType dtype, double most) {
  return Bounded(RoundScale(scale, dtype), most, dtype);
}

float RoundScale(float scale, ScaleDType dtype) {
  if (dtype == ScaleDType::kF32 || dtype == ScaleDType::kE4M3 ||
      scale == 0.0f) {
    return scale;
  }
  const float a = std::fabs(scale);
  if (dtype == ScaleDType::kE8M0) {
    // To the nearest as a ratio would be another choice; up, nothing is
    // clipped.
    return PowerOfTwo(ExponentUp(a));
  }
  float rounded;
  if (dtype == ScaleDType::kF16) {
    rounded = a >= kGreatestF16 ? kGreatestF16
              : a < kLeastF16   ? kLeastF16
                                : F32FromF16(F16FromF32(a));
  } else {
    rounded = a >= kGreatestBF16 ? kGreatestBF16
              : a < kLeastBF16   ? kLeastBF16
                                 : F32FromBF16(BF16FromF32(a));
  }
  return scale < 0.0f ? -rounded : rounded;
}

}  // namespace bnq
