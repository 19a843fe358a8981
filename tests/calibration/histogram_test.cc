// The rules at the top of histogram.h.
#include <gtest/gtest.h>

#include <cfloat>
#include <cmath>
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

TEST(Histogram, GrowsAsIfItHadBeenThatWideAllAlong) {
  std::mt19937 random(7);
  const size_t capacity = 256;
  for (int round = 0; round < 200; ++round) {
    BinWindow window;
    std::vector<uint64_t> counts;
    std::vector<float> seen;
    float lo = 0, hi = 0;
    for (int step = 0; step < 12; ++step) {
      const float scale =
          std::ldexp(1.0f, static_cast<int>(random() % 60) - 30);
      const float x =
          scale * (static_cast<float>(random() >> 8) / 8388608.0f - 1.0f);
      lo = seen.empty() ? x : std::min(lo, x);
      hi = seen.empty() ? x : std::max(hi, x);
      seen.push_back(x);
      const BinWindow wider = Widen(window, lo, hi, capacity);
      if (wider.exponent != window.exponent || wider.base != window.base ||
          wider.size != window.size) {
        std::vector<uint64_t> moved(wider.size, 0);
        AddCounts(window, counts.data(), wider, moved.data());
        counts = moved;
        window = wider;
      }
      ++counts[static_cast<size_t>(BinOf(x, window.exponent) - window.base)];
    }
    const HistogramView view = ViewOf(window, counts.data(), lo, hi);
    EXPECT_LE(view.counts.size(), capacity);
    if (std::max(std::fabs(lo), std::fabs(hi)) < 2097152 * view.width) {
      EXPECT_GT(view.counts.size(), capacity / 2);
    }
    EXPECT_EQ(view.total(), seen.size());
    std::vector<uint64_t> expected(view.counts.size(), 0);
    for (const float x : seen) {
      ++expected[static_cast<size_t>(std::floor(double{x} / view.width) -
                                     view.first / view.width)];
    }
    EXPECT_EQ(view.counts, expected);
    EXPECT_NE(view.counts.front(), 0u);
    EXPECT_NE(view.counts.back(), 0u);
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
