// Options of calibration: one table, from which the C ABI's keyed setters, the
// serialized form, the command line and the bindings get names and bounds.
#ifndef BNQ_CORE_CALIBRATION_OPTIONS_H_
#define BNQ_CORE_CALIBRATION_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <string>

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
  kLastBin,
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
enum class LastBin : int32_t { kKeep = 0, kDrop = 1 };
enum class NonFinitePolicy : int32_t { kError = 0, kSkip = 1 };
enum class OutlierRule : int32_t {
  kNone = 0,
  kPercentile = 1,
  kDeviations = 2
};

struct CalibrationOptionInfo {
  CalibrationOption option;
  const char* name;
  bool is_float;
  double min, max, initial;  // inclusive; integers are exact in double
  // Names of the values min, min + 1, ..., or nullptr for plain numbers.
  const char* const* value_names;
};

const CalibrationOptionInfo& CalibrationOptionAt(int index);
const CalibrationOptionInfo* FindCalibrationOption(int32_t id);  // or nullptr
const CalibrationOptionInfo* FindCalibrationOption(const std::string& name);
// nullptr where the value has no name.
const char* CalibrationValueName(const CalibrationOptionInfo& info,
                                 int64_t value);

class CalibrationOptions {
 public:
  CalibrationOptions();

  // As bnq::Config's: UNSUPPORTED for an unknown option or the other type,
  // INVALID_ARGUMENT for a value out of bounds, NOT_FOUND for a name.
  void SetInt(int32_t option, int64_t value);
  void SetFloat(int32_t option, double value);
  void SetText(const std::string& option, const std::string& value);
  int64_t GetInt(int32_t option) const;
  double GetFloat(int32_t option) const;
  // Of any type.
  double Number(CalibrationOption option) const {
    return values_[static_cast<int>(option) - 1];
  }

  CalibrationMethod method() const {
    return Enum<CalibrationMethod>(CalibrationOption::kMethod);
  }
  bool per_channel() const { return Flag(CalibrationOption::kGranularity); }
  int axis() const { return Enum<int>(CalibrationOption::kAxis); }
  bool symmetric() const { return !Flag(CalibrationOption::kScheme); }
  // Counters of a histogram: twice the option's number, of which more than half
  // are in use where the values' resolution allows it.
  size_t capacity() const { return 2 * Enum<size_t>(CalibrationOption::kBins); }
  int bits() const { return Enum<int>(CalibrationOption::kBits); }
  uint64_t levels() const {  // 0: as bits say
    return Enum<uint64_t>(CalibrationOption::kLevels);
  }
  double averaging() const { return Number(CalibrationOption::kAveraging); }
  double max_growth() const { return Number(CalibrationOption::kMaxGrowth); }
  double max_shrink() const { return Number(CalibrationOption::kMaxShrink); }
  double percentile() const { return Number(CalibrationOption::kPercentile); }
  KlVariant kl_variant() const {
    return Enum<KlVariant>(CalibrationOption::kKlVariant);
  }
  LastBin last_bin() const {
    return Enum<LastBin>(CalibrationOption::kLastBin);
  }
  NonFinitePolicy non_finite() const {
    return Enum<NonFinitePolicy>(CalibrationOption::kNonFinite);
  }
  OutlierRule outliers() const {
    return Enum<OutlierRule>(CalibrationOption::kOutliers);
  }
  double outlier_percentile() const {
    return Number(CalibrationOption::kOutlierPercentile);
  }
  double outlier_deviations() const {
    return Number(CalibrationOption::kOutlierDeviations);
  }
  // What is kept: asked for, or needed by the method or the outliers.
  bool keeps_moments() const {
    return Flag(CalibrationOption::kMoments) ||
           outliers() == OutlierRule::kDeviations;
  }
  bool keeps_histogram() const;

 private:
  template <class T>
  T Enum(CalibrationOption option) const {
    return static_cast<T>(static_cast<int64_t>(Number(option)));
  }
  bool Flag(CalibrationOption option) const { return Number(option) != 0.0; }

  double values_[kNumCalibrationOptions];
};

}  // namespace bnq

#endif  // BNQ_CORE_CALIBRATION_OPTIONS_H_
