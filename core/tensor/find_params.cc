#include "core/tensor/find_params.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/checked.h"
#include "core/kernels/elements.h"
#include "core/kernels/reduce.h"
#include "core/parallel/runner.h"
#include "core/scheme/rules.h"
#include "core/tensor/chunks.h"
#include "core/tensor/search.h"

namespace bnq {
namespace {

// Rows of a chunk's width or less between two ticks.
constexpr uint64_t kTickRows = 1024;
// Chunks whose partial sums are held at a time.
constexpr uint64_t kWaveChunks = 1024;

// One way for each kind of layout and rule.
class ParamFinder {
 public:
  ParamFinder(const Quantizer& quantizer, ParamSpan params,
              const PassHook& hook)
      : quantizer_(quantizer),
        context_(quantizer.context()),
        config_(quantizer.config()),
        format_(quantizer.format()),
        source_(quantizer.source()),
        layout_(quantizer.layout()),
        elements_(quantizer.elements()),
        params_(params),
        hook_(hook) {}

  void SearchSegments();
  void ReduceSegments();
  void ReduceRuns();
  void ReduceChannels();

 private:
  float FirstExtreme(uint64_t param, float magnitude) const;
  void SetParams(uint64_t index, const Partial& partial, uint64_t count) const {
    const Variant variant = config_.variant();
    const Range range = partial.ToRange(StatisticOf(format_, variant), count);
    params_.Set(index, ParamsOf(format_, variant, range));
  }

