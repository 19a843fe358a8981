// Options of training with quantization (core/base/options.h).
#ifndef BNQ_CORE_TRAINING_OPTIONS_H_
#define BNQ_CORE_TRAINING_OPTIONS_H_

#include <cstdint>

#include "core/base/options.h"

namespace bnq {

// Ids are those of BNQ_TRAINING_* (capi/training.cc asserts it).
enum class TrainingOption : int32_t {
  kEstimator = 1,
  kSlope,
  kWidth,
  kGradientFactor,
  kNoise,
  kNoiseAmount,
  kTemperature,
  kProbability,
  kProbabilityOf,
  kSeed,
};
constexpr int kNumTrainingOptions = 10;

enum class Estimator : int32_t { kClipped, kStraight, kSoft, kSlope };
enum class Noise : int32_t { kNone, kUniform, kGaussian };
enum class DrawnBy : int32_t { kElement, kLayer };

class TrainingOptions : public OptionValues<TrainingOptions, TrainingOption,
                                            kNumTrainingOptions> {
 public:
  static const OptionTable& Table();

  Estimator estimator() const {
    return As<Estimator>(TrainingOption::kEstimator);
  }
  float slope() const { return As<float>(TrainingOption::kSlope); }
  float width() const { return As<float>(TrainingOption::kWidth); }
  bool gradient_factor() const {
    return As<bool>(TrainingOption::kGradientFactor);
  }
  Noise noise() const { return As<Noise>(TrainingOption::kNoise); }
  float noise_amount() const { return As<float>(TrainingOption::kNoiseAmount); }
  float temperature() const { return As<float>(TrainingOption::kTemperature); }
  double probability() const { return Number(TrainingOption::kProbability); }
  DrawnBy probability_of() const {
    return As<DrawnBy>(TrainingOption::kProbabilityOf);
  }
  uint64_t seed() const { return As<uint64_t>(TrainingOption::kSeed); }
  // Whether values are simply those of codes.
  bool plain() const {
    return noise() == Noise::kNone && temperature() == 0.0f &&
           probability() == 1.0;
  }
};

// Ids are those of BNQ_PHASE_* (capi/training.cc asserts it) and stand in
// serialized schedules: append only.
enum class PhaseOption : int32_t {
  kSteps = 1,
  kBits,
  kPatience,
  kImprovement,
  kMaxError,
  kTemperatureBegin,
  kTemperatureEnd,
  kShareBegin,
  kShareEnd,
  kLayersBegin,
  kLayersEnd,
};
constexpr int kNumPhaseOptions = 11;

// A phase of a schedule (schedule.h).
class PhaseOptions
    : public OptionValues<PhaseOptions, PhaseOption, kNumPhaseOptions> {
 public:
  static const OptionTable& Table();

  double bits() const { return Number(PhaseOption::kBits); }
  uint64_t steps() const { return As<uint64_t>(PhaseOption::kSteps); }
  uint64_t patience() const { return As<uint64_t>(PhaseOption::kPatience); }
  double improvement() const { return Number(PhaseOption::kImprovement); }
  double max_error() const { return Number(PhaseOption::kMaxError); }
  // Whether anything ends it.
  bool ends() const {
    return steps() != 0 || patience() != 0 || max_error() != 0.0;
  }
};

}  // namespace bnq

#endif  // BNQ_CORE_TRAINING_OPTIONS_H_
