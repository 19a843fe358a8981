// The searches on histograms whose results are known from the references'
// definitions, run elsewhere.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>
#include <vector>

#include "core/calibration/methods.h"

namespace bnq {
namespace {

HistogramView View(std::vector<uint64_t> counts, double first, double last) {
  HistogramView view;
  view.first = first;
  view.width = (last - first) / static_cast<double>(counts.size());
  view.counts = std::move(counts);
  return view;
}

std::vector<uint64_t> HalfGaussian(size_t bins) {
  std::vector<uint64_t> counts(bins);
  for (size_t k = 0; k < bins; ++k) {
    const double z = static_cast<double>(k) / 256;
    counts[k] = static_cast<uint64_t>(1e6 * std::exp(-z * z / 2));
  }
  return counts;
}

TEST(MsePyTorch, EvenCountsLoseTheirLastBin) {
  const HistogramView view = View(std::vector<uint64_t>(2048, 1), -1.0, 1.0);
  const MseBins bins = SearchMsePyTorch(view, 256);
  EXPECT_EQ(bins.first, 0u);
  EXPECT_EQ(bins.last, 2046u);
  EXPECT_EQ(view.Edge(bins.last + 1), 0.9990234375);
}

TEST(MsePyTorch, Gaussian) {
  std::vector<uint64_t> counts(2048);
  for (int i = 0; i < 2048; ++i) {
    const double z = (i - 1023.5) / 128;
    counts[static_cast<size_t>(i)] =
        static_cast<uint64_t>(std::floor(1e6 * std::exp(-z * z / 2)));
  }
  const HistogramView view = View(counts, -8.0, 8.0);
  const MseBins bins = SearchMsePyTorch(view, 256);
  EXPECT_EQ(bins.first, 519u);
  EXPECT_EQ(bins.last, 1527u);
  EXPECT_EQ(view.Edge(bins.first), -3.9453125);
  EXPECT_EQ(view.Edge(bins.last + 1), 3.9375);
}

TEST(MsePyTorch, AnOutlierIsCutOff) {
  std::vector<uint64_t> counts(2048, 0);
  std::fill(counts.begin(), counts.begin() + 1024, 1000);
  counts[2047] = 1;
  const MseBins bins = SearchMsePyTorch(View(counts, 0.0, 2.0), 256);
  EXPECT_EQ(bins.first, 0u);
  EXPECT_EQ(bins.last, 1022u);
}

// The error that quantizing makes of values spread evenly within their bins:
// of many of them, one by one.
TEST(Mse, TheObjectiveIsTheQuantizersError) {
  std::mt19937 random(3);
  for (int round = 0; round < 60; ++round) {
    const size_t n = 1 + random() % 40;
    std::vector<uint64_t> counts(n);
    for (uint64_t& c : counts) c = random() % 50;
    counts[0] += 1;
    counts[n - 1] += 1;
    HistogramView view;
    view.counts = counts;
    view.width = 0.25;
    const double first = -static_cast<double>(random() % (n + 1));
    view.first = first * view.width;
    const double min = view.first + 0.1, max = view.Edge(n) - 0.02;
    const size_t zero = static_cast<size_t>(-first);
    const uint64_t zeros = zero < n ? counts[zero] / 2 : 0;
    const bool symmetric = round % 2 == 0;
    const size_t levels = 2 + random() % 20;
    const MseObjective objective(view, min, max, zeros, levels, symmetric);
    const double lo = -static_cast<double>(random() % 100) / 50;
    const double hi = static_cast<double>(random() % 100 + 1) / 50;
    const double q = static_cast<double>(std::max<size_t>(levels, 3) - 1) / 2;
    const double whole = std::floor(q);
    const double step = symmetric ? std::max(-lo, hi) / whole
                                  : (hi - lo) / static_cast<double>(levels - 1);
    if (step < view.width) continue;
    const double base = symmetric ? -whole : -std::floor(-lo / step + 0.5);
    const double top =
        symmetric ? whole : base + static_cast<double>(levels - 1);
    double expected = 0.0, weight = 0.0;
    constexpr int kParts = 2000;
    for (size_t i = 0; i < n; ++i) {
      const double begin = std::max(view.Edge(i), min);
      const double end = std::min(view.Edge(i + 1), max);
      const double count =
          static_cast<double>(counts[i] - (i == zero ? zeros : 0));
      for (int k = 0; k < kParts; ++k) {
        const double x = begin + (end - begin) * (k + 0.5) / kParts;
        const double code = std::min(std::max(std::round(x / step), base), top);
        expected += count / kParts * (x - code * step) * (x - code * step);
      }
      weight += count;
    }
    const double got = objective(lo, hi) * view.width * view.width;
    EXPECT_NEAR(got, expected, 1e-3 * expected + 1e-6 * weight)
        << round << " " << lo << " " << hi << " " << levels;
  }
}

TEST(KlTensorRt, EqualCountsStay) {
  const KlThreshold best =
      SearchKlTensorRt(View(std::vector<uint64_t>(2048, 7), 0.0, 1.0), 128);
  EXPECT_EQ(best.end, 2048u);
  EXPECT_EQ(best.divergence, 0.0);
}

TEST(KlTensorRt, TheLastOfEqualMinimaWins) {
  std::vector<uint64_t> counts(2048, 0);
  for (size_t k = 0; k < 128; ++k) counts[k] = 128 - k;
  const KlThreshold best = SearchKlTensorRt(View(counts, 0.0, 1.0), 128);
  EXPECT_EQ(best.end, 129u);
  EXPECT_EQ(best.divergence, 0.0);
}

TEST(KlTensorRt, HalfGaussian) {
  const KlThreshold best =
      SearchKlTensorRt(View(HalfGaussian(2048), 0.0, 8.0), 128);
  EXPECT_EQ(best.end, 1229u);
  EXPECT_NEAR(best.divergence, 6.19e-5, 0.005e-5);
}

TEST(KlTensorRt, FewBinsAreTakenAsAWhole) {
  EXPECT_EQ(SearchKlTensorRt(View({5, 4, 3}, 0.0, 3.0), 128).end, 3u);
  EXPECT_EQ(SearchKlTensorRt(View({5}, 0.0, 3.0), 128).end, 1u);
  // Nothing but zeros, whose bin takes the count of the next.
  std::vector<uint64_t> zeros(200, 0);
  zeros[0] = 9;
  EXPECT_EQ(SearchKlTensorRt(View(zeros, 0.0, 1.0), 128).end, 200u);
}

TEST(KlOnnxRuntime, DivergencesAreTheTools) {
  const HistogramView view = View({1, 2, 4, 8, 8, 4, 2, 1}, -4.0, 4.0);
  EXPECT_NEAR(KlOnnxRuntime(view, 4, 2), 0.9643, 5e-5);
  EXPECT_NEAR(KlOnnxRuntime(view, 4, 3), 2.2192, 5e-5);
  EXPECT_NEAR(KlOnnxRuntime(view, 4, 4), 0.0687, 5e-5);
  const KlThreshold best = SearchKlOnnxRuntime(view, 4);
  EXPECT_EQ(best.begin, 0u);
  EXPECT_EQ(best.end, 8u);
}

TEST(KlOnnxRuntime, MirroredHalfGaussian) {
  const std::vector<uint64_t> half = HalfGaussian(2048);
  std::vector<uint64_t> counts(half.rbegin(), half.rend());
  counts.insert(counts.end(), half.begin(), half.end());
  const KlThreshold best = SearchKlOnnxRuntime(View(counts, -8.0, 8.0), 128);
  EXPECT_EQ(best.begin, 832u);
  EXPECT_EQ(best.end, 3265u);
}

TEST(KlOnnxRuntime, AsManyBinsAsLevelsAreOneCandidate) {
  const KlThreshold best =
      SearchKlOnnxRuntime(View(std::vector<uint64_t>(128, 3), -1, 1), 128);
  EXPECT_EQ(best.begin, 0u);
  EXPECT_EQ(best.end, 128u);
}

TEST(Percentile, OuterEdgesOfTheBinsThatHoldTheShare) {
  const std::vector<Cell> cells = {{-4, -3, 1},  {-1, 0, 4}, {0, 0, 80},
                                   {0, 0.5, 10}, {1, 2, 4},  {8, 9, 1}};
  EXPECT_EQ(MagnitudeOf(cells, 1), 0.0);
  EXPECT_EQ(MagnitudeOf(cells, 80), 0.0);
  EXPECT_EQ(MagnitudeOf(cells, 81), 0.5);
  EXPECT_EQ(MagnitudeOf(cells, 90), 0.5);
  EXPECT_EQ(MagnitudeOf(cells, 91), 1.0);
  EXPECT_EQ(MagnitudeOf(cells, 95), 2.0);
  EXPECT_EQ(MagnitudeOf(cells, 99), 4.0);
  EXPECT_EQ(MagnitudeOf(cells, 100), 9.0);
  using Kept = std::pair<size_t, size_t>;
  EXPECT_EQ(CutTails(cells, 0), Kept(0, 6));
  EXPECT_EQ(CutTails(cells, 1), Kept(1, 5));
  EXPECT_EQ(CutTails(cells, 4), Kept(1, 5));
  EXPECT_EQ(CutTails(cells, 5), Kept(2, 4));
  EXPECT_EQ(CutTails(cells, 100), Kept(5, 6));
}

TEST(MovingAverage, FollowsPyTorch) {
  CalibrationOptions options;
  options.SetFloat(static_cast<int32_t>(CalibrationOption::kAveraging), 0.01);
  Range followed;
  const Method& method = MethodOf(CalibrationMethod::kMovingAverage);
  const auto range = [](float lo, float hi) {
    Range r;
    r.lo = lo;
    r.hi = hi;
    return r;
  };
  method.follow(options, true, range(-1, 2), &followed);
  EXPECT_EQ(followed.lo, -1.0f);
  EXPECT_EQ(followed.hi, 2.0f);
  method.follow(options, false, range(-3, 5), &followed);
  EXPECT_EQ(followed.lo, -1.0f + 0.01f * (-3.0f - -1.0f));
  EXPECT_EQ(followed.hi, 2.0f + 0.01f * (5.0f - 2.0f));
  // Ends whose difference overflows.
  method.follow(options, true, range(-3e38f, -3e38f), &followed);
  method.follow(options, false, range(3e38f, 3e38f), &followed);
  EXPECT_NEAR(followed.hi, -2.94e38f, 1e36f);
}

TEST(Adaptive, StepsAreBounded) {
  CalibrationOptions options;
  options.SetFloat(static_cast<int32_t>(CalibrationOption::kAveraging), 1.0);
  options.SetFloat(static_cast<int32_t>(CalibrationOption::kMaxGrowth), 0.5);
  options.SetFloat(static_cast<int32_t>(CalibrationOption::kMaxShrink), 0.1);
  const Method& method = MethodOf(CalibrationMethod::kAdaptive);
  Range batch, followed;
  batch.lo = -1;
  batch.hi = 1;
  method.follow(options, true, batch, &followed);
  // Within the bounds: all the way, as c = 1.
  batch.lo = -1.5f;
  batch.hi = 1.75f;
  method.follow(options, false, batch, &followed);
  EXPECT_EQ(followed.lo, -1.5f);
  EXPECT_EQ(followed.hi, 1.75f);
  // A wild batch moves each end by half a width; a quiet one takes a tenth.
  followed.lo = -1;
  followed.hi = 1;
  batch.lo = -100;
  batch.hi = 1000;
  method.follow(options, false, batch, &followed);
  EXPECT_EQ(followed.lo, -2.0f);
  EXPECT_EQ(followed.hi, 2.0f);
  batch.lo = batch.hi = 0;
  method.follow(options, false, batch, &followed);
  EXPECT_EQ(followed.lo, -1.8f);
  EXPECT_EQ(followed.hi, 1.8f);
  // From nothing, there is no width to bound a step.
  followed.lo = followed.hi = 0;
  batch.lo = -4;
  batch.hi = 8;
  method.follow(options, false, batch, &followed);
  EXPECT_EQ(followed.lo, -4.0f);
  EXPECT_EQ(followed.hi, 8.0f);
}

}  // namespace
}  // namespace bnq
