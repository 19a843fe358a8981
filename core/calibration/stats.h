// What is counted and summed of a channel's values.
#ifndef BNQ_CORE_CALIBRATION_STATS_H_
#define BNQ_CORE_CALIBRATION_STATS_H_

#include <cstdint>
#include <vector>

#include "core/calibration/exact_sum.h"
#include "core/kernels/calibration.h"

namespace bnq {

// Values are those of BNQ_STATISTIC_* (capi/calibration.cc asserts it).
enum class CalibrationStatistic : int {
  kCount = 0,
  kMin,
  kMax,
  kMean,
  kVariance,
  kAbsMax,
  kAbsMean,
  kSkewness,
  kKurtosis,
  kZeroShare,
  kNonFinite,
  kOutliers,
};
constexpr int kNumCalibrationStatistics = 12;
const char* CalibrationStatisticName(int index);  // nullptr: unknown

// Of consecutive chunks of one channel: the sums of chunks are added in order.
struct SegmentStats {
  uint64_t count = 0;  // of finite values
  uint64_t zeros = 0, non_finite = 0;
  float min = 0.0f, max = 0.0f;  // 0 where there are none
  uint32_t least = UINT32_MAX;   // of CalibrationKernels::least, if asked for
  double sums[kNumSums] = {};

  void Add(const Summary& chunk, uint64_t chunk_count);
};

// Of all segments: merging is exact and order-free.
struct ChannelStats {
  uint64_t count = 0, zeros = 0, non_finite = 0;
  float min = 0.0f, max = 0.0f;
  uint32_t least = UINT32_MAX;
  std::vector<ExactSum> sums;  // kNumSums of them, or none are kept

  explicit ChannelStats(bool keeps_moments = false)
      : sums(keeps_moments ? kNumSums : 0) {}

  void Merge(const SegmentStats& segment);
  void Merge(const ChannelStats& other);
};

// The statistics but kOutliers, which is 0; those that are not known are NaN:
// all but counts without values, the moments where they are not kept, skewness
// and kurtosis of equal values.
struct CalibrationStatistics {
  double values[kNumCalibrationStatistics];

  double& at(CalibrationStatistic s) { return values[static_cast<int>(s)]; }
  double at(CalibrationStatistic s) const {
    return values[static_cast<int>(s)];
  }
};
CalibrationStatistics StatisticsOf(const ChannelStats& stats);

}  // namespace bnq

#endif  // BNQ_CORE_CALIBRATION_STATS_H_
