#include "core/calibration/options.h"

#include <cerrno>
#include <cstdlib>

#include "core/base/error.h"
#include "core/calibration/methods.h"

namespace bnq {
namespace {

using Option = CalibrationOption;

const char* const kMethods[] = {"minmax", "moving_average", "percentile", "kl",
                                "mse",    "adaptive",       nullptr};
const char* const kGranularities[] = {"tensor", "channel", nullptr};
const char* const kSchemes[] = {"symmetric", "asymmetric", nullptr};
const char* const kKlVariants[] = {"tensorrt", "onnxruntime", nullptr};
const char* const kLastBins[] = {"keep", "drop", nullptr};
const char* const kNonFinites[] = {"error", "skip", nullptr};
const char* const kOutliers[] = {"none", "percentile", "deviations", nullptr};
const char* const kSwitch[] = {"off", "on", nullptr};

constexpr CalibrationOptionInfo kOptions[kNumCalibrationOptions] = {
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
    {Option::kLastBin, "last_bin", false, 0, 1, 0, kLastBins},
    {Option::kNonFinite, "non_finite", false, 0, 1, 0, kNonFinites},
    {Option::kOutliers, "outliers", false, 0, 2, 0, kOutliers},
    {Option::kOutlierPercentile, "outlier_percentile", true, 50, 100, 99.9,
     nullptr},
    {Option::kOutlierDeviations, "outlier_deviations", true, 0.1, 1000, 6,
     nullptr},
    {Option::kMoments, "moments", false, 0, 1, 0, kSwitch},
    {Option::kHistogram, "histogram", false, 0, 1, 0, kSwitch},
};

const CalibrationOptionInfo& Known(int32_t id, bool is_float) {
  const CalibrationOptionInfo* info = FindCalibrationOption(id);
  if (info == nullptr) {
    Fail(Code::kUnsupported,
         "calibration option %d is not known to this library", id);
  }
  if (info->is_float != is_float) {
    Fail(Code::kUnsupported, "calibration option %s is %s, not %s", info->name,
         info->is_float ? "a float" : "an integer",
         is_float ? "a float" : "an integer");
  }
  return *info;
}

std::string ValueList(const CalibrationOptionInfo& info) {
  std::string list;
  for (const char* const* name = info.value_names; *name; ++name) {
    list += list.empty() ? "" : ", ";
    list += *name;
  }
  return list;
}

}  // namespace

const CalibrationOptionInfo& CalibrationOptionAt(int index) {
  return kOptions[index];
}

const CalibrationOptionInfo* FindCalibrationOption(int32_t id) {
  return id >= 1 && id <= kNumCalibrationOptions ? &kOptions[id - 1] : nullptr;
}

const CalibrationOptionInfo* FindCalibrationOption(const std::string& name) {
  for (const CalibrationOptionInfo& info : kOptions) {
    if (name == info.name) return &info;
  }
  return nullptr;
}

const char* CalibrationValueName(const CalibrationOptionInfo& info,
                                 int64_t value) {
  if (info.value_names == nullptr || value < static_cast<int64_t>(info.min) ||
      value > static_cast<int64_t>(info.max)) {
    return nullptr;
  }
  return info.value_names[value - static_cast<int64_t>(info.min)];
}

CalibrationOptions::CalibrationOptions() {
  for (int i = 0; i < kNumCalibrationOptions; ++i) {
    values_[i] = kOptions[i].initial;
  }
}

void CalibrationOptions::SetInt(int32_t option, int64_t value) {
  const CalibrationOptionInfo& info = Known(option, false);
  if (value < static_cast<int64_t>(info.min) ||
      value > static_cast<int64_t>(info.max)) {
    Fail(Code::kInvalidArgument, "%s = %lld, must be %.0f to %.0f", info.name,
         static_cast<long long>(value), info.min, info.max);
  }
  values_[option - 1] = static_cast<double>(value);
}

void CalibrationOptions::SetFloat(int32_t option, double value) {
  const CalibrationOptionInfo& info = Known(option, true);
  if (!(value >= info.min && value <= info.max)) {
    Fail(Code::kInvalidArgument, "%s = %g, must be %g to %g", info.name, value,
         info.min, info.max);
  }
  values_[option - 1] = value;
}

void CalibrationOptions::SetText(const std::string& option,
                                 const std::string& value) {
  const CalibrationOptionInfo* info = FindCalibrationOption(option);
  if (info == nullptr) {
    std::string names;
    for (const CalibrationOptionInfo& o : kOptions) {
      names += names.empty() ? "" : ", ";
      names += o.name;
    }
    Fail(Code::kNotFound, "calibration option %s is not one of: %s",
         Quoted(option).c_str(), names.c_str());
  }
  const int32_t id = static_cast<int32_t>(info->option);
  if (info->value_names != nullptr) {
    for (int64_t v = 0; info->value_names[v]; ++v) {
      if (value == info->value_names[v]) return SetInt(id, v);
    }
  }
  errno = 0;
  char* end = nullptr;
  if (info->is_float) {
    const double v = std::strtod(value.c_str(), &end);
    if (!value.empty() && *end == '\0') return SetFloat(id, v);
  } else {
    const long long v = std::strtoll(value.c_str(), &end, 10);
    if (!value.empty() && *end == '\0' && errno == 0) return SetInt(id, v);
  }
  Fail(Code::kInvalidArgument, "%s = %s, must be %s%s", info->name,
       Quoted(value).c_str(), info->value_names ? "one of: " : "",
       info->value_names ? ValueList(*info).c_str() : "a number");
}

int64_t CalibrationOptions::GetInt(int32_t option) const {
  return static_cast<int64_t>(Number(Known(option, false).option));
}

double CalibrationOptions::GetFloat(int32_t option) const {
  return Number(Known(option, true).option);
}

bool CalibrationOptions::keeps_histogram() const {
  return Flag(CalibrationOption::kHistogram) ||
         outliers() != OutlierRule::kNone || MethodOf(method()).needs_histogram;
}

}  // namespace bnq
