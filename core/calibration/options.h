// Options of calibration (core/base/options.h).
#ifndef BNQ_CORE_CALIBRATION_OPTIONS_H_
#define BNQ_CORE_CALIBRATION_OPTIONS_H_

#include <cstddef>
#include <cstdint>

#include "core/base/options.h"

namespace bnq {

// Ids are those of BNQ_CALIBRATION_* (capi/calibration.cc asserts it) and stand
// in serialized calibrators: append only.
enum class CalibrationOption : int32_t {
  kMethod = 1,
  kGranularity,
  kAxis,
  kScheme,
  kBins,
  kBits,
  kLevels,
  kAveraging,
  kMaxGrowth,
  kMaxShrink,
  kPercentile,
  kKlVariant,
  kMseVariant,
  kNonFinite,
  kOutliers,
  kOutlierPercentile,
  kOutlierDeviations,
  kMoments,
  kHistogram,
};
constexpr int kNumCalibrationOptions = 19;

enum class CalibrationMethod : int32_t {
  kMinMax = 0,
  kMovingAverage,
  kPercentile,
  kKl,
  kMse,
  kAdaptive,
};

enum class KlVariant : int32_t { kTensorRt = 0, kOnnxRuntime = 1 };
enum class MseVariant : int32_t { kExhaustive = 0, kPyTorch = 1 };
enum class NonFinitePolicy : int32_t { kError = 0, kSkip = 1 };
enum class OutlierRule : int32_t {
  kNone = 0,
  kPercentile = 1,
  kDeviations = 2
};

class CalibrationOptions
    : public OptionValues<CalibrationOptions, CalibrationOption,
                          kNumCalibrationOptions> {
 public:
  static const OptionTable& Table();

  CalibrationMethod method() const {
    return As<CalibrationMethod>(CalibrationOption::kMethod);
  }
  bool per_channel() const { return As<bool>(CalibrationOption::kGranularity); }
  int axis() const { return As<int>(CalibrationOption::kAxis); }
  bool symmetric() const { return !As<bool>(CalibrationOption::kScheme); }
  // Counters of a histogram: twice the option's number, of which more than half
  // are in use where the values' resolution allows it.
  size_t capacity() const { return 2 * As<size_t>(CalibrationOption::kBins); }
  int bits() const { return As<int>(CalibrationOption::kBits); }
  uint64_t levels() const {  // 0: as bits say
    return As<uint64_t>(CalibrationOption::kLevels);
  }
  double averaging() const { return Number(CalibrationOption::kAveraging); }
  double max_growth() const { return Number(CalibrationOption::kMaxGrowth); }
  double max_shrink() const { return Number(CalibrationOption::kMaxShrink); }
  double percentile() const { return Number(CalibrationOption::kPercentile); }
  KlVariant kl_variant() const {
    return As<KlVariant>(CalibrationOption::kKlVariant);
  }
  MseVariant mse_variant() const {
    return As<MseVariant>(CalibrationOption::kMseVariant);
  }
  NonFinitePolicy non_finite() const {
    return As<NonFinitePolicy>(CalibrationOption::kNonFinite);
  }
  OutlierRule outliers() const {
    return As<OutlierRule>(CalibrationOption::kOutliers);
  }
  double outlier_percentile() const {
    return Number(CalibrationOption::kOutlierPercentile);
  }
  double outlier_deviations() const {
    return Number(CalibrationOption::kOutlierDeviations);
  }
  // What is kept: asked for, or needed by the method or the outliers.
  bool keeps_moments() const {
    return As<bool>(CalibrationOption::kMoments) ||
           outliers() == OutlierRule::kDeviations;
  }
  bool keeps_histogram() const;
  // Whether it has fine bins: for percentiles, or for whatever may be searched
  // for in it.
  bool keeps_fine_bins() const;
};

}  // namespace bnq

#endif  // BNQ_CORE_CALIBRATION_OPTIONS_H_
