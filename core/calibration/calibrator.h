// A calibrator: watches batches of values go by, and finds the range in which
// to quantize such values. Its state is O(bins x channels), whatever goes by.
//
// But for the methods that follow the order of batches (moving_average,
// adaptive), the state is a function of the multiset of batches: merging is
// exact, and gives the bytes that observing in one place would have.
#ifndef BNQ_CORE_CALIBRATION_CALIBRATOR_H_
#define BNQ_CORE_CALIBRATION_CALIBRATOR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/context.h"
#include "core/base/memory.h"
#include "core/base/shape.h"
#include "core/calibration/batch.h"
#include "core/calibration/methods.h"
#include "core/calibration/options.h"
#include "core/calibration/stats.h"

namespace bnq {

// For one thread at a time.
class Calibrator {
 public:
  explicit Calibrator(const CalibrationOptions& options = CalibrationOptions())
      : options_(options) {}

  const CalibrationOptions& options() const { return options_; }
  // Once there are data only those options may change that say how the range is
  // searched for in what was kept, as bnq.h lists them; others are
  // INVALID_ARGUMENT.
  void SetInt(int32_t option, int64_t value);
  void SetFloat(int32_t option, double value);
  void SetText(const std::string& option, const std::string& value);

  // A batch. If it fails nothing has changed; so too if the context's tick
  // cancels it. But where there is no tick, or the state is larger than the
  // batch, and values were being counted already (a failing runner, the hook):
  // from then on all fails with INTERNAL until Reset.
  void Observe(const Context& context, const ArrayView& array,
               const ObserveHook& hook);
  // How many times Observe reads each element.
  int passes() const { return options_.keeps_histogram() ? 2 : 1; }

  // 0 before there are data.
  uint64_t channels() const { return channels_.size(); }
  // Batches that had elements.
  uint64_t batches() const { return batches_; }
  // One for each channel; finite, lo <= hi, and lo = -hi for the symmetric
  // scheme. NO_DATA where a channel has had no finite value.
  std::vector<Range> Ranges(const Context& context) const;
  // Of a channel; of all together with kAllChannels. NO_DATA before there are
  // data.
  static constexpr uint64_t kAllChannels = UINT64_MAX;
  CalibrationStatistics Statistics(uint64_t channel,
                                   const Context& context = Context()) const;
  // UNSUPPORTED where there is none; without values it is empty.
  HistogramView Histogram(uint64_t channel) const;

  // Forgets the data, not the options.
  void Reset();
  // Adds what the other has seen. INVALID_ARGUMENT where options or channels
  // differ, UNSUPPORTED for a method that follows the order. If either has no
  // fine bins, kept by a method that needs none, then the result has none.
  void Merge(const Context& context, const Calibrator& other);
  std::unique_ptr<Calibrator> Clone(const Context& context) const;

  // README.md has the layout. CORRUPT_FILE for whatever Serialize did not
  // write, UNSUPPORTED for a later version.
  std::string Serialize(const Context& context = Context()) const;
  static std::unique_ptr<Calibrator> Deserialize(const Context& context,
                                                 const uint8_t* data,
                                                 uint64_t size);

 private:
  struct Channel {
    ChannelStats stats;
    Range followed;
    BinCounts histogram;
  };
  // What outliers are: values outside, and how many there were.
  struct Limits {
    float lo, hi;
    uint64_t outliers;
  };

  void CheckUsable() const;
  // Takes options that have just been set.
  void Change(const CalibrationOptions& changed, int32_t option);
  std::vector<Channel> MakeChannels(uint64_t count) const;
  // What a method that follows batches makes of the range of one.
  void Follow(const ChannelStats& seen, Channel* channel) const;
  // Of channels[c].histogram, for what `seen` has seen too.
  BinCounts::Growth PlanGrowth(const Context& context, const Channel& channel,
                               const ChannelStats& seen, uint32_t least) const;
  // The fields of one channel, as README.md lists them.
  void AppendChannel(const Channel& channel, std::string* out) const;
  class Parser;
  void ParseOptions(Parser* parser);
  void ParseChannel(const Context& context, Parser* parser, Channel* channel);
  void ParseHistogram(const Context& context, Parser* parser, Channel* channel);
  const Channel& ChannelAt(uint64_t channel) const;
  Limits LimitsOf(uint64_t channel) const;
  Range RangeOf(const Context& context, uint64_t channel) const;

  CalibrationOptions options_;
  std::vector<Channel> channels_;
  uint64_t batches_ = 0;
  bool fine_ = false;  // histograms have fine bins
  bool interrupted_ = false;
};

}  // namespace bnq

#endif  // BNQ_CORE_CALIBRATION_CALIBRATOR_H_
