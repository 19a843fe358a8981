// The range that holds p percent of the values (the option `percentile`), as
// TensorRT and ONNX Runtime find it in a histogram:
//   symmetric: of |x|; the range ends at the left edge of the first bin at
//   which
//     the cumulative share reaches p / 100, so that this bin's values are
//     clipped;
//   asymmetric: (100 - p) / 2 percent are cut on each side, at the left edges
//   of
//     the bins at which the share reaches (100 - p) / 200 and 1 less that.
// Shares are of exact counts. 100 percent are the range of all values.
#include <algorithm>
#include <cmath>

#include "core/calibration/methods.h"

namespace bnq {
namespace {

Range Find(const Observed& o) {
  const double p = o.options.percentile();
  Range range;
  if (o.options.symmetric()) {
    double amax = o.absmax();
    if (p < 100) {
      const HistogramView view = AbsViewOf(o.window, o.counts, o.min, o.max);
      amax = std::min(amax, view.Edge(PercentileBin(view, p / 100)));
    }
    range.hi = static_cast<float>(amax);
    range.lo = -range.hi;
    return range;
  }
  range.lo = o.min;
  range.hi = o.max;
  if (p < 100) {
    const HistogramView view = ViewOf(o.window, o.counts, o.min, o.max);
    const double cut = (100 - p) / 200;
    const double lo = view.Edge(PercentileBin(view, cut));
    const double hi = view.Edge(PercentileBin(view, 1 - cut));
    range.lo = std::max(range.lo, static_cast<float>(lo));
    range.hi = std::max(range.lo, std::min(range.hi, static_cast<float>(hi)));
  }
  return range;
}

}  // namespace

size_t PercentileBin(const HistogramView& histogram, double share) {
  const double total = static_cast<double>(histogram.total());
  uint64_t sum = 0;
  for (size_t i = 0; i + 1 < histogram.counts.size(); ++i) {
    sum += histogram.counts[i];
    if (static_cast<double>(sum) / total >= share) return i;
  }
  return histogram.counts.empty() ? 0 : histogram.counts.size() - 1;
}

const Method kPercentileMethod = {CalibrationMethod::kPercentile, true, Find,
                                  nullptr};

}  // namespace bnq
