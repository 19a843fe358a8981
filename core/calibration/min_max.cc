// The range of all values (TensorRT's and ONNX Runtime's "max" / MinMax,
// PyTorch's MinMaxObserver).
#include "core/calibration/methods.h"

namespace bnq {
namespace {

Range Find(const Observed& observed) {
  Range range;
  range.lo = observed.min;
  range.hi = observed.max;
  return range;
}

}  // namespace

const Method kMinMaxMethod = {CalibrationMethod::kMinMax, false, Find, nullptr};

}  // namespace bnq
