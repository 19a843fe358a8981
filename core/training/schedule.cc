#include "core/training/schedule.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "core/base/error.h"
#include "core/scheme/format.h"
#include "core/training/state_bytes.h"

namespace bnq {
namespace {

// Serialized: magic, version, options of a phase, number of phases; the phases'
// options; five counts and the best loss; crc32 of all that. Little-endian,
// numbers with a fraction as the bits of float64.
constexpr char kMagic[4] = {'B', 'N', 'Q', 'S'};
constexpr uint16_t kVersion = 1;
constexpr uint64_t kHead = 12, kState = 6 * 8;

void CheckNotInfinite(double x, const char* name) {
  if (!std::isinf(x)) return;
  Fail(Status::kInvalidArgument, name, " = ", x,
       ", must be finite, or NaN for none");
}

}  // namespace

Schedule::Schedule(std::vector<PhaseOptions> phases)
    : phases_(std::move(phases)),
      best_loss_(std::numeric_limits<double>::quiet_NaN()) {
  if (phases_.empty()) {
    Fail(Status::kInvalidArgument,
         "phases: there are none, must be at least 1");
  }
  for (size_t i = 0; i < phases_.size(); ++i) {
    Config::FromBits(phases_[i].bits());
    if (!phases_[i].ends() && i + 1 < phases_.size()) {
      Fail(Status::kInvalidArgument, "phase ", i,
           " has no end, must have steps, patience or max_error, as it is not "
           "the last one");
    }
  }
}

bool Schedule::Step(double loss, double error) {
  CheckNotInfinite(loss, "loss");
  CheckNotInfinite(error, "error");
  const PhaseOptions& phase = phases_[phase_];
  ++step_;
  if (done_) return false;
  ++phase_step_;
  if (!std::isnan(loss)) {
    const double wanted =
        best_loss_ - phase.improvement() * std::fabs(best_loss_);
    if (std::isnan(best_loss_) || loss < wanted) {
      best_loss_ = loss;
      since_best_ = 0;
    } else {
      ++since_best_;
    }
  }
  const bool ended =
      (phase.steps() != 0 && phase_step_ >= phase.steps()) ||
      (phase.patience() != 0 && since_best_ >= phase.patience()) ||
      (phase.max_error() != 0.0 && error <= phase.max_error());
  if (!ended) return false;
  if (phase_ + 1 == phases_.size()) {
    done_ = true;
    return true;
  }
  ++phase_;
  phase_step_ = since_best_ = 0;
  best_loss_ = std::numeric_limits<double>::quiet_NaN();
  return true;
}

double Schedule::Between(PhaseOption begin, PhaseOption end) const {
  const PhaseOptions& phase = phases_[phase_];
  const double a = phase.Number(begin), b = phase.Number(end);
  // Without steps it is at its end from the start.
  if (done_ || phase_step_ + 1 >= phase.steps()) return b;
  return a + (b - a) * (static_cast<double>(phase_step_) /
                        static_cast<double>(phase.steps() - 1));
}

bool Schedule::Apply(uint64_t layer, uint64_t count, Config* config,
                     TrainingOptions* training) const {
  if (layer >= count) {
    Fail(Status::kInvalidArgument, "layer = ", layer, ", must be below ", count,
         ", the number of layers");
  }
  const int32_t format = Config::FromBits(bits()).format();
  if (format == 0 ||
      !(static_cast<double>(layer) < layers() * static_cast<double>(count))) {
    return false;
  }
  config->SetInt(static_cast<int32_t>(Option::kFormat), format);
  training->SetFloat(static_cast<int32_t>(TrainingOption::kTemperature),
                     temperature());
  training->SetFloat(static_cast<int32_t>(TrainingOption::kProbability),
                     share());
  return true;
}

std::string Schedule::Serialize() const {
  std::string out(kMagic, sizeof kMagic);
  AppendLE(kVersion, &out);
  AppendLE(static_cast<uint16_t>(kNumPhaseOptions), &out);
  AppendLE(static_cast<uint32_t>(phases_.size()), &out);
  for (const PhaseOptions& phase : phases_) {
    for (int id = 1; id <= kNumPhaseOptions; ++id) {
      AppendNumber(phase.Number(static_cast<PhaseOption>(id)), &out);
    }
  }
  for (uint64_t count :
       {phase_, phase_step_, step_, since_best_, uint64_t{done_}}) {
    AppendLE(count, &out);
  }
  AppendNumber(best_loss_, &out);
  SealState(&out);
  return out;
}

Schedule Schedule::Deserialize(const uint8_t* data, uint64_t size) {
  const auto corrupt = [](const char* what) {
    Fail(Status::kCorruptFile, "serialized schedule: ", what);
  };
  if (size < kHead || std::memcmp(data, kMagic, sizeof kMagic) != 0) {
    corrupt("it does not begin as one");
  }
  if (LoadLE<uint16_t>(data + 4) != kVersion) corrupt("of another version");
  // A later release may have more options.
  const uint64_t options = LoadLE<uint16_t>(data + 6);
  const uint64_t phases = LoadLE<uint32_t>(data + 8);
  if (options == 0 || options > kNumPhaseOptions) {
    corrupt("its phases have options that are not known");
  }
  if ((size - kHead) / 8 / options < phases ||
      size != kHead + 8 * options * phases + kState + kStateSeal ||
      !IsSealed(data, size)) {
    corrupt("it is damaged");
  }
  std::vector<PhaseOptions> read(phases);
  const uint8_t* p = data + kHead;
  for (PhaseOptions& phase : read) {
    for (uint64_t id = 1; id <= options; ++id, p += 8) {
      const OptionInfo& info =
          PhaseOptions::Table().Known(static_cast<int32_t>(id));
      const double x = LoadNumber(p);
      if (!(x >= info.min && x <= info.max)) corrupt("an option out of bounds");
      if (info.is_float) {
        phase.SetFloat(info.id, x);
      } else {
        phase.SetInt(info.id, static_cast<int64_t>(x));
      }
    }
  }
  Schedule schedule(std::move(read));
  schedule.phase_ = LoadLE<uint64_t>(p);
  schedule.phase_step_ = LoadLE<uint64_t>(p + 8);
  schedule.step_ = LoadLE<uint64_t>(p + 16);
  schedule.since_best_ = LoadLE<uint64_t>(p + 24);
  schedule.done_ = LoadLE<uint64_t>(p + 32) != 0;
  schedule.best_loss_ = LoadNumber(p + 40);
  if (schedule.phase_ >= schedule.phases_.size()) corrupt("no such phase");
  return schedule;
}

}  // namespace bnq
