// Options of parameter optimisation: one table, from which the C ABI's keyed
// setters, the command line and the bindings get names and bounds.
#ifndef BNQ_CORE_OPTIMIZE_OPTIONS_H_
#define BNQ_CORE_OPTIMIZE_OPTIONS_H_

#include <cstdint>
#include <string>

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
};
constexpr int kNumOptimizeOptions = 17;

enum class OptimizeMethod : int32_t { kGrid, kGradient, kHqq, kGptq, kAwq };
enum class ObjectiveKind : int32_t { kMse, kKl, kCosine, kCustom };
enum class OptimizeScope : int32_t { kSegment, kTensor };

struct OptimizeOptionInfo {
  OptimizeOption option;
  const char* name;
  bool is_float;
  double min, max, initial;  // inclusive; integers are exact in double
  // Names of the values 0, 1, ..., or nullptr for plain numbers.
  const char* const* value_names;
};

const OptimizeOptionInfo& OptimizeOptionAt(int index);
const OptimizeOptionInfo* FindOptimizeOption(int32_t id);  // nullptr: unknown
const OptimizeOptionInfo* FindOptimizeOption(const std::string& name);
// nullptr where the value has no name.
const char* OptimizeValueName(const OptimizeOptionInfo& info, int64_t value);

class OptimizeOptions {
 public:
  OptimizeOptions();

  // As Config's: UNSUPPORTED for an unknown option or the other type,
  // INVALID_ARGUMENT for a value out of bounds, NOT_FOUND for a name.
  void SetInt(int32_t option, int64_t value);
  void SetFloat(int32_t option, double value);
  void SetText(const std::string& option, const std::string& value);
  int64_t GetInt(int32_t option) const;
  double GetFloat(int32_t option) const;

  OptimizeMethod method() const {
    return static_cast<OptimizeMethod>(Int(OptimizeOption::kMethod));
  }
  const char* method_name() const;
  ObjectiveKind objective() const {
    return static_cast<ObjectiveKind>(Int(OptimizeOption::kObjective));
  }
  OptimizeScope scope() const {
    return static_cast<OptimizeScope>(Int(OptimizeOption::kScope));
  }
  int Int(OptimizeOption option) const {
    return static_cast<int>(Float(option));
  }
  double Float(OptimizeOption option) const {
    return values_[static_cast<int>(option) - 1];
  }

 private:
  double values_[kNumOptimizeOptions];
};

}  // namespace bnq

#endif  // BNQ_CORE_OPTIMIZE_OPTIONS_H_
