#include "core/training/options.h"

namespace bnq {
namespace {

using Option = TrainingOption;

constexpr NamedValue kEstimators[] = {
    {"clipped", "it passes inside the range, and not beyond it"},
    {"straight_through", "it passes everywhere"},
    {"soft", "times 1 - tanh(u / width)^2, u from -1 to 1 along the range"},
    {"slope", "it passes inside the range, and times slope beyond it"}};
constexpr NamedValue kNoises[] = {
    {"none", "codes"},
    {"uniform", "noise of noise_amount steps from end to end"},
    {"gaussian", "noise of a standard deviation of noise_amount steps"}};
constexpr NamedValue kDrawnBys[] = {{"element", "each value by itself"},
                                    {"layer", "all of a call together"}};

constexpr OptionInfo kOptions[kNumTrainingOptions] = {
    Choice(Option::kEstimator, "estimator", kEstimators, Estimator::kClipped,
           "How a gradient passes through quantization"),
    Real(Option::kSlope, "slope", 0, 1, 0.1,
         "Share of the gradient that passes beyond the range, of the estimator "
         "slope"),
    Real(Option::kWidth, "width", 1e-3, 1e3, 1,
         "Width of the estimator soft, in halves of the range"),
    OnOff(Option::kGradientFactor, "gradient_factor", false,
          "Whether gradients of parameters are times 1 / sqrt(elements that "
          "share one * greatest code)"),
    Choice(Option::kNoise, "noise", kNoises, Noise::kNone,
           "What takes the place of rounding"),
    Real(Option::kNoiseAmount, "noise_amount", 0, 16, 1, "How much noise"),
    Real(Option::kTemperature, "temperature", 0, 1, 0,
         "Share of a value's rounding error that is left out: 0 for values of "
         "codes, 1 for values as they are"),
    Real(Option::kProbability, "probability", 0, 1, 1,
         "Probability with which a value is quantized"),
    Choice(Option::kProbabilityOf, "probability_of", kDrawnBys,
           DrawnBy::kElement, "What probability is drawn for"),
    Integer(Option::kSeed, "seed", 0, kMaxInt, 0,
            "Seed of noise and probability; another one for each step"),
};

constexpr OptionInfo kPhaseOptions[kNumPhaseOptions] = {
    Integer(PhaseOption::kSteps, "steps", 0, kMaxInt, 0,
            "Steps after which it ends; 0: it does not end by steps"),
    Real(PhaseOption::kBits, "bits", 1, 32, 8,
         "Bits of the codes: 1, 1.58, 2, 3, 4, 5, 6, 8, 16; 32 for values as "
         "they are"),
    Integer(PhaseOption::kPatience, "patience", 0, kMaxInt, 0,
            "Losses in a row without a better one after which it ends; 0: it "
            "does not end by loss"),
    Real(PhaseOption::kImprovement, "improvement", 0, 1, 0,
         "By what share of the best loss a better one is less"),
    Real(PhaseOption::kMaxError, "max_error", 0, kMaxFloat, 0,
         "Quantization error from which down it ends; 0: it does not end by "
         "error"),
    Real(PhaseOption::kTemperatureBegin, "temperature_begin", 0, 1, 0,
         "Temperature at its first step"),
    Real(PhaseOption::kTemperatureEnd, "temperature_end", 0, 1, 0,
         "Temperature at its last step"),
    Real(PhaseOption::kShareBegin, "share_begin", 0, 1, 1,
         "Share of the elements that are quantized at its first step"),
    Real(PhaseOption::kShareEnd, "share_end", 0, 1, 1,
         "Share of the elements that are quantized at its last step"),
    Real(PhaseOption::kLayersBegin, "layers_begin", 0, 1, 1,
         "Share of the layers, from the first on, that are quantized at its "
         "first step"),
    Real(PhaseOption::kLayersEnd, "layers_end", 0, 1, 1,
         "Share of the layers, from the first on, that are quantized at its "
         "last step"),
};

static_assert(AreNumbered(kOptions), "options");
static_assert(AreNumbered(kPhaseOptions), "options");
constexpr OptionTable kTable("training", kOptions);
constexpr OptionTable kPhaseTable("phase", kPhaseOptions);

}  // namespace

const OptionTable& TrainingOptions::Table() { return kTable; }
const OptionTable& PhaseOptions::Table() { return kPhaseTable; }

}  // namespace bnq
