// Quantizing an array with parameters that a method searched for. README.md
// says how the parts fit together.
#ifndef BNQ_CORE_OPTIMIZE_OPTIMIZE_H_
#define BNQ_CORE_OPTIMIZE_OPTIMIZE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/base/context.h"
#include "core/base/shape.h"
#include "core/optimize/options.h"
#include "core/scheme/config.h"
#include "core/tensor/tensor.h"

namespace bnq {

// A caller's own objective: the error of `count` dequantized values, least is
// best. May throw to stop.
using CustomMetric = std::function<double(
    const float* original, const float* dequantized, uint64_t count)>;

// Positions are those of BNQ_OPTIMIZATION_*_BEFORE and so on.
enum class Figure {
  kObjectiveBefore,
  kObjectiveAfter,
  kMseBefore,
  kMseAfter,
  kSegments,
  kImproved
};
constexpr int kNumFigures = 6;
const char* FigureName(int index);  // nullptr outside the list

struct OptimizeRequest {
  Config config;
  OptimizeOptions options;
  CustomMetric metric;  // of the objective custom
  ArrayView source;
  // [samples, K], or more dimensions the last of which is K: the inputs of the
  // linear layer whose weights, of K columns, the source is.
  const ArrayView* activations = nullptr;
  // Of the columns of the last dimension, `importance_count` of them, for
  // methods that take them and for scale_rule = mse; nullptr: 1 for all.
  const float* importance = nullptr;
  uint64_t importance_count = 0;
  Progress progress;  // done and total in bytes of source
};

struct OptimizeResult {
  std::unique_ptr<QuantizedTensor> tensor;
  // One for each column of the source: what the inputs must be divided by.
  // Empty where that is 1 for all. Also a part of the tensor where the options
  // say so.
  std::vector<float> input_scales;
  double figures[kNumFigures] = {};
};

// INVALID_ARGUMENT or UNSUPPORTED for what does not go together, NON_FINITE,
// CANCELLED, NO_DATA for activations of no samples.
OptimizeResult Optimize(const Context& context, const OptimizeRequest& request);

}  // namespace bnq

#endif  // BNQ_CORE_OPTIMIZE_OPTIMIZE_H_
