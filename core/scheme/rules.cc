// What formats have in common: which options go with which, and what options
// make of a range.
#include <algorithm>
#include <cfloat>
#include <cmath>

#include "core/base/error.h"
#include "core/base/half.h"
#include "core/scheme/format.h"
#include "core/scheme/rules.h"

namespace bnq {
namespace {

void Unsupported(const Format& format, const char* option,
                 const std::string& why) {
  Fail(Status::kUnsupported, option, " is not supported by format ",
       format.name, ": ", why);
}

}  // namespace

void CheckSupported(const Format& format, const Config& config) {
  const Variant v = config.variant();
  const bool asymmetric = v.scheme == Scheme::kAsymmetric;
  if (asymmetric && !format.Has(kAsymmetric)) {
    Unsupported(format, "scheme = asymmetric", "it must be symmetric");
  }
  if (v.rounding != Rounding::kHalfEven && !format.Has(kInteger)) {
    Unsupported(format, "rounding",
                "only integer formats round otherwise "
                "than to the nearest value (half_even)");
  }
  if (v.scale_rule != ScaleRule::kDefault && !format.Has(kScaled)) {
    Unsupported(format, "scale_rule", "it has no scales");
  }
  if (v.scale_rule == ScaleRule::kAbsMean &&
      (asymmetric || !format.Has(kInteger))) {
    Unsupported(format, "scale_rule = absmean",
                "it takes an integer format and scheme = symmetric");
  }
  if (v.symmetric_range != SymmetricRange::kNarrow) {
    if (!format.Has(kFullRanges)) {
      Unsupported(format, "symmetric_range", "it must be narrow");
    }
    if (asymmetric) {
      Unsupported(format, "symmetric_range",
                  "with scheme = asymmetric it must be narrow");
    }
  }
  if (v.symmetric_range == SymmetricRange::kExtreme &&
      (v.scale_rule == ScaleRule::kAbsMean ||
       v.scale_rule == ScaleRule::kPercentile)) {
    Unsupported(format, "symmetric_range = extreme",
                "it takes the scale_rule default, absmax or mse");
  }
  if (v.scale_dtype != ScaleDType::kF32 && !format.Has(kScaled)) {
    Unsupported(format, "scale_dtype", "it has no scales");
  }
  if (config.double_quant()) {
    if (!format.Has(kScaled)) {
      Unsupported(format, "double_quant", "it has no scales");
    }
    if (v.scale_dtype != ScaleDType::kF32) {
      Unsupported(format, "double_quant", "it takes scale_dtype = f32");
    }
  }
  if (config.packing() == PackingChoice::kBase3 && !format.Has(kBase3Codes)) {
    Unsupported(format, "packing = base3", "it takes the format ternary");
  }
  if (config.outlier_threshold() != 0.0f) {
    if (!format.Has(kInteger)) {
      Unsupported(format, "outlier_threshold", "it takes an integer format");
    }
    if (config.granularity() != Granularity::kToken) {
      Unsupported(format, "outlier_threshold", "it takes granularity = token");
    }
  }
  if (config.non_finite() == NonFinite::kKeep && !format.Has(kKeepsNonFinite)) {
    Unsupported(format, "non_finite = keep",
                "its codes stand for finite values only");
  }
}

Packing PackingOf(const Format& format, const Config& config) {
  return config.packing() == PackingChoice::kBase3 ? Packing::kBase3
                                                   : format.packing;
}

RoundingSteps StepsOf(Rounding rounding) {
  const float never = HUGE_VALF;
  // Less than the least normal number of a difference counts as none, so that
  // the host's denormal mode cannot matter.
  const float any = FLT_MIN;
  switch (rounding) {
    case Rounding::kHalfAway:
      return {{0.5f, never}, {-never, -0.5f}};
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

CodeRule RuleOf(const Format& format, const Variant& variant) {
  CodeRule rule;
  rule.range = format.code_range(variant);
  rule.rounding = variant.rounding;
  rule.steps = StepsOf(variant.rounding);
  rule.table = format.table;
  return rule;
}

Statistic StatisticOf(const Format& format, const Variant& variant) {
  if (variant.scheme == Scheme::kAsymmetric) return Statistic::kMinMax;
  if (variant.symmetric_range == SymmetricRange::kExtreme) {
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
  if (variant.scale_dtype == ScaleDType::kF32) return;
  for (size_t i = 0; i < count; ++i) {
    out[i].scale = RoundScale(out[i].scale, variant.scale_dtype);
    if (variant.scale_dtype != ScaleDType::kBF16) continue;
    // A scale that was rounded up may let the greatest code overflow.
    const int32_t zero_point = out[i].zero_point;
    const int32_t steps = format.Has(kInteger) ? std::max(codes.hi - zero_point,
                                                          zero_point - codes.lo)
                                               : 1;
    if (std::fabs(static_cast<double>(out[i].scale)) * steps > FLT_MAX) {
      const uint16_t bits = BF16FromF32(out[i].scale);
      out[i].scale = F32FromBF16(static_cast<uint16_t>(bits - 1));
    }
  }
}

float RoundScale(float scale, ScaleDType dtype) {
  if (dtype == ScaleDType::kF32 || scale == 0.0f) return scale;
  const float a = std::fabs(scale);
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