  const Quantizer& quantizer_;
  const Context& context_;
  const Config& config_;
  const Format& format_;
  const SourceView& source_;
  const Layout& layout_;
  const uint64_t elements_;
  const ParamSpan params_;
  const PassHook& hook_;
};

void ParamFinder::SearchSegments() {
  ForEachSegment(quantizer_, [&](uint64_t p, const SearchTask& task,
                                 const Context& context) {
    Params params;
    if (!FindSegmentParams(context, task, &params)) {
      quantizer_.FailNotFinite(0, elements_);
    }
    params_.Set(p, params);
  });
  if (hook_) hook_(0, elements_);
}

// Tiles: run by run, as if these lay together.
void ParamFinder::ReduceSegments() {
  const Statistic statistic = StatisticOf(format_, config_.variant());
  ForEachSegment(quantizer_, [&](uint64_t p, const SearchTask& task,
                                 const Context& context) {
    const Partial total = OverChunks<Partial>(
        context, task, [&](const float* x, const float*, size_t n) {
          return Reduce(x, n, n, statistic);
        });
    if (!total.finite()) quantizer_.FailNotFinite(0, elements_);
    SetParams(p, total, task.segment.count());
  });
  if (hook_) hook_(0, elements_);
}

// The first value of a channel of this magnitude.
float ParamFinder::FirstExtreme(uint64_t param, float magnitude) const {
  const Segment segment(source_, layout_, param);
  std::vector<float> values(kChunk + kLanes);
  for (uint64_t at = 0; at < segment.count(); at += kChunk) {
    const size_t n =
        static_cast<size_t>(std::min<uint64_t>(segment.count() - at, kChunk));
    segment.Read(at, n, values.data());
    for (size_t i = 0; i < n; ++i) {
      if (std::fabs(values[i]) == magnitude) return values[i];
    }
  }
  return magnitude;
}

// Long runs, one after another: each is cut into chunks for the threads, whose
// partial results are merged in order.
void ParamFinder::ReduceRuns() {
  const Statistic statistic = StatisticOf(format_, config_.variant());
  const bool direct = source_.direct();
  const float* floats = reinterpret_cast<const float*>(source_.data);
  std::vector<Partial> partials(kWaveChunks);
  for (uint64_t p = 0; p < layout_.num_params; ++p) {
    const Layout::Spread run = layout_.ElementsOf(p);
    const uint64_t begin = run.first, end = begin + run.length;
    Partial total;
    for (uint64_t wave = begin; wave < end; wave += kWaveChunks * kChunk) {
      const uint64_t wave_end = std::min(end, wave + kWaveChunks * kChunk);
      ForEachChunk(context_, wave, wave_end,
                   [&](uint64_t chunk, uint64_t at, size_t count) {
                     float scratch[kChunk + kLanes];
                     const float* x = floats + at;
                     if (!direct) {
                       LoadElements(source_, at, count, scratch);
                       x = scratch;
                     }
                     partials[chunk] = Reduce(x, count, count, statistic);
                   });
      const uint64_t chunks = DivCeil(wave_end - wave, kChunk);
      for (uint64_t c = 0; c < chunks; ++c) total.Merge(partials[c]);
      if (!total.finite()) quantizer_.FailNotFinite(wave, wave_end);
      if (hook_) hook_(wave, wave_end);
    }
    SetParams(p, total, end - begin);
  }
}

// Channels whose elements are spread: each task takes a few of them, adds up
// their columns over the outer dimensions, then each channel's columns in
// chunks.
void ParamFinder::ReduceChannels() {
  const uint64_t channels = layout_.channels, inner = layout_.inner;
  const uint64_t per_task = std::max<uint64_t>(1, kChunk / inner);
  const Statistic statistic = StatisticOf(format_, config_.variant());
  const bool extent = statistic == Statistic::kExtent;
  const bool direct = source_.direct();
  const float* floats = reinterpret_cast<const float*>(source_.data);
  ParallelFor(context_, DivCeil(channels, per_task), [&](uint64_t task) {
    const uint64_t first = task * per_task;
    const uint64_t last = std::min(channels, first + per_task);
    Buffer sums = context_.Allocate(kChunk * sizeof(double));
    Buffer mins = context_.Allocate(kChunk * sizeof(float));
    Buffer maxs = context_.Allocate(kChunk * sizeof(float));
    Buffer bits = context_.Allocate(kChunk * sizeof(uint32_t));
    float scratch[kChunk + kLanes];
    std::vector<Partial> totals(last - first);
    const uint64_t columns = (last - first) * inner;
    for (uint64_t begin = 0; begin < columns; begin += kChunk) {
      const size_t width =
          static_cast<size_t>(std::min<uint64_t>(columns - begin, kChunk));
      std::fill_n(sums.as<double>(), width, 0.0);
      std::fill_n(mins.as<float>(), width, extent ? HUGE_VALF : 0.0f);
      std::fill_n(maxs.as<float>(), width, extent ? -HUGE_VALF : 0.0f);
      std::fill_n(bits.as<uint32_t>(), width, 0u);
      for (uint64_t o = 0; o < layout_.outer; ++o) {
        const uint64_t at = o * channels * inner + first * inner + begin;
        const float* x = floats + at;
        if (!direct) {
          LoadElements(source_, at, width, scratch);
          x = scratch;
        }
        if (o % kTickRows == 0) context_.Tick();
        AccumulateColumns(x, width, sums.as<double>(), mins.as<float>(),
                          maxs.as<float>(), bits.as<uint32_t>());
      }
      // Whole channels, or a chunk of a single one.
      const size_t part = static_cast<size_t>(std::min<uint64_t>(inner, width));
      for (size_t c = 0; c * part < width; ++c) {
        const size_t from = c * part;
        Partial partial;
        partial.abs_sum =
            SumLanes(sums.as<double>() + from, std::min(part, width - from));
        for (size_t i = from; i < std::min(from + part, width); ++i) {
          partial.min = std::min(partial.min, mins.as<float>()[i]);
          partial.max = std::max(partial.max, maxs.as<float>()[i]);
          partial.least = std::min(partial.least, mins.as<float>()[i]);
          partial.most = std::max(partial.most, maxs.as<float>()[i]);
          partial.abs_bits = std::max(partial.abs_bits, bits.as<uint32_t>()[i]);
        }
        totals[begin / inner + c].Merge(partial);
      }
    }
    for (uint64_t c = first; c < last; ++c) {
      Partial& total = totals[c - first];
      if (!total.finite()) quantizer_.FailNotFinite(0, elements_);
      total.extreme = total.max > -total.min   ? total.max
                      : total.max < -total.min ? total.min
                      : statistic == Statistic::kExtreme
                          ? FirstExtreme(c, total.max)
                          : 0.0f;
      SetParams(c, totals[c - first], layout_.outer * inner);
    }
  });
  if (hook_) hook_(0, elements_);
}

}  // namespace

void FindParams(Quantizer* quantizer, ParamSpan params, const PassHook& hook) {
  const uint64_t count = quantizer->layout().num_params;
  if (quantizer->elements() == 0) {
    for (uint64_t p = 0; p < count; ++p) params.Set(p, Params());
    return;
  }
  if (!quantizer->format().Has(kScaled)) return;
  if (quantizer->one_pass()) {
    quantizer->FindInBlocks(params);
    if (hook) hook(0, quantizer->elements());
    return;
  }
  ParamFinder finder(*quantizer, params, hook);
  if (quantizer->searches()) {
    finder.SearchSegments();
  } else if (quantizer->layout().contiguous) {
    finder.ReduceRuns();
  } else if (quantizer->layout().matrix_rows != 0) {
    finder.ReduceSegments();
  } else {
    finder.ReduceChannels();
  }
}

}  // namespace bnq
