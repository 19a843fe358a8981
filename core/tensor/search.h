// Scale rules that look at all of a segment's values: percentiles, and the
// search for the parameters of the least squared error.
#ifndef BNQ_CORE_TENSOR_SEARCH_H_
#define BNQ_CORE_TENSOR_SEARCH_H_

#include <algorithm>
#include <functional>
#include <vector>

#include "core/base/context.h"
#include "core/scheme/config.h"
#include "core/scheme/format.h"
#include "core/tensor/chunks.h"
#include "core/tensor/quantizer.h"
#include "core/tensor/segment.h"

namespace bnq {

// Whether the config's own rule searches for parameters by squared errors.
bool MindsImportance(const Config& config);

// A caller's importance as searches take it: times a power of two, so that the
// greatest is about 1. INVALID_ARGUMENT, naming the index, where a weight is
// negative or not finite, where all are 0, where their number is not that of
// the last dimension, and where the config's scale rule has no use for them,
// which `by_method` has.
std::vector<float> CheckedImportance(const Config& config, const Shape& shape,
                                     const float* weights, uint64_t count,
                                     bool by_method = false);

struct SearchTask {
  const Format& format;
  const Config& config;
  const CodeRule& rule;  // of both, with the codebook of the tensor
  const Segment& segment;
  // Its elements in memory, with kLanes more to read, or nullptr to read them
  // chunk by chunk on the context's threads, as often as it takes.
  const float* values = nullptr;
  Importance importance;  // of kMse
};

// The parameters of a segment under the config's scale rule, kPercentile or
// kMse. False where a value is not finite.
//
// kMse takes the parameters of the least squared error among
//   1. those of the range that absmax gives, w, and of the default rule's;
//   2. those of w times 0.8, 0.804, .. 1.2, and of w times 0.8 * 0.768^k,
//      k = 1..10, for values of which few are great;
//   3. those of ranges around the best of these (search.cc says which), for
//      asymmetric schemes also with each end moved by itself;
//   4. from the best, up to eight times, the least-squares scale of its codes
//      (Lloyd's algorithm).
// An earlier candidate wins a tie. Errors are sums of float32 in a fixed order
// (kernels/traversal.h), so two candidates nearer than some 1e-6 of their
// errors count as equal. With importance errors are weighted throughout.
bool FindSegmentParams(const Context& context, const SearchTask& task,
                       Params* params);

// Calls work(p, task of segment p, context) for all segments of a quantizer's
// array: large ones one after another, on the context's threads, which
// `context` then is; others shared out, each on one thread with its values in
// memory.
using SegmentWork = std::function<void(uint64_t p, const SearchTask& task,
                                       const Context& context)>;
void ForEachSegment(const Quantizer& quantizer, const SegmentWork& work);

// The power of two that brings values of this size, and so errors, to about 1:
// with it squares neither overflow nor vanish, and nothing else is rounded.
float UnitOf(float greatest);

// Candidates whose errors are found in one pass, at most; whole vectors of the
// widest target.
constexpr size_t kMaxCandidates = 112;
struct CandidateErrors {
  // Sums of as many candidates; nothing is spent on those that there are not.
  size_t count = 0;
  double v[kMaxCandidates];
  void Merge(const CandidateErrors& next) {
    for (size_t i = 0; i < next.count; ++i) {
      v[i] = i < count ? v[i] + next.v[i] : next.v[i];
    }
    count = next.count;
  }
};
// The squared errors, times unit^2, of a segment under `count` scales and
// shifts (offsets times the unit, or zero points), of which there are as many
// as whole registers of kLanes candidates take.
CandidateErrors ErrorsOf(const Context& context, const SearchTask& task,
                         const float* candidates, const float* shifts,
                         size_t count, float unit);

// Calls f(values, weights, count) for the segment's chunks, `weights` nullptr
// where there are none, and merges what it returns in their order.
template <class T, class F>
T OverChunks(const Context& context, const SearchTask& task, const F& f) {
  // Chunks whose results are held at a time.
  constexpr uint64_t kWaveChunks = 1024;
  const auto part = [&](const float* x, uint64_t at, size_t n) {
    if (task.importance.weights == nullptr) return f(x, nullptr, n);
    float weights[kChunk];
    task.segment.Weights(task.importance, at, n, weights);
    return f(x, weights, n);
  };
  const uint64_t n = task.segment.count();
  T total;
  if (task.values != nullptr) {
    if (n <= kChunk) return part(task.values, 0, static_cast<size_t>(n));
    for (uint64_t at = 0; at < n; at += kChunk) {
      total.Merge(
          part(task.values + at, at,
               static_cast<size_t>(std::min<uint64_t>(n - at, kChunk))));
    }
    return total;
  }
  for (uint64_t wave = 0; wave < n; wave += kWaveChunks * kChunk) {
    const uint64_t wave_end = std::min(n, wave + kWaveChunks * kChunk);
    std::vector<T> parts(DivCeil(wave_end - wave, kChunk));
    ForEachChunk(context, wave, wave_end,
                 [&](uint64_t chunk, uint64_t at, size_t count) {
                   float scratch[kChunk + kLanes];
                   task.segment.Read(at, count, scratch);
                   parts[chunk] = part(scratch, at, count);
                 });
    for (const T& each : parts) total.Merge(each);
  }
  return total;
}

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_SEARCH_H_
