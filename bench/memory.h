// What the machine's memory can do with the same bytes: the yardstick beside
// every figure.
#ifndef BNQ_BENCH_MEMORY_H_
#define BNQ_BENCH_MEMORY_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace bnq_bench {

// Reads every byte. Eight independent sums, so that neither the additions nor
// their latency are what is measured.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && \
    !defined(__clang__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
inline uint64_t
ReadAll(const void* data, size_t bytes) {
  typedef uint64_t Lanes __attribute__((vector_size(64)));
  const char* p = static_cast<const char*>(data);
  Lanes sums[4] = {};
  for (size_t i = 0; i + 256 <= bytes; i += 256) {
    for (size_t k = 0; k < 4; ++k) {
      Lanes v;
      std::memcpy(&v, p + i + 64 * k, sizeof v);
      sums[k] ^= v;
    }
  }
  const Lanes all = sums[0] ^ sums[1] ^ sums[2] ^ sums[3];
  uint64_t result = 0;
  for (int l = 0; l < 8; ++l) result ^= all[l];
  return result;
}

// The same, asking for what comes 4 KiB later.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && \
    !defined(__clang__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
inline uint64_t
ReadAhead(const void* data, size_t bytes) {
  typedef uint64_t Lanes __attribute__((vector_size(64)));
  const char* p = static_cast<const char*>(data);
  Lanes sums[4] = {};
  for (size_t i = 0; i + 256 <= bytes; i += 256) {
    for (size_t k = 0; k < 4; ++k) {
      Lanes v;
#if defined(__GNUC__)
      __builtin_prefetch(p + i + 64 * k + 4096);
#endif
      std::memcpy(&v, p + i + 64 * k, sizeof v);
      sums[k] ^= v;
    }
  }
  const Lanes all = sums[0] ^ sums[1] ^ sums[2] ^ sums[3];
  uint64_t result = 0;
  for (int l = 0; l < 8; ++l) result ^= all[l];
  return result;
}

inline double Now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace bnq_bench

#endif  // BNQ_BENCH_MEMORY_H_
