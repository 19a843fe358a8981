// The searches on histograms whose results are known from the references'
// definitions, run elsewhere.
#include <gtest/gtest.h>

#include <cmath>
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

TEST(Mse, EvenCountsLoseTheirLastBinAsInPyTorch) {
  const HistogramView view = View(std::vector<uint64_t>(2048, 1), -1.0, 1.0);
  const MseBins drop = SearchMse(view, 256, LastBin::kDrop);
  EXPECT_EQ(drop.first, 0u);
  EXPECT_EQ(drop.last, 2046u);
  EXPECT_EQ(view.Edge(drop.last + 1), 0.9990234375);
  const MseBins keep = SearchMse(view, 256, LastBin::kKeep);
  EXPECT_EQ(keep.first, 0u);
  EXPECT_EQ(keep.last, 2047u);
}

TEST(Mse, Gaussian) {
  std::vector<uint64_t> counts(2048);
  for (int i = 0; i < 2048; ++i) {
    const double z = (i - 1023.5) / 128;
    counts[static_cast<size_t>(i)] =
        static_cast<uint64_t>(std::floor(1e6 * std::exp(-z * z / 2)));
  }
  const HistogramView view = View(counts, -8.0, 8.0);
  for (const LastBin last : {LastBin::kKeep, LastBin::kDrop}) {
    const MseBins bins = SearchMse(view, 256, last);
    EXPECT_EQ(bins.first, 519u);
    EXPECT_EQ(bins.last, 1527u);
    EXPECT_EQ(view.Edge(bins.first), -3.9453125);
    EXPECT_EQ(view.Edge(bins.last + 1), 3.9375);
  }
}

TEST(Mse, AnOutlierIsCutOff) {
  std::vector<uint64_t> counts(2048, 0);
  std::fill(counts.begin(), counts.begin() + 1024, 1000);
  counts[2047] = 1;
  const HistogramView view = View(counts, 0.0, 2.0);
  for (const LastBin last : {LastBin::kKeep, LastBin::kDrop}) {
    const MseBins bins = SearchMse(view, 256, last);
    EXPECT_EQ(bins.first, 0u);
    EXPECT_EQ(bins.last, 1022u);
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

TEST(Percentile, TheBinThatReachesTheShare) {
  const HistogramView view = View({90, 5, 4, 0, 1}, 0.0, 5.0);
  EXPECT_EQ(PercentileBin(view, 0.5), 0u);
  EXPECT_EQ(PercentileBin(view, 0.9), 0u);
  EXPECT_EQ(PercentileBin(view, 0.901), 1u);
  EXPECT_EQ(PercentileBin(view, 0.99), 2u);
  EXPECT_EQ(PercentileBin(view, 0.995), 4u);
  EXPECT_EQ(PercentileBin(view, 1.0), 4u);
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
