#include "core/calibration/stats.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace bnq {
namespace {

// Widens *min and *max, of *count values, by those of `count` others.
void MergeRange(uint64_t count, float min, float max, uint64_t* total,
                float* total_min, float* total_max) {
  if (count == 0) return;
  *total_min = *total == 0 ? min : std::min(*total_min, min);
  *total_max = *total == 0 ? max : std::max(*total_max, max);
  *total += count;
}

}  // namespace

const char* CalibrationStatisticName(int index) {
  static const char* const kNames[kNumCalibrationStatistics] = {
      "count",    "min",        "max",        "mean",
      "variance", "absmax",     "absmean",    "skewness",
      "kurtosis", "zero_share", "non_finite", "outliers"};
  return index >= 0 && index < kNumCalibrationStatistics ? kNames[index]
                                                         : nullptr;
}

void SegmentStats::Add(const Summary& chunk, uint64_t chunk_count) {
  MergeRange(chunk_count, chunk.min, chunk.max, &count, &min, &max);
  zeros += chunk.zeros;
  for (int i = 0; i < kNumSums; ++i) sums[i] += chunk.sums[i];
}

void ChannelStats::Merge(const SegmentStats& segment) {
  MergeRange(segment.count, segment.min, segment.max, &count, &min, &max);
  zeros += segment.zeros;
  least = std::min(least, segment.least);
  non_finite += segment.non_finite;
  for (size_t i = 0; i < sums.size(); ++i) sums[i].Add(segment.sums[i]);
}

void ChannelStats::Merge(const ChannelStats& other) {
  MergeRange(other.count, other.min, other.max, &count, &min, &max);
  zeros += other.zeros;
  least = std::min(least, other.least);
  non_finite += other.non_finite;
  for (size_t i = 0; i < sums.size(); ++i) sums[i].Add(other.sums[i]);
}

CalibrationStatistics StatisticsOf(const ChannelStats& stats) {
  using S = CalibrationStatistic;
  CalibrationStatistics result;
  std::fill(result.values, result.values + kNumCalibrationStatistics,
            std::numeric_limits<double>::quiet_NaN());
  result.at(S::kCount) = static_cast<double>(stats.count);
  result.at(S::kNonFinite) = static_cast<double>(stats.non_finite);
  result.at(S::kOutliers) = 0.0;
  if (stats.count == 0) return result;
  const double n = static_cast<double>(stats.count);
  const double min = stats.min, max = stats.max;
  result.at(S::kMin) = min;
  result.at(S::kMax) = max;
  result.at(S::kAbsMax) = std::max(std::fabs(min), std::fabs(max));
  result.at(S::kZeroShare) = static_cast<double>(stats.zeros) / n;
  if (stats.sums.empty()) return result;
  // Raw moments to central ones. Rounding leaves about 1e-16 of the raw moment
  // as error, so these mean little where |mean| is many deviations.
  const double mean = stats.sums[0].ToDouble() / n;
  const double m2 = stats.sums[2].ToDouble() / n;
  const double m3 = stats.sums[3].ToDouble() / n;
  const double m4 = stats.sums[4].ToDouble() / n;
  const double variance = min == max ? 0.0 : std::max(0.0, m2 - mean * mean);
  result.at(S::kMean) = mean;
  result.at(S::kAbsMean) = stats.sums[1].ToDouble() / n;
  result.at(S::kVariance) = variance;
  if (variance > 0.0) {
    const double c3 = m3 - 3 * mean * m2 + 2 * mean * mean * mean;
    const double c4 = m4 - 4 * mean * m3 + 6 * mean * mean * m2 -
                      3 * (mean * mean) * (mean * mean);
    result.at(S::kSkewness) = c3 / (variance * std::sqrt(variance));
    result.at(S::kKurtosis) = c4 / (variance * variance);
  }
  return result;
}

}  // namespace bnq
