#include "core/calibration/calibrator.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/base/portable_math.h"
#include "core/parallel/runner.h"

namespace bnq {
namespace {

constexpr float kMaxFloat = 3.4028234663852886e38f;

float ToFloat(double x) {
  return static_cast<float>(
      std::min<double>(std::max<double>(x, -kMaxFloat), kMaxFloat));
}

}  // namespace

void Calibrator::CheckUsable() const {
  if (interrupted_) {
    Fail(Status::kInternal,
         "an observation of this calibrator was interrupted while its values "
         "were being counted; reset it and observe again");
  }
}

void Calibrator::Change(const CalibrationOptions& changed, int32_t option) {
  if (channels_.empty() && !interrupted_) {
    options_ = changed;
    return;
  }
  const auto refuse = [&](const char* why) {
    Fail(Status::kInvalidArgument, "option ",
         CalibrationOptions::Table().Known(option).name,
         " cannot be changed once there are data", why, "; reset first");
  };
  bool searches = false;
  for (CalibrationOption allowed :
       {CalibrationOption::kMethod, CalibrationOption::kScheme,
        CalibrationOption::kBits, CalibrationOption::kLevels,
        CalibrationOption::kPercentile, CalibrationOption::kKlVariant,
        CalibrationOption::kMseVariant}) {
    searches = searches || option == static_cast<int32_t>(allowed);
  }
  if (!searches || interrupted_) refuse("");
  const auto follows = [](const CalibrationOptions& options) {
    return options.method() == CalibrationMethod::kMovingAverage ||
           options.method() == CalibrationMethod::kAdaptive;
  };
  if (changed.method() != options_.method() && follows(changed)) {
    refuse(" to a method that follows the order of batches");
  }
  if (changed.keeps_histogram() && !options_.keeps_histogram()) {
    refuse(" to a method that takes a histogram, which was not kept");
  }
  const bool kept = options_.keeps_histogram();
  options_ = changed;
  // What is kept goes on being kept.
  if (kept) {
    options_.SetInt(static_cast<int32_t>(CalibrationOption::kHistogram), 1);
  }
}

void Calibrator::SetInt(int32_t option, int64_t value) {
  CalibrationOptions changed = options_;
  changed.SetInt(option, value);
  Change(changed, option);
}

void Calibrator::SetFloat(int32_t option, double value) {
  CalibrationOptions changed = options_;
  changed.SetFloat(option, value);
  Change(changed, option);
}

void Calibrator::SetText(const std::string& option, const std::string& value) {
  CalibrationOptions changed = options_;
  changed.SetText(option, value);
  Change(changed, CalibrationOptions::Table().Find(option)->id);
}

std::vector<Calibrator::Channel> Calibrator::MakeChannels(
    uint64_t count) const {
  std::vector<Channel> channels(ToSize(count, "number of channels"));
  for (Channel& channel : channels) {
    channel.stats = ChannelStats(options_.keeps_moments());
    channel.histogram = BinCounts(fine_);
  }
  return channels;
}

BinCounts::Growth Calibrator::PlanGrowth(const Context& context,
                                         const Channel& channel,
                                         const ChannelStats& seen,
                                         uint32_t least) const {
  ChannelStats range;
  range.Merge(channel.stats);
  range.Merge(seen);
  if (range.count == 0) return BinCounts::Growth();
  return channel.histogram.PlanGrowth(context, range.min, range.max, least,
                                      options_.capacity());
}

void Calibrator::Follow(const ChannelStats& seen, Channel* channel) const {
  const Method& method = MethodOf(options_.method());
  if (seen.count == 0 || method.follow == nullptr) return;
  Range range;
  range.lo = seen.min;
  range.hi = seen.max;
  method.follow(options_, channel->stats.count == 0, range, &channel->followed);
  // Not -0, as in the statistics.
  if (channel->followed.lo == 0.0f) channel->followed.lo = 0.0f;
  if (channel->followed.hi == 0.0f) channel->followed.hi = 0.0f;
}

void Calibrator::Observe(const Context& context, const ArrayView& array,
                         const ObserveHook& hook) {
  CheckUsable();
  Batch batch(context, options_, array);
  if (batch.elements() == 0) return;
  const uint64_t n = batch.channels();
  if (!channels_.empty() && n != channels_.size()) {
    Fail(Status::kInvalidArgument, "an array of shape ", array.shape.ToString(),
         " has ", n, " channels along axis ", options_.axis(), ", must have ",
         channels_.size(), " as the first batch had");
  }
  const bool histogram = options_.keeps_histogram();
  const bool fine =
      histogram && (channels_.empty() ? options_.keeps_fine_bins() : fine_);
  std::vector<ChannelStats> seen(ToSize(n, "number of channels"),
                                 ChannelStats(options_.keeps_moments()));
  batch.Summarize(fine, seen.data(), hook);

  // All memory first; then the state changes.
  std::vector<Channel> fresh;
  if (channels_.empty()) {
    fine_ = fine;
    fresh = MakeChannels(n);
  }
  std::vector<Channel>& channels = channels_.empty() ? fresh : channels_;
  std::vector<BinCounts::Growth> growth(histogram ? seen.size() : 0);
  std::vector<ChannelBins> bins(growth.size());
  size_t counters = 0;
  for (size_t c = 0; c < growth.size(); ++c) {
    growth[c] = PlanGrowth(context, channels[c], seen[c], seen[c].least);
    counters = std::max({counters, channels[c].histogram.num_counters(),
                         growth[c].memory.size() / sizeof(uint64_t)});
  }
  if (histogram) batch.PrepareTally(counters);
  // What is cancelled is taken back, unless a copy takes longer than counting,
  // which then goes on to its end.
  std::unique_ptr<Calibrator> before;
  if (histogram && context.tick &&
      counters * n * sizeof(uint64_t) <= batch.elements() * sizeof(float)) {
    before = Clone(context);
  }

  for (size_t c = 0; c < channels.size(); ++c) {
    Channel& channel = channels[c];
    Follow(seen[c], &channel);
    channel.stats.Merge(seen[c]);
    if (!histogram) continue;
    channel.histogram.Grow(&growth[c]);
    bins[c].map = channel.histogram.map();
    bins[c].counts = channel.histogram.counters();
  }
  if (channels_.empty()) channels_ = std::move(fresh);
  ++batches_;
  if (!histogram) return;
  interrupted_ = true;
  try {
    batch.Tally(bins.data(), before != nullptr, hook);
  } catch (...) {
    if (before != nullptr) *this = std::move(*before);
    throw;
  }
  interrupted_ = false;
}

const Calibrator::Channel& Calibrator::ChannelAt(uint64_t channel) const {
  CheckUsable();
  if (channels_.empty()) {
    Fail(Status::kNoData, "the calibrator has not observed any data");
  }
  if (channel >= channels_.size()) {
    Fail(Status::kInvalidArgument, "channel = ", channel, ", must be below ",
         channels_.size());
  }
  return channels_[channel];
}

// Of a channel that has values.
Calibrator::Limits Calibrator::LimitsOf(uint64_t index) const {
  const Channel& channel = channels_[index];
  Limits limits = {channel.stats.min, channel.stats.max, 0};
  if (options_.outliers() == OutlierRule::kNone) return limits;
  const std::vector<Cell> cells = channel.histogram.Cells(
      channel.stats.zeros, channel.stats.min, channel.stats.max);
  // Cells first .. end - 1 stay.
  size_t first = 0, end = cells.size();
  if (options_.outliers() == OutlierRule::kPercentile) {
    const uint64_t n = channel.stats.count;
    const auto kept =
        CutTails(cells, (n - PercentOf(options_.outlier_percentile(), n)) / 2);
    first = kept.first;
    end = kept.second;
    limits.lo = ToFloat(cells[first].lo);
    limits.hi = ToFloat(cells[end - 1].hi);
  } else {
    const CalibrationStatistics stats = StatisticsOf(channel.stats);
    const double mean = stats.at(CalibrationStatistic::kMean);
    const double reach = options_.outlier_deviations() *
                         std::sqrt(stats.at(CalibrationStatistic::kVariance));
    limits.lo = std::max(limits.lo, ToFloat(mean - reach));
    limits.hi = std::min(limits.hi, ToFloat(mean + reach));
    // Of values far from 0 and close together rounding may leave nothing.
    if (limits.lo > limits.hi) {
      return {channel.stats.min, channel.stats.max, 0};
    }
    // Of the bins that a limit divides all values stay.
    while (first < end && cells[first].hi <= limits.lo &&
           cells[first].lo < limits.lo) {
      ++first;
    }
    while (end > first && cells[end - 1].lo > limits.hi) --end;
  }
  for (size_t i = 0; i < cells.size(); ++i) {
    if (i < first || i >= end) limits.outliers += cells[i].count;
  }
  return limits;
}

Range Calibrator::RangeOf(const Context& context, uint64_t index) const {
  const Channel& channel = channels_[index];
  if (channel.stats.count == 0) {
    Fail(Status::kNoData, "channel ", index, " has not had any finite value");
  }
  const Limits limits = LimitsOf(index);
  const Method& method = MethodOf(options_.method());
  std::vector<uint64_t> counts;
  if (method.needs_histogram) counts = channel.histogram.Uniform();
  const BinWindow& window = channel.histogram.window();
  Range range;
  if (limits.outliers != 0 && method.needs_histogram) {
    // The method sees outliers at the limits.
    std::vector<uint64_t> clipped(window.size);
    const int64_t first = BinOf(limits.lo, window.exponent) - window.base;
    // A limit on an edge belongs to the bin below it.
    const int64_t last = std::max<int64_t>(
        first, static_cast<int64_t>(std::ceil(static_cast<double>(limits.hi) *
                                              PowerOfTwo(-window.exponent))) -
                   1 - window.base);
    for (size_t i = 0; i < window.size; ++i) {
      const int64_t bin =
          std::min(std::max(static_cast<int64_t>(i), first), last);
      clipped[static_cast<size_t>(bin)] += counts[i];
    }
    range =
        method.find({context, options_, limits.lo, limits.hi, channel.followed,
                     channel.stats.zeros, channel.histogram, clipped.data()});
  } else {
    range =
        method.find({context, options_, channel.stats.min, channel.stats.max,
                     channel.followed, channel.stats.zeros, channel.histogram,
                     counts.data()});
    range.lo = std::min(std::max(range.lo, limits.lo), limits.hi);
    range.hi = std::min(std::max(range.hi, limits.lo), limits.hi);
  }
  if (options_.symmetric()) {
    range.hi = std::max(std::fabs(range.lo), std::fabs(range.hi));
    range.lo = -range.hi;
  }
  return range;
}

std::vector<Range> Calibrator::Ranges(const Context& context) const {
  ChannelAt(0);
  std::vector<Range> ranges(channels_.size());
  ParallelFor(context, ranges.size(),
              [&](uint64_t c) { ranges[c] = RangeOf(context, c); });
  return ranges;
}

CalibrationStatistics Calibrator::Statistics(uint64_t channel,
                                             const Context& context) const {
  using S = CalibrationStatistic;
  const bool all = channel == kAllChannels;
  const uint64_t begin = all ? 0 : channel;
  ChannelAt(begin);
  const uint64_t end = all ? channels_.size() : channel + 1;
  ChannelStats stats(options_.keeps_moments());
  uint64_t outliers = 0;
  for (uint64_t c = begin; c < end; ++c) {
    context.Tick();
    stats.Merge(channels_[c].stats);
    if (channels_[c].stats.count != 0) outliers += LimitsOf(c).outliers;
  }
  CalibrationStatistics result = StatisticsOf(stats);
  result.at(S::kOutliers) = static_cast<double>(outliers);
  return result;
}

HistogramView Calibrator::Histogram(uint64_t index) const {
  const Channel& channel = ChannelAt(index);
  if (!options_.keeps_histogram()) {
    Fail(Status::kUnsupported, "method ",
         options_.ValueName(CalibrationOption::kMethod),
         " keeps no histogram; set the option histogram to on before the first "
         "batch");
  }
  if (channel.stats.count == 0) return HistogramView();
  return ViewOf(channel.histogram.window(), channel.histogram.Uniform().data(),
                channel.stats.min, channel.stats.max);
}

void Calibrator::Reset() {
  channels_.clear();
  batches_ = 0;
  fine_ = false;
  interrupted_ = false;
}

std::unique_ptr<Calibrator> Calibrator::Clone(const Context& context) const {
  CheckUsable();
  auto clone = std::make_unique<Calibrator>();
  clone->options_ = options_;
  clone->batches_ = batches_;
  clone->fine_ = fine_;
  clone->channels_ = MakeChannels(channels_.size());
  for (size_t c = 0; c < channels_.size(); ++c) {
    Channel& to = clone->channels_[c];
    const Channel& from = channels_[c];
    to.stats = from.stats;
    to.followed = from.followed;
    to.histogram = from.histogram.Clone(context);
    context.Tick();
  }
  return clone;
}

void Calibrator::Merge(const Context& context, const Calibrator& other) {
  CheckUsable();
  other.CheckUsable();
  for (const OptionInfo& info : CalibrationOptions::Table()) {
    // Of tensors it says nothing.
    const bool is_axis =
        info.id == static_cast<int32_t>(CalibrationOption::kAxis);
    if (is_axis && !options_.per_channel()) continue;
    const double ours = options_.Number(info);
    const double theirs = other.options_.Number(info);
    if (ours != theirs) {
      Fail(Status::kInvalidArgument, info.name,
           " of the other calibrator = ", theirs, ", must be ", ours,
           " as this one's");
    }
  }
  if (MethodOf(options_.method()).follow != nullptr) {
    Fail(Status::kUnsupported, "the result of method ",
         options_.ValueName(CalibrationOption::kMethod),
         " depends on the order of batches; such calibrators cannot be merged");
  }
  if (other.channels_.empty()) return;
  if (channels_.empty()) {
    std::unique_ptr<Calibrator> copy = other.Clone(context);
    *this = std::move(*copy);
    return;
  }
  if (channels_.size() != other.channels_.size()) {
    Fail(Status::kInvalidArgument, "the other calibrator has ",
         other.channels_.size(), " channels, must have ", channels_.size(),
         " as this one");
  }
  // A calibrator may be merged with itself, whose counts must not be those that
  // are being changed.
  std::unique_ptr<Calibrator> copy;
  if (&other == this) copy = Clone(context);
  const std::vector<Channel>& others =
      copy != nullptr ? copy->channels_ : other.channels_;
  const size_t histograms = options_.keeps_histogram() ? channels_.size() : 0;
  std::vector<BinCounts::Growth> growth(histograms);
  for (size_t c = 0; c < histograms; ++c) {
    growth[c] = PlanGrowth(context, channels_[c], others[c].stats,
                           others[c].histogram.least());
    context.Tick();
  }
  fine_ = fine_ && others[0].histogram.fine();
  for (size_t c = 0; c < channels_.size(); ++c) {
    Channel& channel = channels_[c];
    channel.stats.Merge(others[c].stats);
    if (c >= histograms) continue;
    // Fine bins stay only where both have them.
    if (!fine_) channel.histogram.Coarsen();
    channel.histogram.Grow(&growth[c]);
    channel.histogram.Add(others[c].histogram);
  }
  batches_ += copy != nullptr ? copy->batches_ : other.batches_;
}

}  // namespace bnq
