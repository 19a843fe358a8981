// The chunks that sums are taken in, and their lanes.
#ifndef BNQ_CORE_KERNELS_CHUNK_H_
#define BNQ_CORE_KERNELS_CHUNK_H_

#include <cstddef>

namespace bnq {

// Elements of a chunk: sums are taken within chunks in a fixed order of lanes,
// then over the chunks in order, so that neither the vector length nor the
// number of threads changes them.
constexpr size_t kChunk = 4096;
// Lanes of a chunk's sum: element i belongs to lane i % 16; lanes l and l + 8
// are added first, then l and l + 4, and so on.
constexpr size_t kLanes = 16;

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_CHUNK_H_
