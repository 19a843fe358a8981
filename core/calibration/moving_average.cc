// PyTorch's MovingAverageMinMaxObserver: the first batch's range, from which
// each later batch pulls minimum and maximum towards its own:
//   m <- m + c * (current - m)   in float32, c = the option `averaging`.
// The last batches weigh most, so the order of batches matters, and two such
// calibrators cannot be merged.
#include <algorithm>
#include <cmath>

#include "core/calibration/methods.h"

namespace bnq {
namespace {

Range Find(const Observed& observed) { return observed.followed; }

float Average(float m, float current, float c) {
  const float next = m + c * (current - m);
  if (std::isfinite(next)) return next;
  // The difference overflowed, the average does not.
  return (1.0f - c) * m + c * current;
}

void Follow(const CalibrationOptions& options, bool first, const Range& batch,
            Range* followed) {
  if (first) {
    *followed = batch;
    return;
  }
  const float c = static_cast<float>(options.averaging());
  followed->lo = Average(followed->lo, batch.lo, c);
  followed->hi = std::max(followed->lo, Average(followed->hi, batch.hi, c));
}

}  // namespace

const Method kMovingAverageMethod = {CalibrationMethod::kMovingAverage, false,
                                     Find, Follow};

}  // namespace bnq
