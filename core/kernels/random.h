// Random words for stochastic rounding, by the best target of this CPU.
#ifndef BNQ_CORE_KERNELS_RANDOM_H_
#define BNQ_CORE_KERNELS_RANDOM_H_

#include <cstddef>
#include <cstdint>

namespace bnq {

// Words begin to begin + count - 1 of the seed's stream of Philox4x32-10
// (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011). Words 4b to 4b + 3 of the stream are those of counter b.
void RandomWords(uint64_t seed, uint64_t begin, size_t count, uint32_t* out);

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_RANDOM_H_
