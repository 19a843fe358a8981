#include "core/optimize/options.h"

namespace bnq {
namespace {

using Option = OptimizeOption;

const char* const kMethods[] = {"grid", "gradient", "hqq",
                                "gptq", "awq",      nullptr};
const char* const kObjectives[] = {"mse", "kl", "cosine", "custom", nullptr};
const char* const kScopes[] = {"segment", "tensor", nullptr};

constexpr OptionInfo kOptions[kNumOptimizeOptions] = {
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
    {Option::kActOrder, "act_order", false, 0, 1, 0, kOffOn},
    {Option::kRatios, "ratios", false, 1, 1000, 20, nullptr},
};

static_assert(AreNumbered(kOptions), "options");
constexpr OptionTable kTable("optimization option", kOptions);

}  // namespace

const OptionTable& OptimizeOptions::Table() { return kTable; }

}  // namespace bnq
