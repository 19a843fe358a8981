#include "core/optimize/objective.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "core/base/error.h"
#include "core/base/portable_math.h"
#include "core/kernels/compare.h"
#include "core/kernels/traversal.h"
#include "core/scheme/layout.h"
#include "core/scheme/rules.h"

namespace bnq {

void RoundTrip(const Format& format, const Variant& variant, const float* x,
               size_t n, Params params, float* y) {
  RoundTripArgs args;
  args.rule = RuleOf(format, variant);
  args.params = params;
  args.x = x;
  args.count = n;
  args.out = y;
  format.kernels().round_trip(args);
}

SegmentObjective::SegmentObjective(const Context& context, const Format& format,
                                   const Variant& variant,
                                   const OptimizeOptions& options,
                                   const CustomMetric& metric, const float* x,
                                   uint64_t count, const float* weights)
    : context_(context),
      format_(format),
      variant_(variant),
      kind_(options.objective()),
      metric_(metric),
      x_(x),
      count_(count),
      weights_(weights),
      rule_(RuleOf(format, variant)) {
  float lo = FLT_MAX, hi = -FLT_MAX;
  for (uint64_t i = 0; i < count; ++i) {
    lo = std::min(lo, x[i]);
    hi = std::max(hi, x[i]);
  }
  const float greatest = std::max(hi, -lo);
  unit_ = 1.0f / std::min(std::max(greatest, FLT_MIN), FLT_MAX / 8.0f);
  if (kind_ == ObjectiveKind::kCustom) y_.resize(count + kLanes);
  if (kind_ == ObjectiveKind::kKl) {
    bins_.resize(static_cast<size_t>(
        std::min<uint64_t>(options.As<uint64_t>(OptimizeOption::kBins),
                           std::max<uint64_t>(16, count / 4))));
    first_ = static_cast<double>(lo);
    width_ = (static_cast<double>(hi) - first_) /
             static_cast<double>(static_cast<int64_t>(bins_.size()));
    for (uint64_t i = 0; i < count; ++i) {
      const double bin = width_ > 0.0 ? (x[i] - first_) / width_ : 0.0;
      ++bins_[std::min(static_cast<size_t>(bin), bins_.size() - 1)];
    }
  }
}

double SegmentObjective::Error(Params params) const {
  if (kind_ != ObjectiveKind::kMse) return Exact(params);
  FitArgs args;
  args.rule = rule_;
  args.params = params;
  args.unit = unit_;
  FitSums sums;
  const Kernels& kernels = format_.kernels();
  for (uint64_t at = 0; at < count_; at += kChunk) {
    args.x = x_ + at;
    args.weights = weights_ == nullptr ? nullptr : weights_ + at;
    args.count = static_cast<size_t>(std::min<uint64_t>(kChunk, count_ - at));
    sums.Merge(kernels.fit(args));
    if (at % kTickElements == 0) context_.Tick();
  }
  const double unit = static_cast<double>(unit_);
  return sums.error / unit / unit /
         static_cast<double>(static_cast<int64_t>(count_));
}

double SegmentObjective::Exact(Params params) const {
  switch (kind_) {
    case ObjectiveKind::kKl:
      return Kl(params);
    case ObjectiveKind::kCustom:
      return Custom(params);
    case ObjectiveKind::kMse:
    case ObjectiveKind::kCosine:
      break;
  }
  return FromSums(params);
}

double SegmentObjective::FromSums(Params params) const {
  ErrorPartial sums;
  double weighted = 0.0;
  float y[kChunk + kLanes];
  for (uint64_t at = 0; at < count_; at += kChunk) {
    const size_t n =
        static_cast<size_t>(std::min<uint64_t>(kChunk, count_ - at));
    RoundTrip(format_, variant_, x_ + at, n, params, y);
    sums.Merge(CompareChunk(x_ + at, y, n));
    for (size_t i = 0; weights_ != nullptr && i < n; ++i) {
      const double e =
          static_cast<double>(x_[at + i]) - static_cast<double>(y[i]);
      weighted += static_cast<double>(weights_[at + i]) * (e * e);
    }
    if (at % kTickElements == 0) context_.Tick();
  }
  if (kind_ == ObjectiveKind::kMse) {
    return (weights_ == nullptr ? sums.sum_sq_error : weighted) /
           static_cast<double>(static_cast<int64_t>(count_));
  }
  if (sums.sum_aa == 0.0 && sums.sum_bb == 0.0) return 0.0;
  if (sums.sum_aa == 0.0 || sums.sum_bb == 0.0) return 1.0;
  return 1.0 - sums.sum_ab / (std::sqrt(sums.sum_aa) * std::sqrt(sums.sum_bb));
}

double SegmentObjective::Kl(Params params) const {
  const size_t n = bins_.size();
  // Codes are monotonic in x, so a code's bins lie together.
  double divergence = 0.0;
  const double total = static_cast<double>(static_cast<int64_t>(count_));
  const auto code_of = [&](size_t bin) {
    return format_.encode(
        static_cast<float>(first_ + (static_cast<double>(bin) + 0.5) * width_),
        params, rule_, 0);
  };
  int32_t code = code_of(0);
  for (size_t begin = 0; begin < n;) {
    size_t end = begin, used = 0;
    uint64_t mass = 0;
    int32_t next = code;
    for (; end < n; ++end) {
      if (end != begin) next = code_of(end);
      if (next != code) break;
      used += bins_[end] != 0;
      mass += bins_[end];
    }
    const double q = static_cast<double>(static_cast<int64_t>(mass)) /
                     static_cast<double>(used == 0 ? 1 : used);
    for (size_t i = begin; i < end && used > 1; ++i) {
      if (bins_[i] == 0) continue;
      const double p = static_cast<double>(static_cast<int64_t>(bins_[i]));
      divergence += p / total * PortableLog(p / q);
    }
    code = next;
    begin = end;
  }
  return divergence;
}

double SegmentObjective::Custom(Params params) const {
  for (uint64_t at = 0; at < count_; at += kChunk) {
    const size_t n =
        static_cast<size_t>(std::min<uint64_t>(kChunk, count_ - at));
    RoundTrip(format_, variant_, x_ + at, n, params, y_.data() + at);
  }
  return metric_(x_, y_.data(), count_);
}

}  // namespace bnq
