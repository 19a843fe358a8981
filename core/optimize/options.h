// Options of parameter optimisation (core/base/options.h).
#ifndef BNQ_CORE_OPTIMIZE_OPTIONS_H_
#define BNQ_CORE_OPTIMIZE_OPTIONS_H_

#include <cstdint>

#include "core/base/options.h"

namespace bnq {

// Ids are those of BNQ_OPTIMIZATION_* (capi/optimize.cc asserts it).
enum class OptimizeOption : int32_t {
  kMethod = 1,
  kObjective,
  kScope,
  kSteps,
  kMinRatio,
  kRefinements,
  kZeroPointSteps,
  kBins,
  kIterations,
  kLearningRate,
  kBeta,
  kNorm,
  kKappa,
  kDamping,
  kBlock,
  kActOrder,
  kRatios,
  kAttachInputScales,
};
constexpr int kNumOptimizeOptions = 18;

enum class OptimizeMethod : int32_t { kGrid, kGradient, kHqq, kGptq, kAwq };
enum class ObjectiveKind : int32_t { kMse, kKl, kCosine, kCustom };
enum class OptimizeScope : int32_t { kSegment, kTensor };

class OptimizeOptions : public OptionValues<OptimizeOptions, OptimizeOption,
                                            kNumOptimizeOptions> {
 public:
  static const OptionTable& Table();

  OptimizeMethod method() const {
    return As<OptimizeMethod>(OptimizeOption::kMethod);
  }
  const char* method_name() const { return ValueName(OptimizeOption::kMethod); }
  bool attach_input_scales() const {
    return As<bool>(OptimizeOption::kAttachInputScales);
  }
  ObjectiveKind objective() const {
    return As<ObjectiveKind>(OptimizeOption::kObjective);
  }
  OptimizeScope scope() const {
    return As<OptimizeScope>(OptimizeOption::kScope);
  }
};

}  // namespace bnq

#endif  // BNQ_CORE_OPTIMIZE_OPTIONS_H_
