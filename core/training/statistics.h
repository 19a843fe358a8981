// What fake quantization of a layer lost, over the steps of training.
#ifndef BNQ_CORE_TRAINING_STATISTICS_H_
#define BNQ_CORE_TRAINING_STATISTICS_H_

#include <cstdint>
#include <limits>
#include <string>

#include "core/calibration/exact_sum.h"

namespace bnq {

// Positions are those of BNQ_TRAINING_STATISTIC_* (capi/training.cc asserts
// it).
enum class TrainingStatistic {
  kSteps,
  kElements,
  kClipped,
  kClippedShare,
  kMse,
  kRelativeMse,
  kSqnrDb,
  kMaxError,
  kScaleMin,
  kScaleMax,
  kWorstClippedShare,
  kWorstRelativeMse,
};
constexpr int kNumTrainingStatistics = 12;

// The least and the greatest of some numbers; NaN of none.
struct Bounds {
  double min = std::numeric_limits<double>::quiet_NaN();
  double max = std::numeric_limits<double>::quiet_NaN();
  void Add(double x) {
    if (!(min <= x)) min = x;
    if (!(max >= x)) max = x;
  }
  void Merge(const Bounds& other) {
    if (other.min == other.min) {
      Add(other.min);
      Add(other.max);
    }
  }
};

// An array that was fake quantized.
struct TrainingStep {
  uint64_t elements = 0, clipped = 0;
  double error_energy = 0.0, energy = 0.0;  // sums of squares
  double max_error = 0.0;
  Bounds scales;
};

class TrainingStatistics {
 public:
  void Add(const TrainingStep& step);
  // As if its steps had been added here: sums are exact, so in any order.
  void Merge(const TrainingStatistics& other);
  // All of them, of bnq.h's meaning.
  void Values(double (&values)[kNumTrainingStatistics]) const;

  // The same bytes on every machine.
  std::string Serialize() const;
  // CORRUPT_FILE.
  static TrainingStatistics Deserialize(const uint8_t* data, uint64_t size);

 private:
  uint64_t steps_ = 0, elements_ = 0, clipped_ = 0;
  ExactSum error_, energy_;
  double max_error_ = 0.0;
  Bounds scales_, clipped_shares_, relative_mses_;  // of steps
};

}  // namespace bnq

#endif  // BNQ_CORE_TRAINING_STATISTICS_H_
