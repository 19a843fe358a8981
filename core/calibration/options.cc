#include "core/calibration/options.h"

#include "core/calibration/methods.h"

namespace bnq {
namespace {

using Option = CalibrationOption;

constexpr NamedValue kMethods[] = {
    {"minmax", "least and greatest value"},
    {"moving_average",
     "exponential average of each batch's least and greatest"},
    {"percentile", "all but the outermost values"},
    {"kl", "least Kullback-Leibler divergence of the quantized distribution"},
    {"mse", "least squared error, by the histogram"},
    {"adaptive", "an average whose steps are bounded"}};
constexpr NamedValue kGranularities[] = {
    {"tensor", "one range"},
    {"channel", "one for each index of the dimension axis"}};
constexpr NamedValue kSchemes[] = {{"symmetric", "around zero"},
                                   {"asymmetric", "that of the values"}};
constexpr NamedValue kKlVariants[] = {{"tensorrt", "TensorRT's"},
                                      {"onnxruntime", "ONNX Runtime's"}};
constexpr NamedValue kMseVariants[] = {
    {"exhaustive", "every bin is a candidate"},
    {"pytorch", "PyTorch's stepwise search, which may stop early"}};
constexpr NamedValue kNonFinites[] = {
    {"error", "refused, naming the first index"},
    {"skip", "counted and left out"}};
constexpr NamedValue kOutliers[] = {
    {"none", "no value"},
    {"percentile", "what lies beyond outlier_percentile percent"},
    {"deviations", "what lies outlier_deviations deviations from the mean"}};

constexpr OptionInfo kOptions[kNumCalibrationOptions] = {
    Choice(Option::kMethod, "method", kMethods, CalibrationMethod::kMinMax,
           "How the range is found"),
    Choice(Option::kGranularity, "granularity", kGranularities, 0,
           "Whether channels have ranges of their own"),
    // Activations are [..., features]: of weights, [out, in], it is 0.
    Integer(Option::kAxis, "axis", -8, 7, -1,
            "Dimension of the channels, negative from the end"),
    Choice(Option::kScheme, "scheme", kSchemes, 0,
           "Whether the range is around zero or that of the values"),
    Integer(Option::kBins, "bins", 64, 16384, 2048,
            "Least number of bins that cover a histogram's range"),
    Integer(Option::kBits, "bits", 2, 16, 8,
            "Bits of the codes to come, for kl and mse"),
    Integer(Option::kLevels, "levels", 0, 65536, 0,
            "Number of levels in place of bits; 0 for as bits say"),
    Real(Option::kAveraging, "averaging", 1e-6, 1, 0.01,
         "Weight of a new batch, for moving_average and adaptive"),
    Real(Option::kMaxGrowth, "max_growth", 0, 1e6, 0.5,
         "Most that an end of the range moves outwards in a step of adaptive, "
         "in widths of the range"),
    Real(Option::kMaxShrink, "max_shrink", 0, 1, 0.1,
         "Most of its width that a step of adaptive takes away"),
    Real(Option::kPercentile, "percentile", 50, 100, 99.99,
         "Percent of the values within the range of percentile")
        .Percent(),
    Choice(Option::kKlVariant, "kl_variant", kKlVariants, KlVariant::kTensorRt,
           "Whose definition of kl"),
    Choice(Option::kMseVariant, "mse_variant", kMseVariants,
           MseVariant::kExhaustive, "Whose search mse is"),
    Choice(Option::kNonFinite, "non_finite", kNonFinites,
           NonFinitePolicy::kError, "What is done with NaN and infinity"),
    Choice(Option::kOutliers, "outliers", kOutliers, OutlierRule::kNone,
           "What counts as an outlier, and then as the limit next to it"),
    Real(Option::kOutlierPercentile, "outlier_percentile", 50, 100, 99.9,
         "Percent of the values that are no outliers")
        .Percent(),
    Real(Option::kOutlierDeviations, "outlier_deviations", 0.1, 1000, 6,
         "Standard deviations from the mean from which on values are "
         "outliers"),
    OnOff(Option::kMoments, "moments", false,
          "Whether what mean, variance and others are made of is kept"),
    OnOff(Option::kHistogram, "histogram", false,
          "Whether a histogram is kept even where the method needs none"),
};

static_assert(AreNumbered(kOptions), "options");
constexpr OptionTable kTable("calibrator", kOptions);

}  // namespace

const OptionTable& CalibrationOptions::Table() { return kTable; }

bool CalibrationOptions::keeps_histogram() const {
  return As<bool>(CalibrationOption::kHistogram) ||
         outliers() != OutlierRule::kNone || MethodOf(method()).needs_histogram;
}

bool CalibrationOptions::keeps_fine_bins() const {
  return As<bool>(CalibrationOption::kHistogram) ||
         outliers() == OutlierRule::kPercentile ||
         method() == CalibrationMethod::kPercentile;
}

}  // namespace bnq
