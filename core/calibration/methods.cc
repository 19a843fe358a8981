#include "core/calibration/methods.h"

#include <algorithm>
#include <cmath>

namespace bnq {

const Method& MethodOf(CalibrationMethod id) {
  switch (id) {
    case CalibrationMethod::kMinMax:
      return kMinMaxMethod;
    case CalibrationMethod::kMovingAverage:
      return kMovingAverageMethod;
    case CalibrationMethod::kPercentile:
      return kPercentileMethod;
    case CalibrationMethod::kKl:
      return kKlMethod;
    case CalibrationMethod::kMse:
      return kMseMethod;
    case CalibrationMethod::kAdaptive:
      break;
  }
  return kAdaptiveMethod;
}

float Observed::absmax() const {
  return std::max(std::fabs(min), std::fabs(max));
}

}  // namespace bnq
