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
#include "core/tensor/chunks.h"
#include "core/tensor/quantize.h"
#include "core/tensor/search.h"

namespace bnq {
namespace {

// Elements of a task.
constexpr uint64_t kTask = 65536;

// The rounded scale; INVALID_ARGUMENT for one that cannot be used.
float UsableGivenScale(const Config& config, const Format& format,
                       uint64_t index, float scale, int32_t zero_point) {
  const bool may_be_negative =
      config.symmetric_range() == SymmetricRange::kExtreme;
  const CodeRange range = format.code_range(config.variant());
  const int32_t steps = format.Has(kInteger) ? std::max(range.hi - zero_point,
                                                        zero_point - range.lo)
                                             : 1;
  const float magnitude = std::fabs(scale);
  if (!(magnitude == 0.0f || magnitude >= FLT_MIN) ||
      !(static_cast<double>(magnitude) * steps <= FLT_MAX) ||
      (scale < 0.0f && !may_be_negative)) {
    Fail(Status::kInvalidArgument, "scale ", index, " = ", scale,
         ", must be 0, or at least ", FLT_MIN, " and so that ", steps,
         " of it are finite", may_be_negative ? "" : ", and not negative");
  }
  return RoundScale(scale, config.scale_dtype());
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

// How many values a code beyond those there are would be nearer to.
uint64_t CountClamped(const Context& context, const Config& config,
                      const ArrayView& array, const Layout& layout,
                      const float* scales, const int8_t* zero_points) {
  const Format& format = FormatOf(config);
  const SourceView source = MakeSource(array, &config);
  const CodeRange range = format.code_range(config.variant());
  const uint64_t n = array.shape.elements();
  std::vector<uint64_t> counts(DivCeil(n, kTask));
  ParallelFor(context, counts.size(), [&](uint64_t task) {
    std::vector<float> x(kChunk + kLanes);
    uint64_t count = 0;
    for (uint64_t at = task * kTask; at < std::min(n, (task + 1) * kTask);
         at += kChunk) {
      const size_t m = static_cast<size_t>(std::min<uint64_t>(n - at, kChunk));
      LoadElements(source, at, m, x.data());
      // Run by run.
      for (size_t i = 0; i < m;) {
        const uint64_t column = (at + i) % layout.columns;
        const uint64_t p = layout.ParamIndex((at + i) / layout.columns, column);
        const uint64_t rest =
            std::min(layout.run - column % layout.run, layout.columns - column);
        const size_t end =
            i + static_cast<size_t>(std::min<uint64_t>(rest, m - i));
        const float inverse = InverseScale(scales[p]);
        const int32_t zero = zero_points != nullptr ? zero_points[p] : 0;
        // Tables reach from -1 to 1; the reciprocal may add a last bit. A code
        // is the nearest integer.
        const bool integer = format.Has(kInteger);
        const float table = 1.0f + 2.0f * FLT_EPSILON;
        const float lo = integer ? static_cast<float>(range.lo - zero) : -table;
        const float hi = integer ? static_cast<float>(range.hi - zero) : table;
        for (; i < end; ++i) {
          const float v = x[i] * inverse;
          const float code = integer ? std::nearbyint(v) : v;
          count += code < lo || code > hi;
        }
      }
    }
    counts[task] = count;
  });
  uint64_t total = 0;
  for (uint64_t count : counts) total += count;
  return total;
}

}  // namespace

std::unique_ptr<QuantizedTensor> QuantizeStatic(
    const Context& context, const Config& config, const ArrayView& array,
    const float* scales, const int8_t* zero_points, uint64_t* clamped) {
  const Format& format = FormatOf(config);
  if (!format.Has(kScaled)) {
    Fail(Status::kUnsupported, "format ", format.name, " has no scales");
  }
  if (config.outlier_threshold() != 0.0f) {
    Fail(Status::kUnsupported,
         "outlier_threshold = ", config.outlier_threshold(),
         ", must be 0 where parameters are given");
  }
  Quantizer quantizer(context, config, array);
  const QuantizedSizes& sizes = quantizer.sizes();
  const CodeRange range = format.code_range(config.variant());
  auto tensor = std::make_unique<QuantizedTensor>(context, config, array.shape);
  Buffer working = context.Allocate(sizes.scales * sizeof(float));
  for (uint64_t i = 0; i < sizes.scales; ++i) {
    const int32_t zero = sizes.zero_points != 0 ? zero_points[i] : 0;
    if (zero < range.lo || zero > range.hi) {
      Fail(Status::kInvalidArgument, "zero point ", i, " = ", zero,
           ", must be ", range.lo, " to ", range.hi);
    }
    working.as<float>()[i] =
        UsableGivenScale(config, format, i, scales[i], zero);
    if (sizes.zero_points != 0) {
      tensor->mutable_zero_points()[i] = zero_points[i];
    }
  }
  CheckAllFinite(context, config, array);
  quantizer.TakeParams();
  quantizer.Encode(0, quantizer.num_blocks(), tensor->mutable_codes(),
                   working.as<float>(), tensor->mutable_zero_points());
  if (clamped != nullptr) {
    *clamped = CountClamped(context, config, array, quantizer.layout(),
                            working.as<float>(),
                            sizes.zero_points != 0 ? zero_points : nullptr);
  }
  StoreScales(config, working.as<float>(), sizes.scales,
              tensor->mutable_scales());
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
