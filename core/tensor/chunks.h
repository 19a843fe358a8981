// Elements in the chunks that sums are made of (kernels/chunk.h), cut for
// threads.
#ifndef BNQ_CORE_TENSOR_CHUNKS_H_
#define BNQ_CORE_TENSOR_CHUNKS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/base/checked.h"
#include "core/base/context.h"
#include "core/kernels/chunk.h"
#include "core/parallel/runner.h"

namespace bnq {

// Calls f(chunk, at, count) for the chunks of elements [begin, end), which are
// counted from 0, on the context's threads.
template <class F>
void ForEachChunk(const Context& context, uint64_t begin, uint64_t end,
                  const F& f) {
  constexpr uint64_t kTaskChunks = 16;
  const uint64_t chunks = DivCeil(end - begin, kChunk);
  ParallelFor(context, DivCeil(chunks, kTaskChunks), [&](uint64_t task) {
    const uint64_t last = std::min(chunks, (task + 1) * kTaskChunks);
    for (uint64_t chunk = task * kTaskChunks; chunk < last; ++chunk) {
      const uint64_t at = begin + chunk * kChunk;
      f(chunk, at, static_cast<size_t>(std::min<uint64_t>(end - at, kChunk)));
    }
  });
}

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_CHUNKS_H_
