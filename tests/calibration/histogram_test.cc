// The rules at the top of histogram.h.
#include <gtest/gtest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>
#include <vector>

#include "core/calibration/exact_sum.h"
#include "core/calibration/histogram.h"

namespace bnq {
namespace {

TEST(Exponent, IsTheLeastThatFits) {
  std::mt19937 random(5);
  for (int i = 0; i < 3000; ++i) {
    const auto any = [&] {
      const float x = std::ldexp(static_cast<float>(random() >> 8),
                                 static_cast<int>(random() % 200) - 140);
      return random() % 2 ? x : -x;
    };
    float a = any(), b = random() % 3 ? any() : a;
    if (random() % 4 == 0) b = std::nextafter(a, b);
    if (!std::isfinite(a) || !std::isfinite(b)) continue;
    const float lo = std::min(a, b), hi = std::max(a, b);
    const size_t capacity = 128u << random() % 6;
    const auto fits = [&](int e) {
      const double l = std::floor(std::ldexp(double{lo}, -e));
      const double h = std::floor(std::ldexp(double{hi}, -e));
      return h - l + 1 <= static_cast<double>(capacity) &&
             std::max(std::fabs(lo), std::fabs(hi)) < std::ldexp(4194304.0, e);
    };
    const int e = ExponentFor(lo, hi, capacity);
    EXPECT_TRUE(fits(e)) << lo << " " << hi;
    EXPECT_TRUE(e == kMinExponent || !fits(e - 1)) << lo << " " << hi;
  }
  EXPECT_EQ(ExponentFor(0.0f, 0.0f, 4096), kMinExponent);
  EXPECT_EQ(BinOf(-1e-45f, kMinExponent), -1);
  EXPECT_LE(ExponentFor(-FLT_MAX, FLT_MAX, 128), 127);
}

// Any float: subnormals, extremes, zeros of both signs, mixed or of one
// magnitude.
std::vector<float> AnyValues(size_t count, std::mt19937* random) {
  const uint32_t kind = (*random)() % 4;
  std::vector<float> values;
  while (values.size() < count) {
    uint32_t bits = (*random)();
    if (kind == 1) bits = (bits & 0x80FFFFFFu) | 0x3F000000u;  // near 1
    if (kind == 2) bits = (bits & 0x807FFFFFu);                // subnormal
    if (kind == 3 && (*random)() % 3 == 0) bits &= 0x80000000u;
    if (bits % 16 == 5) bits &= 0xFF800000u;  // a power of two: an edge
    float x;
    std::memcpy(&x, &bits, sizeof x);
    if (std::isfinite(x)) values.push_back(x);
  }
  return values;
}

void CountIn(const std::vector<float>& values, size_t capacity,
             std::vector<float>* seen, BinCounts* bins) {
  seen->insert(seen->end(), values.begin(), values.end());
  const auto ends = std::minmax_element(seen->begin(), seen->end());
  const CalibrationKernels& kernels = GetCalibrationKernels();
  BinCounts::Growth growth =
      bins->PlanGrowth(Context(), *ends.first, *ends.second,
                       kernels.least(values.data(), values.size()), capacity);
  bins->Grow(&growth);
  ASSERT_LE(bins->num_counters(), 65535u);
  kernels.count(values.data(), values.size(), bins->map(), bins->counters());
}

// Whether the bins are those of the rules, each value in its own.
void ExpectBins(const BinCounts& bins, const std::vector<float>& seen) {
  const auto ends = std::minmax_element(seen.begin(), seen.end());
  const float lo = *ends.first, hi = *ends.second;
  const HistogramView view =
      ViewOf(bins.window(), bins.Uniform().data(), lo, hi);
  std::vector<uint64_t> expected(view.counts.size(), 0);
  uint64_t zeros = 0;
  for (const float x : seen) {
    ++expected[static_cast<size_t>(std::floor(double{x} / view.width) -
                                   view.first / view.width)];
    zeros += x == 0.0f;
  }
  ASSERT_EQ(view.counts, expected);
  EXPECT_NE(view.counts.front(), 0u);
  EXPECT_NE(view.counts.back(), 0u);
  const std::vector<Cell> cells = bins.Cells(zeros, -HUGE_VAL, HUGE_VAL);
  std::vector<uint64_t> found(cells.size(), 0);
  for (const float x : seen) {
    const size_t at = static_cast<size_t>(
        std::find_if(cells.begin(), cells.end(),
                     [&](const Cell& cell) {
                       return x == 0.0f ? cell.lo == cell.hi
                                        : x >= cell.lo && x < cell.hi;
                     }) -
        cells.begin());
    ASSERT_LT(at, cells.size()) << x;
    ++found[at];
    // What is known of it.
    const double width = cells[at].hi - cells[at].lo;
    EXPECT_LE(width, view.width);
    if (bins.fine()) {
      EXPECT_LE(width, std::max(std::fabs(double{x}) / 64, 0x1p-132)) << x;
    }
  }
  for (size_t i = 0; i < cells.size(); ++i) {
    EXPECT_EQ(found[i], cells[i].count);
    if (i != 0) {
      EXPECT_LE(cells[i - 1].hi, cells[i].lo);
    }
  }
}

TEST(Histogram, IsThatOfTheValuesWhateverTheirOrder) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const size_t capacity = round % 3 != 0 ? 128 : 4096;
    const bool fine = round % 2 == 0;
    std::vector<float> seen, others;
    BinCounts bins(fine), other(fine);
    for (int step = 0; step < 6; ++step) {
      CountIn(AnyValues(1 + random() % 20, &random), capacity, &seen, &bins);
      CountIn(AnyValues(1 + random() % 9, &random), capacity, &others, &other);
    }
    ExpectBins(bins, seen);
    // Merged, in either order, and in one place.
    std::vector<float> all = seen;
    all.insert(all.end(), others.begin(), others.end());
    const auto ends = std::minmax_element(all.begin(), all.end());
    BinCounts merged[2] = {bins.Clone(Context()), other.Clone(Context())};
    const BinCounts* const added[2] = {&other, &bins};
    for (int i = 0; i < 2; ++i) {
      BinCounts::Growth growth = merged[i].PlanGrowth(
          Context(), *ends.first, *ends.second, added[i]->least(), capacity);
      merged[i].Grow(&growth);
      merged[i].Add(*added[i]);
      ExpectBins(merged[i], all);
      merged[i].Coarsen();
      EXPECT_FALSE(merged[i].fine());
      ExpectBins(merged[i], all);
    }
  }
}

