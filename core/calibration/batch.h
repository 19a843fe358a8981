// One observed array, cut into the channels' chunks.
#ifndef BNQ_CORE_CALIBRATION_BATCH_H_
#define BNQ_CORE_CALIBRATION_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/base/context.h"
#include "core/base/shape.h"
#include "core/calibration/histogram.h"
#include "core/calibration/options.h"
#include "core/calibration/stats.h"
#include "core/kernels/elements.h"

namespace bnq {

// Called after elements have been read once: [begin, end) of the array, or,
// where channels lie scattered, as many. May throw to cancel.
using ObserveHook = std::function<void(uint64_t begin, uint64_t end)>;

// Where a channel's values are counted.
struct ChannelBins {
  BinMap map;
  uint64_t* counts = nullptr;
};

// A channel's elements are those of the array in row-major order. Its chunks
// (kChunk elements) and segments (kSegment) depend on their number alone, so
// that threads never change a sum.
class Batch {
 public:
  // INVALID_ARGUMENT for an axis that is not there, UNSUPPORTED for a type.
  Batch(const Context& context, const CalibrationOptions& options,
        const ArrayView& array);
  ~Batch();

  uint64_t elements() const { return array_.shape.elements(); }
  uint64_t channels() const { return channels_; }

  // Adds the statistics of each channel to stats[channels()], `least` only if
  // asked for. NON_FINITE names the index, unless such values are to be
  // skipped.
  void Summarize(bool least, ChannelStats* stats, const ObserveHook& hook);
  // Takes the memory that counting needs: no channel has more counters.
  void PrepareTally(size_t counters);
  // Counts each channel's values, after Summarize and PrepareTally. Without
  // `cancellable` only the hook can stop it.
  void Tally(const ChannelBins* bins, bool cancellable,
             const ObserveHook& hook);

 private:
  struct Scratch;
  class ScratchPool;

  void SummarizeColumns(bool least, ChannelStats* stats,
                        const ObserveHook& hook);
  void SummarizeChunks(bool least, ChannelStats* stats,
                       const ObserveHook& hook);
  uint64_t num_groups() const;
  // task(i) for i below `tasks`, in waves on the context's threads. The hook
  // hears of each wave's elements, until goes_on() is false behind one.
  void RunTasks(uint64_t tasks, const ObserveHook& hook,
                const std::function<void(uint64_t)>& task,
                const std::function<bool()>& goes_on) const;
  // f(channel, values, count).
  template <class F>
  void ForEachChunk(uint64_t group, uint64_t begin, uint64_t end,
                    Scratch* scratch, const F& f) const;
  const float* Fetch(uint64_t channel, uint64_t begin, size_t count,
                     float* scratch) const;
  void FetchTile(uint64_t channel, uint64_t width, uint64_t begin, size_t count,
                 Scratch* scratch) const;

  Context context_;
  const CalibrationOptions& options_;
  const ArrayView array_;
  SourceView source_;
  uint64_t outer_ = 1, channels_ = 1, inner_ = 1;
  uint64_t group_ = 1;  // channels of a task
  bool tiled_ = false;  // their elements lie close together, row by row
  bool skips_ = false;  // values that are not finite, of which there are
  std::unique_ptr<ScratchPool> pool_;
  size_t counters_ = 0;  // of the sub-histograms in it
};

}  // namespace bnq

#endif  // BNQ_CORE_CALIBRATION_BATCH_H_
