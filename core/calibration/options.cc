#include "core/calibration/options.h"

#include "core/calibration/methods.h"

namespace bnq {
namespace {

using Option = CalibrationOption;

const char* const kMethods[] = {"minmax", "moving_average", "percentile", "kl",
                                "mse",    "adaptive",       nullptr};
const char* const kGranularities[] = {"tensor", "channel", nullptr};
const char* const kSchemes[] = {"symmetric", "asymmetric", nullptr};
const char* const kKlVariants[] = {"tensorrt", "onnxruntime", nullptr};
const char* const kMseVariants[] = {"exhaustive", "pytorch", nullptr};
const char* const kNonFinites[] = {"error", "skip", nullptr};
const char* const kOutliers[] = {"none", "percentile", "deviations", nullptr};

constexpr OptionInfo kOptions[kNumCalibrationOptions] = {
    {Option::kMethod, "method", false, 0, 5, 0, kMethods},
    {Option::kGranularity, "granularity", false, 0, 1, 0, kGranularities},
    {Option::kAxis, "axis", false, -8, 7, 0, nullptr},
    {Option::kScheme, "scheme", false, 0, 1, 0, kSchemes},
    {Option::kBins, "bins", false, 64, 16384, 2048, nullptr},
    {Option::kBits, "bits", false, 2, 16, 8, nullptr},
    {Option::kLevels, "levels", false, 0, 65536, 0, nullptr},
    {Option::kAveraging, "averaging", true, 1e-6, 1, 0.01, nullptr},
    {Option::kMaxGrowth, "max_growth", true, 0, 1e6, 0.5, nullptr},
    {Option::kMaxShrink, "max_shrink", true, 0, 1, 0.1, nullptr},
    {Option::kPercentile, "percentile", true, 50, 100, 99.99, nullptr},
    {Option::kKlVariant, "kl_variant", false, 0, 1, 0, kKlVariants},
    {Option::kMseVariant, "mse_variant", false, 0, 1, 0, kMseVariants},
    {Option::kNonFinite, "non_finite", false, 0, 1, 0, kNonFinites},
    {Option::kOutliers, "outliers", false, 0, 2, 0, kOutliers},
    {Option::kOutlierPercentile, "outlier_percentile", true, 50, 100, 99.9,
     nullptr},
    {Option::kOutlierDeviations, "outlier_deviations", true, 0.1, 1000, 6,
     nullptr},
    {Option::kMoments, "moments", false, 0, 1, 0, kOffOn},
    {Option::kHistogram, "histogram", false, 0, 1, 0, kOffOn},
};

static_assert(AreNumbered(kOptions), "options");
constexpr OptionTable kTable("calibration option", kOptions);

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
