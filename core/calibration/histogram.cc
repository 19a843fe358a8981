#include "core/calibration/histogram.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <utility>

#include "core/base/portable_math.h"

namespace bnq {
namespace {

constexpr int kMaxBinBits = 22;

// Exact: a float times a power of two that a float could have is a double.
double FloorBin(float x, int exponent) {
  return std::floor(static_cast<double>(x) * PowerOfTwo(-exponent));
}

// floor(bin / 2^shift); windows of one histogram may differ by more than the
// bits of a bin.
int64_t Coarser(int64_t bin, int32_t shift) {
  if (shift > 31) return bin < 0 ? -1 : 0;
  const int64_t width = int64_t{1} << shift;
  return bin >= 0 ? bin / width : -((-bin + width - 1) / width);
}

// The bin of as small magnitudes as the negative one has, and itself.
int64_t Magnitude(int64_t bin) { return bin < 0 ? -bin - 1 : bin; }

bool InFineZone(int64_t bin) { return Magnitude(bin) < kFineZone; }

// The least magnitude of a key.
double EdgeOf(int32_t key) {
  const int32_t octave = key >> kFineBits, step = key & (kFineZone - 1);
  if (octave == 0) return step * PowerOfTwo(-126 - kFineBits);
  return (kFineZone + step) * PowerOfTwo(octave - 127 - kFineBits);
}

// The key of bin `magnitude` >= kFineZone, whose width is no more than a fine
// bin's.
int32_t KeyOfBin(int64_t magnitude, int32_t exponent) {
  int32_t log = kFineBits;
  while (magnitude >> log >= 2) ++log;
  return (exponent + log + 126) * kFineZone +
         static_cast<int32_t>(magnitude >> (log - kFineBits));
}

// The uniform bin that holds a fine one.
int64_t BinOfKey(int32_t key, int sign, int32_t exponent) {
  const int64_t magnitude =
      static_cast<int64_t>(std::floor(EdgeOf(key) * PowerOfTwo(-exponent)));
  return sign != 0 ? -magnitude - 1 : magnitude;
}

// Counts of bins first .. first + counts.size() - 1.
HistogramView Gather(const BinWindow& window, const uint64_t* counts,
                     int64_t used_first, int64_t used_last, int64_t first,
                     int64_t last) {
  HistogramView view;
  view.width = PowerOfTwo(window.exponent);
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

template <class F>
void BinCounts::ForEachFine(const F& f) const {
  if (!fine_ || empty()) return;
  const uint64_t* const fine = counters_() + window_.size + 1;
  for (int32_t key = first_key_; key < end_key(); ++key) {
    for (int sign = 0; sign < 2; ++sign) {
      const uint64_t count = fine[2 * (key - first_key_) + sign];
      if (count != 0) f(key, sign, count);
    }
  }
}

int32_t BinCounts::MaxKeys(int32_t exponent) {
  return (exponent + kFineBits + 127) * kFineZone;
}

BinCounts::Growth BinCounts::PlanGrowth(const Context& context, float min,
                                        float max, uint32_t least,
                                        size_t capacity) const {
  Growth growth;
  growth.window = Widen(window_, min, max, capacity);
  // An empty part of fine bins begins at its end, where those may have to go
  // that are uniform yet.
  growth.first_key = empty() ? INT32_MAX : first_key_;
  if (fine_) {
    const int32_t key = static_cast<int32_t>(least >> kFineShift);
    // By whole octaves, so that they seldom move.
    if (key < growth.first_key) growth.first_key = key & -kFineZone;
    growth.first_key =
        std::min(growth.first_key, MaxKeys(growth.window.exponent));
  }
  if (!empty() && growth.window.size == window_.size &&
      growth.window.exponent == window_.exponent &&
      growth.window.base == window_.base && growth.first_key == first_key_) {
    return growth;
  }
  size_t counters = growth.window.size;
  if (fine_) {
    counters += 1 + 2 * static_cast<size_t>(MaxKeys(growth.window.exponent) -
                                            growth.first_key);
  }
  growth.memory = context.Allocate(counters * sizeof(uint64_t));
  return growth;
}

void BinCounts::Grow(Growth* growth) {
  if (growth->memory.size() == 0) return;
  BinCounts grown(fine_);
  grown.window_ = growth->window;
  grown.first_key_ = fine_ ? growth->first_key : 0;
  grown.memory_ = std::move(growth->memory);
  std::memset(grown.memory_.data(), 0, grown.memory_.size());
  if (!empty()) grown.Add(*this);
  *this = std::move(grown);
}

BinMap BinCounts::map() const {
  BinMap map;
  map.inv_width = static_cast<float>(PowerOfTwo(-window_.exponent));
  map.base = window_.base;
  map.last = static_cast<int32_t>(num_counters()) - 1;
  if (fine_) {
    map.zero = static_cast<int32_t>(window_.size);
    map.first_key = first_key_;
  }
  return map;
}

void BinCounts::Add(const BinCounts& other) {
  if (other.empty()) return;
  const int32_t shift = window_.exponent - other.window_.exponent;
  const auto uniform = [&](int64_t bin) -> uint64_t& {
    return counters()[bin - window_.base];
  };
  const auto fine = [&](int32_t key, int sign) -> uint64_t& {
    return counters()[static_cast<int64_t>(window_.size) + 1 +
                      2 * int64_t{key - first_key_} + sign];
  };
  for (size_t i = 0; i < other.window_.size; ++i) {
    const uint64_t count = other.counters_()[i];
    if (count == 0) continue;
    const int64_t k = int64_t{other.window_.base} + static_cast<int64_t>(i);
    const int64_t bin = Coarser(k, shift);
    if (fine_ && InFineZone(bin)) {
      const int32_t key = KeyOfBin(Magnitude(k), other.window_.exponent);
      fine(key, k < 0) += count;
    } else {
      uniform(bin) += count;
    }
  }
  other.ForEachFine([&](int32_t key, int sign, uint64_t count) {
    if (fine_) {
      fine(key, sign) += count;
    } else {
      uniform(BinOfKey(key, sign, window_.exponent)) += count;
    }
  });
  const uint64_t zeros =
      other.fine_ ? other.counters_()[other.window_.size] : 0;
  if (zeros != 0) (fine_ ? counters()[window_.size] : uniform(0)) += zeros;
}

void BinCounts::Coarsen() {
  if (!fine_) return;
  AddFineTo(counters());
  fine_ = false;
  first_key_ = 0;
}

BinCounts BinCounts::Clone(const Context& context) const {
  BinCounts clone(fine_);
  if (empty()) return clone;
  clone.window_ = window_;
  clone.first_key_ = first_key_;
  clone.memory_ = context.Allocate(num_counters() * sizeof(uint64_t));
  std::memcpy(clone.memory_.data(), memory_.data(), clone.memory_.size());
  return clone;
}

std::vector<uint64_t> BinCounts::Uniform() const {
  std::vector<uint64_t> counts(counters_(), counters_() + window_.size);
  AddFineTo(counts.data());
  return counts;
}

void BinCounts::AddFineTo(uint64_t* counts) const {
  if (!fine_ || empty()) return;
  ForEachFine([&](int32_t key, int sign, uint64_t count) {
    counts[BinOfKey(key, sign, window_.exponent) - window_.base] += count;
  });
  const uint64_t zeros = counters_()[window_.size];
  if (zeros != 0) counts[-window_.base] += zeros;
}

std::vector<Cell> BinCounts::Cells(uint64_t zeros, double lo, double hi) const {
  std::vector<Cell> cells;
  const auto add = [&](double begin, double end, uint64_t count) {
    if (count == 0) return;
    cells.push_back({std::min(std::max(begin, lo), hi),
                     std::min(std::max(end, lo), hi), count});
  };
  const double width = PowerOfTwo(window_.exponent);
  const int64_t base = window_.base;
  const int64_t end = base + static_cast<int64_t>(window_.size);
  const auto uniform = [&](int64_t from, int64_t to) {
    for (int64_t k = std::max(base, from); k < std::min(end, to); ++k) {
      // Zeros are a bin of their own.
      const uint64_t count =
          counters_()[k - base] - (k == 0 && !fine_ ? zeros : 0);
      add(static_cast<double>(k) * width, static_cast<double>(k + 1) * width,
          count);
    }
  };
  uniform(base, fine_ ? -kFineZone : 0);
  std::vector<Cell> near;
  ForEachFine([&](int32_t key, int sign, uint64_t count) {
    const double from = EdgeOf(key), to = EdgeOf(key + 1);
    near.push_back(sign != 0 ? Cell{-to, -from, count} : Cell{from, to, count});
  });
  std::sort(near.begin(), near.end(),
            [](const Cell& a, const Cell& b) { return a.lo < b.lo; });
  size_t i = 0;
  for (; i < near.size() && near[i].lo < 0; ++i) {
    add(near[i].lo, near[i].hi, near[i].count);
  }
  add(0.0, 0.0, zeros);
  for (; i < near.size(); ++i) add(near[i].lo, near[i].hi, near[i].count);
  uniform(fine_ ? kFineZone : 0, end);
  return cells;
}

int32_t BinCounts::used_keys() const {
  int32_t keys = 0;
  ForEachFine([&](int32_t key, int, uint64_t) {
    keys = std::max(keys, end_key() - key);
  });
  return keys;
}

bool BinCounts::Restore(const Context& context, float min, float max,
                        uint64_t zeros, const std::vector<uint64_t>& uniform,
                        int32_t keys, const std::vector<uint64_t>& fine,
                        size_t capacity) {
  window_.exponent = ExponentFor(min, max, capacity);
  window_.base = BinOf(min, window_.exponent);
  window_.size = uniform.size();
  first_key_ = fine_ ? end_key() - keys : 0;
  memory_ = context.Allocate(num_counters() * sizeof(uint64_t));
  std::copy(uniform.begin(), uniform.end(), counters());
  if (fine_) {
    for (size_t i = 0; i < window_.size; ++i) {
      if (InFineZone(window_.base + static_cast<int64_t>(i))) counters()[i] = 0;
    }
    counters()[window_.size] = zeros;
    std::copy(fine.begin(), fine.end(), counters() + window_.size + 1);
    if (used_keys() != keys) return false;
    // No fine bin may lie outside the window, nor zeros.
    bool inside = zeros == 0 || (min <= 0 && max >= 0);
    ForEachFine([&](int32_t key, int sign, uint64_t) {
      const int64_t bin = BinOfKey(key, sign, window_.exponent);
      inside = inside && bin >= window_.base &&
               bin < window_.base + static_cast<int64_t>(window_.size);
    });
    if (!inside || Uniform() != uniform) return false;
  } else if (zeros != 0 &&
             uniform[static_cast<size_t>(-window_.base)] < zeros) {
    return false;
  }
  const double kAll = std::numeric_limits<double>::infinity();
  const std::vector<Cell> cells = Cells(zeros, -kAll, kAll);
  return !cells.empty() && cells.front().lo <= min && min <= cells.front().hi &&
         cells.back().lo <= max && max <= cells.back().hi;
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
  view.width = PowerOfTwo(window.exponent + shift);
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
