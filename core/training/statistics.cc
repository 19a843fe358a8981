#include "core/training/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/base/error.h"
#include "core/training/state_bytes.h"

namespace bnq {
namespace {

// Serialized: magic, version; three counts, two sums by limbs, seven numbers;
// the seal.
constexpr char kMagic[4] = {'B', 'N', 'Q', 'T'};
constexpr uint16_t kVersion = 1;
constexpr uint64_t kHead = 6;
constexpr uint64_t kSize =
    kHead + 8 * (3 + 2 * ExactSum::kLimbs + 7) + kStateSeal;

double Ratio(double of, double to) {
  if (of == 0.0) return 0.0;
  return to == 0.0 ? std::numeric_limits<double>::infinity() : of / to;
}

}  // namespace

void TrainingStatistics::Add(const TrainingStep& step) {
  ++steps_;
  if (step.elements == 0) return;
  elements_ += step.elements;
  clipped_ += step.clipped;
  error_.Add(step.error_energy);
  energy_.Add(step.energy);
  max_error_ = std::max(max_error_, step.max_error);
  scales_.Merge(step.scales);
  clipped_shares_.Add(Ratio(static_cast<double>(step.clipped),
                            static_cast<double>(step.elements)));
  relative_mses_.Add(Ratio(step.error_energy, step.energy));
}

void TrainingStatistics::Merge(const TrainingStatistics& other) {
  steps_ += other.steps_;
  elements_ += other.elements_;
  clipped_ += other.clipped_;
  // A copy: it may be this.
  const ExactSum error = other.error_, energy = other.energy_;
  error_.Add(error);
  energy_.Add(energy);
  max_error_ = std::max(max_error_, other.max_error_);
  scales_.Merge(other.scales_);
  clipped_shares_.Merge(other.clipped_shares_);
  relative_mses_.Merge(other.relative_mses_);
}

void TrainingStatistics::Values(
    double (&values)[kNumTrainingStatistics]) const {
  const double none = std::numeric_limits<double>::quiet_NaN();
  const bool any = elements_ != 0;
  const double n = static_cast<double>(elements_);
  const double error = error_.ToDouble(), energy = energy_.ToDouble();
  const double relative = any ? Ratio(error, energy) : none;
  const auto set = [&](TrainingStatistic statistic, double value) {
    values[static_cast<int>(statistic)] = value;
  };
  set(TrainingStatistic::kSteps, static_cast<double>(steps_));
  set(TrainingStatistic::kElements, n);
  set(TrainingStatistic::kClipped, static_cast<double>(clipped_));
  set(TrainingStatistic::kClippedShare,
      any ? static_cast<double>(clipped_) / n : none);
  set(TrainingStatistic::kMse, any ? error / n : none);
  set(TrainingStatistic::kRelativeMse, relative);
  set(TrainingStatistic::kSqnrDb, relative == 0.0
                                      ? std::numeric_limits<double>::infinity()
                                      : -10.0 * std::log10(relative));
  set(TrainingStatistic::kMaxError, any ? max_error_ : none);
  set(TrainingStatistic::kScaleMin, scales_.min);
  set(TrainingStatistic::kScaleMax, scales_.max);
  set(TrainingStatistic::kWorstClippedShare, clipped_shares_.max);
  set(TrainingStatistic::kWorstRelativeMse, relative_mses_.max);
}

std::string TrainingStatistics::Serialize() const {
  std::string out(kMagic, sizeof kMagic);
  AppendLE(kVersion, &out);
  for (uint64_t count : {steps_, elements_, clipped_}) AppendLE(count, &out);
  for (const ExactSum* sum : {&error_, &energy_}) {
    for (int i = 0; i < ExactSum::kLimbs; ++i) AppendLE(sum->limb(i), &out);
  }
  AppendNumber(max_error_, &out);
  for (const Bounds* bounds : {&scales_, &clipped_shares_, &relative_mses_}) {
    AppendNumber(bounds->min, &out);
    AppendNumber(bounds->max, &out);
  }
  SealState(&out);
  return out;
}

TrainingStatistics TrainingStatistics::Deserialize(const uint8_t* data,
                                                   uint64_t size) {
  const auto corrupt = [](const char* what) {
    Fail(Status::kCorruptFile, "serialized statistics: ", what);
  };
  if (size < kHead || std::memcmp(data, kMagic, sizeof kMagic) != 0) {
    corrupt("they do not begin as such");
  }
  if (LoadLE<uint16_t>(data + 4) != kVersion) corrupt("of another version");
  if (size != kSize || !IsSealed(data, size)) corrupt("they are damaged");
  TrainingStatistics read;
  const uint8_t* p = data + kHead;
  const auto word = [&] {
    p += 8;
    return LoadLE<uint64_t>(p - 8);
  };
  const auto number = [&] {
    p += 8;
    return LoadNumber(p - 8);
  };
  for (uint64_t* count : {&read.steps_, &read.elements_, &read.clipped_}) {
    *count = word();
  }
  for (ExactSum* sum : {&read.error_, &read.energy_}) {
    for (int i = 0; i < ExactSum::kLimbs; ++i) sum->set_limb(i, word());
  }
  read.max_error_ = number();
  for (Bounds* bounds :
       {&read.scales_, &read.clipped_shares_, &read.relative_mses_}) {
    bounds->min = number();
    bounds->max = number();
  }
  return read;
}

}  // namespace bnq
