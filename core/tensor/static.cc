#include "core/tensor/static.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <vector>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/kernels/elements.h"
#include "core/kernels/reduce.h"
#include "core/parallel/runner.h"
#include "core/scheme/rules.h"
#include "core/scheme/support.h"
#include "core/tensor/chunks.h"
#include "core/tensor/quantize.h"
#include "core/tensor/search.h"

namespace bnq {
namespace {

// Elements of a task.
constexpr uint64_t kTask = 65536;

// An offset is at most so much, so that no sum with it overflows.
constexpr float kMostOffset = FLT_MAX / 4.0f;

// The rounded scale; INVALID_ARGUMENT for one that cannot be used.
float UsableGivenScale(const Config& config, const Format& format,
                       uint64_t index, float scale, int32_t zero_point) {
  const bool may_be_negative =
      config.symmetric_range() == SymmetricRange::kExtreme;
  // Twice what codes reach leaves room for an offset.
  const double steps =
      GreatestValue(format, format.code_range(config.variant()), zero_point) *
      (config.scheme() == Scheme::kOffset ? 2.0 : 1.0);
  const float magnitude = std::fabs(scale);
  if (!(magnitude == 0.0f || magnitude >= FLT_MIN) ||
      !(static_cast<double>(magnitude) * steps <= FLT_MAX) ||
      (scale < 0.0f && !may_be_negative)) {
    Fail(Status::kInvalidArgument, "scale ", index, " = ", scale,
         ", must be 0, or at least ", FLT_MIN, " and so that ", steps,
         " of it are finite", may_be_negative ? "" : ", and not negative");
  }
  return RoundGivenScale(scale, config.scale_dtype(), steps);
}

// On the context's threads.
void CheckAllFinite(const Context& context, const Config& config,
                    const ArrayView& array) {
  const SourceView source = MakeSource(array, &config);
  const uint64_t n = array.shape.elements();
  ForEachChunk(context, 0, n, [&](uint64_t, uint64_t at, size_t count) {
    float x[kChunk + kLanes];
    LoadElements(source, at, count, x);
    if (!Reduce(x, count, count, Statistic::kAbsMax).finite()) {
      CheckFinite(array, at, at + count);
    }
  });
}

// Counts values that a code beyond those there are would be nearer to.
class ClampCounter {
 public:
  ClampCounter(const Config& config, const ArrayView& array,
               const QuantizedTensor& tensor, const ParamSet& params)
      : source_(MakeSource(array, &config)),
        layout_(tensor.layout()),
        params_(params),
        range_(tensor.format().code_range(config.variant())),
        integer_(tensor.format().Has(kInteger)),
        greatest_(
            static_cast<float>(GreatestValue(tensor.format(), range_, 0))),
        features_(array.shape.features()) {
    const Outliers outliers = tensor.outliers();
    if (outliers.count != 0) left_out_.resize(features_);
    for (uint64_t i = 0; i < outliers.count; ++i) {
      left_out_[outliers.columns[i]] = 1;
    }
  }

  // Of elements [begin, end).
  uint64_t Count(uint64_t begin, uint64_t end) const {
    std::vector<float> x(kChunk + kLanes);
    uint64_t count = 0;
    for (uint64_t at = begin; at < end; at += kChunk) {
      const size_t m =
          static_cast<size_t>(std::min<uint64_t>(end - at, kChunk));
      LoadElements(source_, at, m, x.data());
      for (size_t i = 0; i < m;) {
        const uint64_t column = (at + i) % layout_.columns;
        const uint64_t rest = std::min(layout_.run - column % layout_.run,
                                       layout_.columns - column);
        const size_t n = static_cast<size_t>(std::min<uint64_t>(rest, m - i));
        count += CountRun(at + i, x.data() + i, n);
        i += n;
      }
    }
    return count;
  }