TEST(Histogram, ViewsFold) {
  const BinWindow window = {-1, -4, 16};
  std::vector<uint64_t> counts(16, 0);
  counts[1] = 5;   // bin -3: [-1.5, -1)
  counts[3] = 2;   // bin -1: [-0.5, 0)
  counts[4] = 7;   // bin 0
  counts[5] = 11;  // bin 1: [0.5, 1)
  const HistogramView plain = ViewOf(window, counts.data(), -1.2f, 0.7f);
  EXPECT_EQ(plain.counts, (std::vector<uint64_t>{5, 0, 2, 7, 11}));
  EXPECT_EQ(plain.first, -1.5);
  EXPECT_EQ(plain.width, 0.5);
  EXPECT_EQ(plain.Edge(5), 1.0);
  const HistogramView both =
      SymmetricViewOf(window, counts.data(), -1.2f, 0.7f);
  EXPECT_EQ(both.counts, (std::vector<uint64_t>{5, 0, 2, 7, 11, 0}));
  EXPECT_EQ(both.first, -1.5);
  const HistogramView abs = AbsViewOf(window, counts.data(), -1.2f, 0.7f);
  EXPECT_EQ(abs.counts, (std::vector<uint64_t>{9, 11, 5}));
  EXPECT_EQ(abs.first, 0.0);
}

TEST(ExactSum, IsExactAndOrderFree) {
  // Sums that float64 gets wrong.
  ExactSum s;
  for (const double x : {1e100, 1.0, -1e100, 1e-100, 3.5, -1e-100}) s.Add(x);
  EXPECT_EQ(s.ToDouble(), 4.5);
  s.Add(-4.5);
  EXPECT_EQ(s, ExactSum());
  EXPECT_EQ(s.ToDouble(), 0.0);

  std::mt19937_64 random(3);
  std::vector<double> values;
  for (int i = 0; i < 4000; ++i) {
    const double m = static_cast<double>(random() >> 11);
    const int e = static_cast<int>(random() % 900) - 648;
    values.push_back(std::ldexp(random() % 2 ? m : -m, e));
  }
  ExactSum forward, backward, left, right;
  for (size_t i = 0; i < values.size(); ++i) {
    forward.Add(values[i]);
    backward.Add(values[values.size() - 1 - i]);
    (i % 3 == 0 ? left : right).Add(values[i]);
  }
  left.Add(right);
  EXPECT_EQ(forward, backward);
  EXPECT_EQ(forward, left);
  for (const double x : values) forward.Add(-x);
  EXPECT_EQ(forward, ExactSum());
}

TEST(ExactSum, RoundsToNearestEven) {
  const double one = 1.0, ulp = 2.220446049250313e-16;
  const auto sum = [](std::vector<double> values) {
    ExactSum s;
    for (const double v : values) s.Add(v);
    return s.ToDouble();
  };
  EXPECT_EQ(sum({one, ulp / 2}), one);
  EXPECT_EQ(sum({one, ulp / 2, 1e-180}), one + ulp);
  EXPECT_EQ(sum({one, ulp / 2, -1e-180}), one);
  EXPECT_EQ(sum({one + ulp, ulp / 2}), one + 2 * ulp);
  EXPECT_EQ(sum({-one, -ulp / 2}), -one);
  EXPECT_EQ(sum({-one, -ulp / 2, -1e-180}), -one - ulp);
  EXPECT_EQ(sum({std::ldexp(1.0, 570), -std::ldexp(1.0, 500)}),
            std::ldexp(1.0, 570));
  EXPECT_EQ(sum({std::ldexp(1.0, -648)}), std::ldexp(1.0, -648));
}

}  // namespace
}  // namespace bnq
