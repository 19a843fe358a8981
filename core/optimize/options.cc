#include "core/optimize/options.h"

namespace bnq {
namespace {

using Option = OptimizeOption;

constexpr NamedValue kMethods[] = {
    {"grid", "narrower ranges and other zero points, one after another"},
    {"gradient", "learned step size: scales follow the gradient of the error"},
    {"hqq", "half-quadratic refinement of scales and zero points"},
    {"gptq", "each column's error is made up for by the columns after it"},
    {"awq", "weights of large inputs are scaled up before they are quantized"}};
constexpr NamedValue kObjectives[] = {
    {"mse", "mean squared error"},
    {"kl", "Kullback-Leibler divergence of the histograms"},
    {"cosine", "1 - cosine similarity"},
    {"custom", "the caller's metric"}};
constexpr NamedValue kScopes[] = {{"segment", "each segment has its own"},
                                  {"tensor", "the same one for all"}};

constexpr OptionInfo kOptions[kNumOptimizeOptions] = {
    Choice(Option::kMethod, "method", kMethods, OptimizeMethod::kGrid,
           "How parameters are searched for"),
    Choice(Option::kObjective, "objective", kObjectives, ObjectiveKind::kMse,
           "What grid and hqq make small"),
    Choice(Option::kScope, "scope", kScopes, OptimizeScope::kSegment,
           "Who shares a ratio of the range, of grid"),
    Integer(
        Option::kSteps, "steps", 1, 1000, 32,
        "Steps of grid from the whole range of the values down to min_ratio"),
    Real(Option::kMinRatio, "min_ratio", 1e-4, 0.99, 0.02,
         "Least part of the range that grid tries"),
    Integer(Option::kRefinements, "refinements", 0, 20, 4,
            "How often grid searches around the best in half steps"),
    Integer(Option::kZeroPointSteps, "zero_point_steps", 0, 255, 2,
            "How far grid moves zero points"),
    Integer(Option::kBins, "bins", 16, 65536, 2048,
            "Bins of the histograms of the objective kl"),
    Integer(Option::kIterations, "iterations", 0, 100000, 0,
            "Most iterations of gradient and hqq; 0 for the method's own"),
    Real(Option::kLearningRate, "learning_rate", 1e-6, 1, 0.01,
         "Step of gradient, in parts of a scale"),
    Real(Option::kBeta, "beta", 1e-6, 1e9, 10, "Weight of the penalty of hqq"),
    Real(Option::kNorm, "norm", 0.05, 1, 0.7, "Norm of the error of hqq"),
    Real(Option::kKappa, "kappa", 1, 10, 1.01,
         "What beta is multiplied by in each iteration of hqq"),
    Real(Option::kDamping, "damping", 0, 100, 0.01,
         "What gptq adds to the diagonal, in parts of its mean"),
    Integer(Option::kBlock, "block", 1, 65536, 128,
            "Columns whose errors gptq passes on at once, a matter of speed"),
    OnOff(Option::kActOrder, "act_order", false,
          "Whether gptq takes columns by descending diagonal"),
    Integer(Option::kRatios, "ratios", 1, 1000, 20,
            "How many exponents awq tries"),
    OnOff(Option::kAttachInputScales, "attach_input_scales", false,
          "Whether the tensor has awq's input scales as its part, so that "
          "layers divide by them"),
};

static_assert(AreNumbered(kOptions), "options");
constexpr OptionTable kTable("optimizer", kOptions);

}  // namespace

const OptionTable& OptimizeOptions::Table() { return kTable; }

}  // namespace bnq
