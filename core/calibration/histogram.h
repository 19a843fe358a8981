// Histograms that grow and merge exactly.
//
// The grid. Bin k of exponent e holds the values with k * 2^e <= x < (k + 1) *
// 2^e. All grids are anchored at 0 and widths are powers of 2, so each bin of a
// coarser grid is a union of whole bins of a finer one: bin k of e goes to bin
// floor(k / 2) of e + 1, and no count is ever split or guessed.
//
// The width. A histogram of capacity C that has seen values from `min` to `max`
// has the least exponent e >= -126 for which
//   - the bins from that of min to that of max are at most C, and
//   - the magnitude of every value is below 2^22 widths, so that its bin is
//   found
//     exactly in float32.
// Where the first rule decides, more than C / 2 bins are in use. The width
// depends on min and max alone and never shrinks; so a histogram is a function
// of the multiset of values seen, not of their order, of how they were cut into
// batches, or of the calibrators they were spread over.
#ifndef BNQ_CORE_CALIBRATION_HISTOGRAM_H_
#define BNQ_CORE_CALIBRATION_HISTOGRAM_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/kernels/calibration.h"

namespace bnq {

constexpr int kMinExponent = -126;  // 2^126, the inverse, is a float

// Which bins an array of `size` counters holds: counts[i] is of bin base + i.
// Without values: size 0.
struct BinWindow {
  int32_t exponent = 0;
  int32_t base = 0;
  size_t size = 0;

  bool empty() const { return size == 0; }
};

// The rules above, for finite min <= max and capacity >= 16.
int32_t ExponentFor(float min, float max, size_t capacity);
int32_t BinOf(float x, int32_t exponent);

// A window of `capacity` bins for values from min to max, which include all
// that `window` has counted; the window itself where it will do.
BinWindow Widen(const BinWindow& window, float min, float max, size_t capacity);
// Adds the counts of a window that is no coarser to those of one that holds all
// its bins that are not 0.
void AddCounts(const BinWindow& from, const uint64_t* from_counts,
               const BinWindow& to, uint64_t* counts);
BinMap MapOf(const BinWindow& window);

// A histogram to search in: bin i holds first + i * width and up.
struct HistogramView {
  std::vector<uint64_t> counts;
  double first = 0.0;
  double width = 1.0;

  double Edge(size_t i) const { return first + static_cast<double>(i) * width; }
  uint64_t total() const;
};

// The bins from that of min to that of max.
HistogramView ViewOf(const BinWindow& window, const uint64_t* counts, float min,
                     float max);
// The same of |x|, from 0 on: bin k < 0 counts as bin -k - 1.
HistogramView AbsViewOf(const BinWindow& window, const uint64_t* counts,
                        float min, float max);
// The same with as many bins below 0 as above it, of whole powers of two bins
// where there would be more than the window has on a side.
HistogramView SymmetricViewOf(const BinWindow& window, const uint64_t* counts,
                              float min, float max);

}  // namespace bnq

#endif  // BNQ_CORE_CALIBRATION_HISTOGRAM_H_
