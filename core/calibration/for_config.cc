#include "core/calibration/for_config.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/tensor/tensor.h"

namespace bnq {

CalibrationOptions OptionsFor(const Config& config) {
  const bool per_channel = config.granularity() == Granularity::kChannel;
  if (!per_channel && config.granularity() != Granularity::kTensor) {
    Fail(Status::kInvalidArgument,
         "granularity = ", config.ValueName(Option::kGranularity),
         ", must be tensor or channel to be calibrated");
  }
  CalibrationOptions options;
  const auto set = [&](CalibrationOption option, int64_t value) {
    options.SetInt(static_cast<int32_t>(option), value);
  };
  set(CalibrationOption::kGranularity, per_channel ? 1 : 0);
  set(CalibrationOption::kAxis, config.axis());
  // An offset's range is that of the values, too.
  set(CalibrationOption::kScheme,
      config.scheme() == Scheme::kSymmetric ? 0 : 1);
  // A calibrator's least: one bit has no levels to place.
  set(CalibrationOption::kBits,
      std::max<int64_t>(2, CodeBits(FormatOf(config).packing)));
  return options;
}

}  // namespace bnq
