// Schedules of training with quantization: phases one after another, of fewer
// bits, less temperature, more elements or more layers.
#ifndef BNQ_CORE_TRAINING_SCHEDULE_H_
#define BNQ_CORE_TRAINING_SCHEDULE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/scheme/config.h"
#include "core/training/options.h"

namespace bnq {

class Schedule {
 public:
  // INVALID_ARGUMENT, naming the phase, for none at all, for bits that no codes
  // have, and for one before the last that nothing ends.
  explicit Schedule(std::vector<PhaseOptions> phases);

  // A step of training is done, with its loss and quantization error, or NaN
  // where there is none: INVALID_ARGUMENT for infinity. Whether a phase ended.
  bool Step(double loss, double error);

  uint64_t phase() const { return phase_; }
  uint64_t phase_step() const { return phase_step_; }
  uint64_t step() const { return step_; }
  bool done() const { return done_; }              // the last phase has ended
  double best_loss() const { return best_loss_; }  // of the phase; NaN: none
  uint64_t since_best() const { return since_best_; }
  double bits() const { return phases_[phase_].bits(); }
  double temperature() const {
    return Between(PhaseOption::kTemperatureBegin,
                   PhaseOption::kTemperatureEnd);
  }
  double share() const {
    return Between(PhaseOption::kShareBegin, PhaseOption::kShareEnd);
  }
  double layers() const {
    return Between(PhaseOption::kLayersBegin, PhaseOption::kLayersEnd);
  }

  // What a layer is to be trained with now, of `count` in the order in which
  // they are quantized: its format in config, temperature and probability in
  // training. False, and nothing changed, where it is not quantized yet.
  bool Apply(uint64_t layer, uint64_t count, Config* config,
             TrainingOptions* training) const;

  // The same bytes on every machine.
  std::string Serialize() const;
  // CORRUPT_FILE.
  static Schedule Deserialize(const uint8_t* data, uint64_t size);

 private:
  double Between(PhaseOption begin, PhaseOption end) const;

  std::vector<PhaseOptions> phases_;
  uint64_t phase_ = 0, phase_step_ = 0, step_ = 0, since_best_ = 0;
  double best_loss_;
  bool done_ = false;
};

}  // namespace bnq

#endif  // BNQ_CORE_TRAINING_SCHEDULE_H_
