// An online follower of the input's range, for activations that are quantized
// as they come: observe a batch, ask for the range, quantize it.
//
// The first batch's range is taken as it is. Then, with the width w = hi - lo
// before the step, each end moves towards the batch's by c times the distance
// (c = the option `averaging`), but
//   outwards by at most max_growth * w, so that one wild batch cannot blow up
//     the range, and
//   inwards by at most max_shrink * w / 2, so that one quiet batch cannot
//     collapse it, and the ends never cross.
// A range of width 0 has no scale to bound a step by, and takes the plain step.
// All in float64, rounded to float32 after each step. The order of batches
// matters, and two such calibrators cannot be merged.
#include <algorithm>

#include "core/calibration/methods.h"

namespace bnq {
namespace {

Range Find(const Observed& observed) { return observed.followed; }

void Follow(const CalibrationOptions& options, bool first, const Range& batch,
            Range* followed) {
  if (first) {
    *followed = batch;
    return;
  }
  const double lo = followed->lo, hi = followed->hi, width = hi - lo;
  const double c = options.averaging();
  double down = c * (lo - static_cast<double>(batch.lo));  // outwards
  double up = c * (static_cast<double>(batch.hi) - hi);
  if (width > 0) {
    const double growth = options.max_growth() * width;
    const double shrink = options.max_shrink() * width / 2;
    down = std::min(std::max(down, -shrink), growth);
    up = std::min(std::max(up, -shrink), growth);
  }
  constexpr double kMax = 3.4028234663852886e38;
  followed->lo = static_cast<float>(std::max(lo - down, -kMax));
  followed->hi =
      std::max(followed->lo, static_cast<float>(std::min(hi + up, kMax)));
}

}  // namespace

const Method kAdaptiveMethod = {CalibrationMethod::kAdaptive, false, Find,
                                Follow};

}  // namespace bnq
