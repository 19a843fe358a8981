#include "core/calibration/batch.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/kernels/elements.h"
#include "core/parallel/runner.h"
#include "core/tensor/quantize.h"

namespace bnq {
namespace {

// Elements of a segment: what one task does of one channel.
constexpr uint64_t kSegment = 64 * kChunk;
// Elements between two calls of the hook.
constexpr uint64_t kWave = 16 * kSegment;
// Shorter runs of a channel are gathered, many channels at a time.
constexpr uint64_t kMinRun = 256;
constexpr uint64_t kMaxGroup = 64;
// Columns that are summed up side by side, and elements that a task does so.
constexpr uint64_t kColumns = 2048;
constexpr uint64_t kColumnTask = uint64_t{1} << 20;
// Apart by a little more than a chunk, so that channels do not meet in the same
// sets of the cache.
constexpr size_t kTileStride = kChunk + 2 * kLanes;

bool IsFinite(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return (bits & 0x7FFFFFFFu) < 0x7F800000u;
}

// The finite values, into out; returns their number.
size_t Compact(const float* x, size_t count, float* out) {
  size_t n = 0;
  for (size_t i = 0; i < count; ++i) {
    if (IsFinite(x[i])) out[n++] = x[i];
  }
  return n;
}

}  // namespace

// Of one task.
struct Batch::Scratch {
  Buffer chunk;   // kChunk floats and slack, twice: fetched, compacted
  Buffer tile;    // kTileStride floats for each channel of a group
  Buffer row;     // of the tile
  Buffer subs;    // kSubs x counters of 16 bits
  Buffer counts;  // counters of 32 bits
};

// As many of them as there are threads, made before anything is changed: the
// tasks themselves cannot run out of memory.
class Batch::ScratchPool {
 public:
  ScratchPool(const Batch& batch, size_t counters) {
    const Context& context = batch.context_;
    const uint32_t workers =
        context.runner != nullptr ? context.runner->workers() : 1;
    const uint64_t tasks =
        batch.num_groups() * DivCeil(batch.outer_ * batch.inner_, kSegment);
    items_.resize(
        static_cast<size_t>(std::min<uint64_t>(std::max(1u, workers), tasks)));
    for (Scratch& item : items_) {
      item.chunk = context.Allocate(2 * kTileStride * sizeof(float));
      if (batch.tiled_) {
        item.tile =
            context.Allocate(batch.group_ * kTileStride * sizeof(float));
        item.row = context.Allocate((batch.group_ * batch.inner_ + kLanes) *
                                    sizeof(float));
      }
      if (counters != 0) {
        item.subs = context.Allocate(kSubs * counters * sizeof(uint16_t));
        item.counts = context.Allocate(counters * sizeof(uint32_t));
        std::memset(item.subs.data(), 0, item.subs.size());
        std::memset(item.counts.data(), 0, item.counts.size());
      }
      free_.push_back(&item);
    }
  }
  // Of a task, as long as it runs.
  class Lease {
   public:
    explicit Lease(ScratchPool* pool) : pool_(pool), item_(pool->Take()) {}
    ~Lease() { pool_->Give(item_); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Scratch* get() const { return item_; }

   private:
    ScratchPool* const pool_;
    Scratch* const item_;
  };

 private:
  Scratch* Take() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (free_.empty()) {
      Fail(Status::kInternal,
           "the runner runs more tasks at a time than it has workers");
    }
    Scratch* item = free_.back();
    free_.pop_back();
    return item;
  }
  void Give(Scratch* item) {
    std::lock_guard<std::mutex> lock(mutex_);
    free_.push_back(item);
  }

