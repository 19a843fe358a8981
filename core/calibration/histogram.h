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
//   - the magnitude of every value is below 2^22 widths.
// Where the first rule decides, more than C / 2 bins are in use. The width
// depends on min and max alone and never shrinks; so a histogram is a function
// of the multiset of values seen, not of their order, of how they were cut into
// batches, or of the calibrators they were spread over.
//
// Fine bins. One outlier makes the width as coarse as it likes: with one value
// 10^6 times the others, these all lie in bins -1 and 0. So a fine histogram
// has, in the place of bins -64 .. 63, bins whose width is relative: 64 to each
// octave of |x| (absolute below 2^-126), on either side of 0, and one of exact
// zeros. Their edges are those of uniform bins of some width, so that uniform
// bins turn into fine ones, as the width grows, without a count being split,
// and fine bins add up to the uniform ones that they stand for. Every value is
// thus known to 2^e or to 1 / 64 of itself, whichever is less, whatever else
// was seen. There are at most 2 * 64 * 255 of them.
#ifndef BNQ_CORE_CALIBRATION_HISTOGRAM_H_
#define BNQ_CORE_CALIBRATION_HISTOGRAM_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/context.h"
#include "core/base/memory.h"
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

// Values from lo on and below hi; or 0 alone, with lo = hi = 0.
struct Cell {
  double lo = 0.0, hi = 0.0;
  uint64_t count = 0;
};

class BinCounts {
 public:
  explicit BinCounts(bool fine = false) : fine_(fine) {}

  bool fine() const { return fine_; }
  bool empty() const { return window_.empty(); }
  const BinWindow& window() const { return window_; }

  // What it takes to count values from min to max too, where the least
  // magnitude but 0 has the bits least + 1 (UINT32_MAX: none has). Includes the
  // memory, so that Grow cannot fail.
  struct Growth {
    BinWindow window;
    int32_t first_key = 0;
    Buffer memory;  // none: nothing changes
  };
  Growth PlanGrowth(const Context& context, float min, float max,
                    uint32_t least, size_t capacity) const;
  void Grow(Growth* growth);

  // No value but 0 has lower bits of its magnitude than this and 1.
  uint32_t least() const {
    return fine_ && !empty() ? static_cast<uint32_t>(first_key_) << kFineShift
                             : UINT32_MAX;
  }

  // Where values are counted.
  BinMap map() const;
  size_t num_counters() const { return window_.size + fine_counters(); }
  uint64_t* counters() { return memory_.as<uint64_t>(); }

  // Adds the counts of a histogram whose values this one has room for, and
  // which is fine if this one is. Takes no memory.
  void Add(const BinCounts& other);
  // Gives the fine bins up.
  void Coarsen();
  BinCounts Clone(const Context& context) const;

  // The counts of the uniform bins of window().
  std::vector<uint64_t> Uniform() const;
  // All bins that are not empty, ascending, but what lies outside [lo, hi] lies
  // on the limits; so min and max as limits make the outer bins narrower. Of
  // all values `zeros` are 0.
  std::vector<Cell> Cells(uint64_t zeros, double lo, double hi) const;

  // The fine bins, for the file: keys from that of the least magnitude to the
  // end, which the width says; two counts each, the second of negative values.
  int32_t used_keys() const;
  const uint64_t* fine_counts(int32_t keys) const {
    return counters_() + num_counters() - 2 * static_cast<size_t>(keys);
  }
  // Makes a histogram of what a file says: the uniform counts of the bins from
  // min to max and, of a fine one, those of the last keys. False where they
  // contradict each other or the rest. Fine bins: keys <= MaxKeys(exponent).
  static int32_t MaxKeys(int32_t exponent);
  bool Restore(const Context& context, float min, float max, uint64_t zeros,
               const std::vector<uint64_t>& uniform, int32_t keys,
               const std::vector<uint64_t>& fine, size_t capacity);

 private:
  const uint64_t* counters_() const { return memory_.as<uint64_t>(); }
  int32_t end_key() const { return MaxKeys(window_.exponent); }
  // A counter of zeros, and two for each key.
  size_t fine_counters() const {
    return fine_ && !empty()
               ? 1 + 2 * static_cast<size_t>(end_key() - first_key_)
               : 0;
  }
  // f(key, sign, count), with sign 1 of negative values, of every fine bin that
  // is not empty.
  template <class F>
  void ForEachFine(const F& f) const;
  // To those of the window.
  void AddFineTo(uint64_t* counts) const;

  bool fine_;
  BinWindow window_;
  int32_t first_key_ = 0;
  // The window's counters, those of fine bins' places being unused; then the
  // fine ones.
  Buffer memory_;
};

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
