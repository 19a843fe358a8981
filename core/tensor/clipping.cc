#include "core/tensor/clipping.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "core/base/checked.h"
#include "core/parallel/runner.h"
#include "core/scheme/rules.h"
#include "core/tensor/source.h"

namespace bnq {
namespace {

// Elements of a task.
constexpr uint64_t kTask = 65536;

// The end of what rounds to a code, which a tie does where that is even.
float EndOf(int32_t steps, float half) {
  const float end = static_cast<float>(steps) + half;
  return steps % 2 == 0 ? end : std::nextafter(end, 0.0f);
}

}  // namespace

Reach ReachOf(const Format& format, CodeRange codes, int32_t zero_point) {
  if (format.Has(kInteger)) {
    return {EndOf(codes.lo - zero_point, -0.5f),
            EndOf(codes.hi - zero_point, 0.5f)};
  }
  // The reciprocal may add a last bit to the greatest value.
  const float most = static_cast<float>(GreatestValue(format, codes, 0)) *
                     (1.0f + 2.0f * FLT_EPSILON);
  return {-most, most};
}

Clipping::Clipping(const Config& config, const ArrayView& array,
                   const Layout& layout, const Outliers& outliers)
    : source_(MakeSource(array, &config)),
      layout_(layout),
      format_(FormatOf(config)),
      range_(format_.code_range(config.variant())),
      zero_point_(config.scheme() == Scheme::kOffset ? range_.lo : 0),
      features_(array.shape.features()) {
  if (outliers.count != 0) left_out_.resize(features_);
  for (uint64_t i = 0; i < outliers.count; ++i) {
    left_out_[outliers.columns[i]] = 1;
  }
}

uint64_t Clipping::FindOnThread(uint64_t begin, uint64_t end,
                                const ParamSpan& params, uint64_t param_base,
                                uint8_t* mask) const {
  std::vector<float> x(kChunk + kLanes);
  uint64_t total = 0;
  for (uint64_t from = begin; from < end; from += kChunk) {
    const uint64_t to = std::min<uint64_t>(end, from + kChunk);
    LoadElements(source_, from, static_cast<size_t>(to - from), x.data());
    layout_.ForEachRun(from, to, [&](uint64_t at, uint64_t n, uint64_t param) {
      const Params p = params.At(param - param_base, zero_point_);
      const Reach reach = ReachOf(format_, range_, p.zero_point);
      const float inverse = InverseScale(p.scale);
      for (uint64_t i = at; i < at + n; ++i) {
        const float v = (x[i - from] - p.offset) * inverse;
        const bool clipped =
            (v < reach.lo || v > reach.hi) &&
            (left_out_.empty() || left_out_[i % features_] == 0);
        if (mask != nullptr) mask[i - begin] = clipped;
        total += clipped;
      }
    });
  }
  return total;
}

uint64_t Clipping::Find(const Context& context, uint64_t begin, uint64_t end,
                        const ParamSpan& params, uint64_t param_base,
                        uint8_t* mask) const {
  std::vector<uint64_t> counts(DivCeil(end - begin, kTask));
  ParallelFor(context, counts.size(), [&](uint64_t task) {
    const uint64_t at = begin + task * kTask;
    counts[task] =
        FindOnThread(at, std::min(end, at + kTask), params, param_base,
                     mask == nullptr ? nullptr : mask + (at - begin));
  });
  uint64_t total = 0;
  for (uint64_t count : counts) total += count;
  return total;
}

}  // namespace bnq