  std::mutex mutex_;
  std::vector<Scratch> items_;
  std::vector<Scratch*> free_;
};

Batch::Batch(const Context& context, const CalibrationOptions& options,
             const ArrayView& array)
    : context_(context),
      options_(options),
      array_(array),
      source_(MakeSource(array, nullptr)) {
  const Shape& shape = array.shape;
  if (!options.per_channel()) {
    inner_ = shape.elements();
    return;
  }
  const int axis =
      options.axis() < 0 ? options.axis() + shape.rank : options.axis();
  if (axis < 0 || axis >= shape.rank) {
    Fail(Status::kInvalidArgument, "axis = ", options.axis(),
         " is not a dimension of an array of shape ", shape.ToString());
  }
  channels_ = shape.dims[axis];
  for (int i = 0; i < axis; ++i) outer_ *= shape.dims[i];
  for (int i = axis + 1; i < shape.rank; ++i) inner_ *= shape.dims[i];
  if (array.shape.elements() == 0) return;
  tiled_ = inner_ < kMinRun && outer_ > 1 && channels_ > 1;
  // Tiles of rows that are worth reading; else enough for a task.
  group_ = tiled_ ? kMinRun / inner_ : kSegment / (outer_ * inner_);
  group_ =
      std::min(std::max<uint64_t>(1, group_), std::min(kMaxGroup, channels_));
}

Batch::~Batch() = default;

uint64_t Batch::num_groups() const { return DivCeil(channels_, group_); }

void Batch::RunTasks(uint64_t tasks, const ObserveHook& hook,
                     const std::function<void(uint64_t)>& task,
                     const std::function<bool()>& goes_on) const {
  const uint64_t workers =
      context_.runner != nullptr ? context_.runner->workers() : 1;
  // Some for every thread.
  const uint64_t wave_tasks =
      std::max(4 * workers, DivCeil(kWave, DivCeil(elements(), tasks)));
  uint64_t done = 0;
  for (uint64_t wave = 0; wave < tasks; wave += wave_tasks) {
    const uint64_t wave_end = std::min(tasks, wave + wave_tasks);
    ParallelFor(context_, wave_end - wave, [&](uint64_t i) { task(wave + i); });
    if (!goes_on()) return;
    const uint64_t before = done;
    done = wave_end == tasks ? elements() : elements() / tasks * wave_end;
    if (hook) hook(before, done);
  }
}

// Elements [begin, begin + count) of a channel, in the array or in scratch.
const float* Batch::Fetch(uint64_t channel, uint64_t begin, size_t count,
                          float* scratch) const {
  const auto index = [&](uint64_t position) {
    return (position / inner_ * channels_ + channel) * inner_ +
           position % inner_;
  };
  if (source_.direct() && begin / inner_ == (begin + count - 1) / inner_) {
    return reinterpret_cast<const float*>(source_.data) + index(begin);
  }
  for (size_t done = 0; done < count;) {
    const uint64_t at = begin + done;
    const size_t n = static_cast<size_t>(
        std::min<uint64_t>(count - done, inner_ - at % inner_));
    LoadElements(source_, index(at), n, scratch + done);
    done += n;
  }
  return scratch;
}

// The same of `width` channels, each at its place in the tile.
void Batch::FetchTile(uint64_t channel, uint64_t width, uint64_t begin,
                      size_t count, Scratch* scratch) const {
  float* const tile = scratch->tile.as<float>();
  if (inner_ == 1 && source_.direct()) {
    GetCalibrationKernels().transpose(
        reinterpret_cast<const float*>(source_.data) + begin * channels_ +
            channel,
        channels_, count, width, tile, kTileStride);
    return;
  }
  for (size_t done = 0; done < count;) {
    const uint64_t at = begin + done;
    const uint64_t first = at % inner_;
    const size_t n =
        static_cast<size_t>(std::min<uint64_t>(count - done, inner_ - first));
    const uint64_t index = (at / inner_ * channels_ + channel) * inner_;
    const size_t floats = static_cast<size_t>(width * inner_);
    const float* row = reinterpret_cast<const float*>(source_.data) + index;
    if (!source_.direct()) {
      LoadElements(source_, index, floats, scratch->row.as<float>());
      row = scratch->row.as<float>();
    }
    for (uint64_t c = 0; c < width; ++c) {
      const float* from = row + c * inner_ + first;
      float* to = tile + c * kTileStride + done;
      for (size_t i = 0; i < n; ++i) to[i] = from[i];
    }
    done += n;
  }
}

// The chunks of a group's channels, from element `begin` to `end` of each;
// `begin` is a multiple of kChunk.
template <class F>
void Batch::ForEachChunk(uint64_t group, uint64_t begin, uint64_t end,
                         Scratch* scratch, const F& f) const {
  const uint64_t first = group * group_;
  const uint64_t width = std::min(group_, channels_ - first);
  for (uint64_t c = 0; !tiled_ && c < width; ++c) {
    for (uint64_t at = begin; at < end; at += kChunk) {
      const size_t count =
          static_cast<size_t>(std::min<uint64_t>(end - at, kChunk));
      f(first + c, Fetch(first + c, at, count, scratch->chunk.as<float>()),
        count);
    }
  }
  for (uint64_t at = begin; tiled_ && at < end; at += kChunk) {
    const size_t count =
        static_cast<size_t>(std::min<uint64_t>(end - at, kChunk));
    FetchTile(first, width, at, count, scratch);
    context_.Tick();
    for (uint64_t c = 0; c < width; ++c) {
      f(first + c, scratch->tile.as<float>() + c * kTileStride, count);
    }
  }
}

void Batch::Summarize(bool least, ChannelStats* stats,
                      const ObserveHook& hook) {
  if (tiled_ && !options_.keeps_moments()) {
    SummarizeColumns(least, stats, hook);
  } else {
    SummarizeChunks(least, stats, hook);
  }
}

// Channels that lie close together, without sums, whose order would matter:
// rows are taken as they lie in memory.
void Batch::SummarizeColumns(bool least, ChannelStats* stats,
                             const ObserveHook& hook) {
  const CalibrationKernels& kernels = GetCalibrationKernels();
  const uint64_t stripe = std::max<uint64_t>(1, kColumns / inner_);
  const uint64_t stripes = DivCeil(channels_, stripe);
  const uint64_t rows =
      std::max<uint64_t>(1, kColumnTask / (channels_ * inner_));
  const uint64_t tasks = DivCeil(outer_, rows) * stripes;
  const bool direct = source_.direct();
  std::vector<ChannelStats> seen(static_cast<size_t>(channels_));
  std::mutex mutex;
  std::atomic<bool> finite{true};
  const auto run = [&](uint64_t task) {
    const uint64_t first = task % stripes * stripe;
    const uint64_t width = std::min(stripe, channels_ - first);
    const uint64_t begin = task / stripes * rows;
    const uint64_t end = std::min(outer_, begin + rows);
    const size_t columns = static_cast<size_t>(width * inner_);
    Buffer memory = context_.Allocate((6 * columns + kLanes) * sizeof(float));
    float* const min = memory.as<float>();
    float* const max = min + columns;
    uint32_t* const bits = reinterpret_cast<uint32_t*>(max + columns);
    uint32_t* const zeros = bits + columns;
    uint32_t* const leasts = zeros + columns;
    float* const scratch = max + 4 * columns;
    for (uint64_t o = begin; o < end; ++o) {
      const uint64_t index = (o * channels_ + first) * inner_;
      const float* row = reinterpret_cast<const float*>(source_.data) + index;
      if (!direct) {
        LoadElements(source_, index, columns, scratch);
        row = scratch;
      }
      if (o == begin) {
        std::memcpy(min, row, columns * sizeof(float));
        std::memcpy(max, row, columns * sizeof(float));
        std::memset(bits, 0, 2 * columns * sizeof(uint32_t));
        std::fill_n(leasts, columns, UINT32_MAX);
      }
      kernels.columns(row, columns, min, max, bits, zeros);
      if (least) kernels.columns_least(row, columns, leasts);
    }
    std::lock_guard<std::mutex> lock(mutex);
    for (uint64_t c = 0; c < width; ++c) {
      SegmentStats segment;
      for (uint64_t k = c * inner_; k < (c + 1) * inner_; ++k) {
        Summary column;
        column.min = min[k] == 0.0f ? 0.0f : min[k];
        column.max = max[k] == 0.0f ? 0.0f : max[k];
        column.zeros = zeros[k];
        column.abs_bits = bits[k];
        if (!column.finite()) finite = false;
        segment.Add(column, end - begin);
        segment.least = std::min(segment.least, leasts[k]);
      }
      seen[static_cast<size_t>(first + c)].Merge(segment);
    }
  };
  RunTasks(tasks, hook, run, [&] { return finite.load(); });
  // The rare case is the other way's.
  if (!finite) return SummarizeChunks(least, stats, nullptr);
  for (uint64_t c = 0; c < channels_; ++c) stats[c].Merge(seen[c]);
}

void Batch::SummarizeChunks(bool least, ChannelStats* stats,
                            const ObserveHook& hook) {
  const CalibrationKernels& kernels = GetCalibrationKernels();
  const bool moments = options_.keeps_moments();
  const bool skip = options_.non_finite() == NonFinitePolicy::kSkip;
  const uint64_t per_channel = outer_ * inner_;
  const uint64_t segments = DivCeil(per_channel, kSegment);
  const uint64_t groups = num_groups(), tasks = groups * segments;
  ScratchPool pool(*this, 0);
  std::mutex mutex;
  bool non_finite = false;
  const auto run = [&](uint64_t task) {
    const uint64_t group = task / segments;
    const uint64_t begin = task % segments * kSegment;
    const ScratchPool::Lease lease(&pool);
    Scratch* const scratch = lease.get();
    SegmentStats segment[kMaxGroup];
    const uint64_t first = group * group_;
    ForEachChunk(group, begin, std::min(per_channel, begin + kSegment), scratch,
                 [&](uint64_t channel, const float* x, size_t count) {
                   SegmentStats& s = segment[channel - first];
                   Summary summary;
                   kernels.summarize(x, count, moments, &summary);
                   if (!summary.finite()) {
                     float* finite = scratch->chunk.as<float>() + kTileStride;
                     const size_t n = Compact(x, count, finite);
                     s.non_finite += count - n;
                     if (n == 0) return;
                     kernels.summarize(finite, n, moments, &summary);
                     count = n;
                     x = finite;
                   }
                   s.Add(summary, count);
                   if (least)
                     s.least = std::min(s.least, kernels.least(x, count));
                 });
    const uint64_t width = std::min(group_, channels_ - first);
    std::lock_guard<std::mutex> lock(mutex);
    for (uint64_t c = 0; c < width; ++c) {
      stats[first + c].Merge(segment[c]);
      non_finite = non_finite || segment[c].non_finite != 0;
    }
  };
  RunTasks(tasks, hook, run, [&] {
    if (non_finite && !skip) {
      CheckFinite(array_, 0, elements());
      Fail(Status::kInternal, "the array was taken to be not finite");
    }
    return true;
  });
  skips_ = non_finite;
}

void Batch::PrepareTally(size_t counters) {
  pool_ = std::make_unique<ScratchPool>(*this, counters);
  counters_ = counters;
}

void Batch::Tally(const ChannelBins* bins, bool cancellable,
                  const ObserveHook& hook) {
  if (!cancellable) context_.tick = nullptr;
  const CalibrationKernels& kernels = GetCalibrationKernels();
  const uint64_t per_channel = outer_ * inner_;
  // A tiled group is one task: its channels have too many counters to hold
  // copies of them.
  const uint64_t segment = tiled_ ? per_channel : kSegment;
  const uint64_t segments = DivCeil(per_channel, segment);
  const uint64_t tasks = num_groups() * segments;
  std::mutex mutex;
  const auto run = [&](uint64_t task) {
    const uint64_t group = task / segments;
    const uint64_t begin = task % segments * segment;
    const uint64_t end = std::min(per_channel, begin + segment);
    const ScratchPool::Lease lease(pool_.get());
    Scratch* const scratch = lease.get();
    float* const finite = scratch->chunk.as<float>() + kTileStride;
    // Worth the sub-histograms, or shared with other tasks.
    const bool tally =
        !tiled_ && (segments > 1 || end - begin >= 4 * counters_);
    uint64_t current = group * group_;
    size_t pending = 0;
    const auto size = [&] {
      return static_cast<size_t>(bins[current].map.last) + 1;
    };
    const auto flush = [&] {
      kernels.flush(size(), counters_, scratch->subs.as<uint16_t>(),
                    scratch->counts.as<uint32_t>());
      pending = 0;
    };
    const auto add = [&] {
      flush();
      uint32_t* const from = scratch->counts.as<uint32_t>();
      uint64_t* const to = bins[current].counts;
      {
        std::lock_guard<std::mutex> lock(mutex);
        for (size_t k = 0; k < size(); ++k) to[k] += from[k];
      }
      std::memset(from, 0, size() * sizeof(uint32_t));
    };
    ForEachChunk(group, begin, end, scratch,
                 [&](uint64_t channel, const float* x, size_t count) {
                   if (skips_) {
                     count = Compact(x, count, finite);
                     x = finite;
                     if (count == 0) return;
                   }
                   const BinMap& map = bins[channel].map;
                   if (!tally) {
                     kernels.count(x, count, map, bins[channel].counts);
                     return;
                   }
                   if (channel != current) {
                     if (pending != 0) add();
                     current = channel;
                   }
                   if (pending + count > kMaxTally) flush();
                   kernels.tally(x, count, map, counters_,
                                 scratch->subs.as<uint16_t>());
                   pending += count;
                 });
    if (pending != 0) add();
  };
  RunTasks(tasks, hook, run, [] { return true; });
}

}  // namespace bnq