 private:
  // Of values that share parameters.
  uint64_t CountRun(uint64_t at, const float* x, size_t n) const {
    const Params params = params_.At(
        layout_.ParamIndex(at / layout_.columns, at % layout_.columns));
    const float inverse = InverseScale(params.scale);
    const int32_t zero = params.zero_point;
    // The reciprocal may add a last bit to the greatest value. A code of an
    // integer format is the nearest integer.
    const float most = greatest_ * (1.0f + 2.0f * FLT_EPSILON);
    const float lo = integer_ ? static_cast<float>(range_.lo - zero) : -most;
    const float hi = integer_ ? static_cast<float>(range_.hi - zero) : most;
    uint64_t count = 0;
    for (size_t i = 0; i < n; ++i) {
      if (!left_out_.empty() && left_out_[(at + i) % features_]) continue;
      const float v = (x[i] - params.offset) * inverse;
      const float code = integer_ ? std::nearbyint(v) : v;
      count += code < lo || code > hi;
    }
    return count;
  }

  const SourceView source_;
  const Layout& layout_;
  const ParamSet& params_;
  const CodeRange range_;
  const bool integer_;
  const float greatest_;
  const uint64_t features_;
  std::vector<uint8_t> left_out_;  // by feature; empty: none
};

uint64_t CountClamped(const Context& context, const Config& config,
                      const ArrayView& array, const QuantizedTensor& tensor,
                      const ParamSet& params) {
  const ClampCounter counter(config, array, tensor, params);
  const uint64_t n = array.shape.elements();
  std::vector<uint64_t> counts(DivCeil(n, kTask));
  ParallelFor(context, counts.size(), [&](uint64_t task) {
    counts[task] = counter.Count(task * kTask, std::min(n, (task + 1) * kTask));
  });
  uint64_t total = 0;
  for (uint64_t count : counts) total += count;
  return total;
}

// The parameters to code with; INVALID_ARGUMENT names one that cannot be used.
ParamSet UsableParams(const Config& config, const Format& format,
                      const Parts& sizes, const ParamSet& given) {
  const CodeRange range = format.code_range(config.variant());
  const uint64_t count = sizes[Part::kScales].count;
  ParamSet usable(count, config.scheme(), range);
  for (uint64_t i = 0; i < count; ++i) {
    Params params = given.At(i);
    if (config.scheme() == Scheme::kOffset) {
      params.zero_point = usable.zero_point;
      if (!(std::fabs(params.offset) <= kMostOffset)) {
        Fail(Status::kInvalidArgument, "offset ", i, " = ", params.offset,
             ", must be -", kMostOffset, " to ", kMostOffset);
      }
      // Never -0, which targets order differently.
      params.offset = RoundOffset(params.offset, config.scale_dtype()) + 0.0f;
    }
    if (params.zero_point < range.lo || params.zero_point > range.hi) {
      Fail(Status::kInvalidArgument, "zero point ", i, " = ", params.zero_point,
           ", must be ", range.lo, " to ", range.hi);
    }
    params.scale =
        UsableGivenScale(config, format, i, params.scale, params.zero_point);
    usable.Set(i, params);
  }
  return usable;
}

}  // namespace

std::unique_ptr<QuantizedTensor> QuantizeStatic(const Context& context,
                                                const Config& config,
                                                const ArrayView& array,
                                                const ParamSet& given,
                                                uint64_t* clamped) {
  const Format& format = FormatOf(config);
  if (!format.Has(kScaled)) {
    Fail(Status::kUnsupported, "format ", format.name, " has no scales");
  }
  if (format.Has(kCodebook)) {
    Fail(Status::kUnsupported, "format ", format.name,
         " takes scales found in the array, which its codebook is fitted with");
  }
  ParamSet usable =
      UsableParams(config, format, PartSizes(config, array.shape), given);
  CheckAllFinite(context, config, array);
  QuantizeJob job{config, array};
  job.params = &usable;
  auto tensor = Quantize(context, job);
  if (clamped != nullptr) {
    // Codes of double quantized integers are those of the scales as stored.
    if (!CodesAreExact(format, config)) {
      tensor->scales().Read(0, usable.scales.size(), usable.scales.data());
      tensor->offsets().Read(0, usable.offsets.size(), usable.offsets.data());
    }
    *clamped = CountClamped(context, config, array, *tensor, usable);
  }
  return tensor;
}

Params ParamsOfRange(const Config& config, Range range) {
  const Format& format = FormatOf(config);
  CheckSupported(format, config);
  if (!format.Has(kScaled)) {
    Fail(Status::kUnsupported, "format ", format.name, " has no scales");
  }
  Variant variant = config.variant();
  variant.scale_rule = ScaleRule::kAbsMax;
  return ParamsOf(format, variant, range);
}

}  // namespace bnq
