#include "core/calibration/histogram.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace bnq {
namespace {

constexpr int kMaxBinBits = 22;

double FloorBin(float x, int exponent) {
  return std::floor(std::ldexp(static_cast<double>(x), -exponent));
}

// floor(bin / 2^shift); windows of one histogram may differ by more than the
// bits of a bin.
int64_t Coarser(int64_t bin, int32_t shift) {
  if (shift > 31) return bin < 0 ? -1 : 0;
  const int64_t width = int64_t{1} << shift;
  return bin >= 0 ? bin / width : -((-bin + width - 1) / width);
}

// Counts of bins first .. first + counts.size() - 1.
HistogramView Gather(const BinWindow& window, const uint64_t* counts,
                     int64_t used_first, int64_t used_last, int64_t first,
                     int64_t last) {
  HistogramView view;
  view.width = std::ldexp(1.0, window.exponent);
  view.first = static_cast<double>(first) * view.width;
  view.counts.assign(static_cast<size_t>(last - first + 1), 0);
  for (int64_t k = used_first; k <= used_last; ++k) {
    view.counts[static_cast<size_t>(k - first)] = counts[k - window.base];
  }
  return view;
}

}  // namespace

int32_t ExponentFor(float min, float max, size_t capacity) {
  const float absmax = std::max(std::fabs(min), std::fabs(max));
  int e = kMinExponent;
  if (absmax > 0) {
    int magnitude = 0;
    std::frexp(absmax, &magnitude);  // absmax < 2^magnitude
    e = std::max(e, magnitude - kMaxBinBits);
  }
  while (FloorBin(max, e) - FloorBin(min, e) + 1 >
         static_cast<double>(capacity)) {
    ++e;
  }
  return e;
}

int32_t BinOf(float x, int32_t exponent) {
  return static_cast<int32_t>(FloorBin(x, exponent));
}

BinWindow Widen(const BinWindow& window, float min, float max,
                size_t capacity) {
  const int32_t exponent = ExponentFor(min, max, capacity);
  const int64_t lo = BinOf(min, exponent), hi = BinOf(max, exponent);
  if (!window.empty() && exponent == window.exponent && lo >= window.base &&
      hi < window.base + static_cast<int64_t>(window.size)) {
    return window;
  }
  // Room on both sides, so that a window seldom moves.
  BinWindow wider;
  wider.exponent = exponent;
  wider.base = static_cast<int32_t>(
      lo - (static_cast<int64_t>(capacity) - (hi - lo + 1)) / 2);
  wider.size = capacity;
  return wider;
}

void AddCounts(const BinWindow& from, const uint64_t* from_counts,
               const BinWindow& to, uint64_t* counts) {
  const int32_t shift = to.exponent - from.exponent;
  for (size_t i = 0; i < from.size; ++i) {
    if (from_counts[i] == 0) continue;
    const int64_t bin =
        static_cast<int64_t>(from.base) + static_cast<int64_t>(i);
    counts[Coarser(bin, shift) - to.base] += from_counts[i];
  }
}

BinMap MapOf(const BinWindow& window) {
  BinMap map;
  map.inv_width = std::ldexp(1.0f, -window.exponent);
  map.base = window.base;
  map.last = static_cast<int32_t>(window.size) - 1;
  return map;
}

uint64_t HistogramView::total() const {
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

HistogramView ViewOf(const BinWindow& window, const uint64_t* counts, float min,
                     float max) {
  const int64_t lo = BinOf(min, window.exponent);
  const int64_t hi = BinOf(max, window.exponent);
  return Gather(window, counts, lo, hi, lo, hi);
}

HistogramView SymmetricViewOf(const BinWindow& window, const uint64_t* counts,
                              float min, float max) {
  const int64_t lo = BinOf(min, window.exponent);
  const int64_t hi = BinOf(max, window.exponent);
  // Bins of values far from 0 are fine beside their distance from it: as many
  // of them as the window has are enough for a view that reaches down to 0.
  const int64_t most = static_cast<int64_t>(window.size);
  int shift = 0;
  while (std::max((hi >> shift) + 1, -(lo >> shift)) > most) ++shift;
  const int64_t half = std::max((hi >> shift) + 1, -(lo >> shift));
  HistogramView view;
  view.width = std::ldexp(1.0, window.exponent + shift);
  view.first = static_cast<double>(-half) * view.width;
  view.counts.assign(static_cast<size_t>(2 * half), 0);
  for (int64_t k = lo; k <= hi; ++k) {
    view.counts[static_cast<size_t>((k >> shift) + half)] +=
        counts[k - window.base];
  }
  return view;
}

HistogramView AbsViewOf(const BinWindow& window, const uint64_t* counts,
                        float min, float max) {
  HistogramView view = SymmetricViewOf(window, counts, min, max);
  const size_t half = view.counts.size() / 2;
  for (size_t i = 0; i < half; ++i) {
    view.counts[half + i] += view.counts[half - 1 - i];
  }
  view.counts.erase(view.counts.begin(),
                    view.counts.begin() + static_cast<ptrdiff_t>(half));
  view.first = 0.0;
  return view;
}

}  // namespace bnq
