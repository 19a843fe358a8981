#include "core/optimize/options.h"

#include <charconv>

#include "core/base/error.h"

namespace bnq {
namespace {

using Option = OptimizeOption;

const char* const kMethods[] = {"grid", "gradient", "hqq",
                                "gptq", "awq",      nullptr};
const char* const kObjectives[] = {"mse", "kl", "cosine", "custom", nullptr};
const char* const kScopes[] = {"segment", "tensor", nullptr};
const char* const kSwitch[] = {"off", "on", nullptr};

constexpr OptimizeOptionInfo kOptions[kNumOptimizeOptions] = {
    {Option::kMethod, "method", false, 0, 4, 0, kMethods},
    {Option::kObjective, "objective", false, 0, 3, 0, kObjectives},
    {Option::kScope, "scope", false, 0, 1, 0, kScopes},
    {Option::kSteps, "steps", false, 1, 1000, 32, nullptr},
    {Option::kMinRatio, "min_ratio", true, 1e-4, 0.99, 0.02, nullptr},
    {Option::kRefinements, "refinements", false, 0, 20, 4, nullptr},
    {Option::kZeroPointSteps, "zero_point_steps", false, 0, 255, 2, nullptr},
    {Option::kBins, "bins", false, 16, 65536, 2048, nullptr},
    {Option::kIterations, "iterations", false, 0, 100000, 0, nullptr},
    {Option::kLearningRate, "learning_rate", true, 1e-6, 1, 0.01, nullptr},
    {Option::kBeta, "beta", true, 1e-6, 1e9, 10, nullptr},
    {Option::kNorm, "norm", true, 0.05, 1, 0.7, nullptr},
    {Option::kKappa, "kappa", true, 1, 10, 1.01, nullptr},
    {Option::kDamping, "damping", true, 0, 100, 0.01, nullptr},
    {Option::kBlock, "block", false, 1, 65536, 128, nullptr},
    {Option::kActOrder, "act_order", false, 0, 1, 0, kSwitch},
    {Option::kRatios, "ratios", false, 1, 1000, 20, nullptr},
};

const OptimizeOptionInfo& Known(int32_t id, bool is_float) {
  const OptimizeOptionInfo* info = FindOptimizeOption(id);
  if (info == nullptr) {
    Fail(Code::kUnsupported,
         "optimization option %d is not known to this library", id);
  }
  if (info->is_float != is_float) {
    Fail(Code::kUnsupported, "optimization option %s is %s, not %s", info->name,
         info->is_float ? "a float" : "an integer",
         is_float ? "a float" : "an integer");
  }
  return *info;
}

}  // namespace

const OptimizeOptionInfo& OptimizeOptionAt(int index) {
  return kOptions[index];
}

const OptimizeOptionInfo* FindOptimizeOption(int32_t id) {
  return id >= 1 && id <= kNumOptimizeOptions ? &kOptions[id - 1] : nullptr;
}

const OptimizeOptionInfo* FindOptimizeOption(const std::string& name) {
  for (const OptimizeOptionInfo& info : kOptions) {
    if (name == info.name) return &info;
  }
  return nullptr;
}

const char* OptimizeValueName(const OptimizeOptionInfo& info, int64_t value) {
  if (info.value_names == nullptr || value < 0 || value > info.max) {
    return nullptr;
  }
  return info.value_names[value];
}

OptimizeOptions::OptimizeOptions() {
  for (int i = 0; i < kNumOptimizeOptions; ++i) {
    values_[i] = kOptions[i].initial;
  }
}

const char* OptimizeOptions::method_name() const {
  return kMethods[Int(Option::kMethod)];
}

void OptimizeOptions::SetInt(int32_t option, int64_t value) {
  const OptimizeOptionInfo& info = Known(option, false);
  if (value < static_cast<int64_t>(info.min) ||
      value > static_cast<int64_t>(info.max)) {
    Fail(Code::kInvalidArgument, "%s = %lld, must be %.0f to %.0f", info.name,
         static_cast<long long>(value), info.min, info.max);
  }
  values_[option - 1] = static_cast<double>(value);
}

void OptimizeOptions::SetFloat(int32_t option, double value) {
  const OptimizeOptionInfo& info = Known(option, true);
  if (!(value >= info.min && value <= info.max)) {
    Fail(Code::kInvalidArgument, "%s = %g, must be %g to %g", info.name, value,
         info.min, info.max);
  }
  values_[option - 1] = value;
}

void OptimizeOptions::SetText(const std::string& option,
                              const std::string& value) {
  const OptimizeOptionInfo* info = FindOptimizeOption(option);
  if (info == nullptr) {
    std::string names;
    for (const OptimizeOptionInfo& o : kOptions) {
      names += names.empty() ? "" : ", ";
      names += o.name;
    }
    Fail(Code::kNotFound, "optimization option %s is not one of: %s",
         Quoted(option).c_str(), names.c_str());
  }
  const int32_t id = static_cast<int32_t>(info->option);
  std::string accepted;
  if (info->value_names != nullptr) {
    for (int64_t v = 0; info->value_names[v] != nullptr; ++v) {
      if (value == info->value_names[v]) return SetInt(id, v);
      accepted += v == 0 ? "one of: " : ", ";
      accepted += info->value_names[v];
    }
  } else {
    accepted = "a number";
  }
  // Unlike strtod, from_chars knows no locale.
  const char* const begin = value.data();
  const char* const end = begin + value.size();
  double number = 0.0;
  int64_t integer = 0;
  const auto result = info->is_float ? std::from_chars(begin, end, number)
                                     : std::from_chars(begin, end, integer);
  if (result.ec == std::errc() && result.ptr == end) {
    return info->is_float ? SetFloat(id, number) : SetInt(id, integer);
  }
  Fail(Code::kInvalidArgument, "%s = %s, must be %s", info->name,
       Quoted(value).c_str(), accepted.c_str());
}

int64_t OptimizeOptions::GetInt(int32_t option) const {
  return Int(Known(option, false).option);
}

double OptimizeOptions::GetFloat(int32_t option) const {
  return Float(Known(option, true).option);
}

}  // namespace bnq
