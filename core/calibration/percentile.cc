// The range that holds p percent of the values (the option `percentile`):
//   symmetric: of n values |x|, the ceil(p n / 100) least (PercentOf);
//   asymmetric: no more than half of the others are cut at either end.
// The range ends at the outer edges of the bins in which these values end, so
// that it always holds the share asked for, and what is known of the bins says
// how much wider than need be it can be: a uniform bin or, of a fine histogram,
// 1 / 64 of the end, whichever is less. TensorRT and ONNX Runtime take the
// inner edge, and clip the bin's values. 100 percent are the range of all
// values.
#include <algorithm>
#include <cmath>

#include "core/base/portable_math.h"
#include "core/calibration/methods.h"

namespace bnq {
namespace {

constexpr double kMaxFloat = 3.4028234663852886e38;

uint64_t CountOf(const std::vector<Cell>& cells) {
  uint64_t count = 0;
  for (const Cell& cell : cells) count += cell.count;
  return count;
}

Range Find(const Observed& o) {
  const double p = o.options.percentile();
  const std::vector<Cell> cells = o.histogram.Cells(o.zeros, o.min, o.max);
  const uint64_t n = CountOf(cells), inside = PercentOf(p, n);
  Range range;
  if (o.options.symmetric()) {
    // Edges are floats but for those beyond the greatest.
    range.hi = static_cast<float>(
        std::min(MagnitudeOf(cells, std::max<uint64_t>(inside, 1)), kMaxFloat));
    range.lo = -range.hi;
    return range;
  }
  const auto kept = CutTails(cells, (n - inside) / 2);
  range.lo = static_cast<float>(std::max(cells[kept.first].lo, -kMaxFloat));
  range.hi = static_cast<float>(std::min(cells[kept.second - 1].hi, kMaxFloat));
  return range;
}

}  // namespace

double MagnitudeOf(const std::vector<Cell>& cells, uint64_t count) {
  // From 0 outwards on both sides at once.
  size_t above = 0;
  while (above < cells.size() && cells[above].hi <= 0.0) ++above;
  size_t below = above;
  double magnitude = 0.0;
  for (uint64_t sum = 0; sum < count && (below != 0 || above < cells.size());) {
    const bool up = below == 0 || (above < cells.size() &&
                                   cells[above].hi <= -cells[below - 1].lo);
    const Cell& cell = up ? cells[above++] : cells[--below];
    magnitude = std::max(magnitude, up ? cell.hi : -cell.lo);
    sum += cell.count;
  }
  return magnitude;
}

std::pair<size_t, size_t> CutTails(const std::vector<Cell>& cells,
                                   uint64_t cut) {
  size_t first = 0, end = cells.size();
  uint64_t below = 0, above = 0;
  while (first + 1 < end && below + cells[first].count <= cut) {
    below += cells[first++].count;
  }
  while (end > first + 1 && above + cells[end - 1].count <= cut) {
    above += cells[--end].count;
  }
  return {first, end};
}

const Method kPercentileMethod = {CalibrationMethod::kPercentile, true, Find,
                                  nullptr};

}  // namespace bnq
