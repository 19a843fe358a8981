// The elements of a tensor that share parameters.
#ifndef BNQ_CORE_TENSOR_SEGMENT_H_
#define BNQ_CORE_TENSOR_SEGMENT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/checked.h"
#include "core/base/context.h"
#include "core/kernels/elements.h"
#include "core/scheme/layout.h"
#include "core/tensor/chunks.h"

namespace bnq {

// Borrows the source.
class Segment {
 public:
  Segment(const SourceView& source, const Layout& layout, uint64_t param);
  uint64_t count() const { return elements_.count(); }
  // Elements [begin, begin + n) in order, n + kLanes floats of room.
  void Read(uint64_t begin, size_t n, float* out) const;

 private:
  const SourceView& source_;
  const Layout::Spread elements_;
};

// Calls f(values, count) for the segment's chunks, and merges what it returns
// in their order. `values`: the segment's in memory, or nullptr, which shares
// the chunks out among the context's threads.
template <class T, class F>
T OverChunks(const Context& context, const Segment& segment,
             const float* values, F f) {
  const uint64_t n = segment.count();
  if (values != nullptr && n <= kChunk) {
    return f(values, static_cast<size_t>(n));
  }
  T total;
  if (values != nullptr) {
    for (uint64_t at = 0; at < n; at += kChunk) {
      total.Merge(f(values + at,
                    static_cast<size_t>(std::min<uint64_t>(n - at, kChunk))));
    }
    return total;
  }
  // Chunks whose results are held at a time.
  constexpr uint64_t kWaveChunks = 1024;
  for (uint64_t wave = 0; wave < n; wave += kWaveChunks * kChunk) {
    const uint64_t wave_end = std::min(n, wave + kWaveChunks * kChunk);
    std::vector<T> parts(DivCeil(wave_end - wave, kChunk));
    ForEachChunk(context, wave, wave_end,
                 [&](uint64_t chunk, uint64_t at, size_t count) {
                   float scratch[kChunk + kLanes];
                   segment.Read(at, count, scratch);
                   parts[chunk] = f(scratch, count);
                 });
    for (const T& part : parts) total.Merge(part);
  }
  return total;
}

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_SEGMENT_H_
