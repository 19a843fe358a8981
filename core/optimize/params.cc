// What the methods have in common: parameters from numbers and from values.
#include <algorithm>
#include <cfloat>
#include <cmath>

#include "core/kernels/elements.h"
#include "core/kernels/reduce.h"
#include "core/optimize/methods.h"
#include "core/scheme/rules.h"
#include "core/tensor/search.h"

namespace bnq {

Params Usable(const Format& format, const Variant& variant, double scale,
              double zero) {
  // So that the reciprocal, 256 steps and an offset more are finite.
  const bool offset = variant.scheme == Scheme::kOffset;
  const double size =
      std::fmin(std::fmax(std::fabs(scale), static_cast<double>(FLT_MIN)),
                static_cast<double>(FLT_MAX) / (offset ? 512.0 : 256.0));
  const float s = static_cast<float>(scale < 0.0 && !offset ? -size : size);
  Params params;
  params.scale = RoundScale(s, variant.scale_dtype);
  if (variant.scheme == Scheme::kAsymmetric) {
    const CodeRange codes = format.code_range(variant);
    params.zero_point = static_cast<int32_t>(
        std::fmin(std::fmax(std::nearbyint(zero), codes.lo), codes.hi));
  }
  if (offset) {
    const double most = static_cast<double>(FLT_MAX) / 4.0;
    params.zero_point = format.code_range(variant).lo;
    params.offset = RoundOffset(
        static_cast<float>(std::fmin(std::fmax(zero, -most), most)) + 0.0f,
        variant.scale_dtype);
  }
  return params;
}

bool RuleParams(const Context& context, const Format& format,
                const Config& config, const float* x, size_t n,
                Params* params) {
  if (config.scale_rule() == ScaleRule::kPercentile ||
      config.scale_rule() == ScaleRule::kMse) {
    SourceView source;
    source.data = reinterpret_cast<const uint8_t*>(x);
    Layout layout;
    layout.rows = 1;
    layout.columns = layout.run = n;
    const Segment segment(source, layout, 0);
    const CodeRule rule = RuleOf(format, config.variant());
    return FindSegmentParams(context, {format, config, rule, segment, x, {}},
                             params);
  }
  const Variant variant = config.variant();
  const Statistic statistic = StatisticOf(format, variant);
  Partial total;
  for (size_t at = 0; at < n; at += kChunk) {
    const size_t count = std::min(kChunk, n - at);
    total.Merge(Reduce(x + at, count, count, statistic));
  }
  if (!total.finite()) return false;
  *params = ParamsOf(format, variant, total.ToRange(statistic, n));
  return true;
}

}  // namespace bnq
