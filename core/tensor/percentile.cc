#include "core/tensor/percentile.h"

#include <algorithm>
#include <vector>

#include "core/base/half.h"
#include "core/base/portable_math.h"
#include "core/kernels/chunk.h"

namespace bnq {
namespace {

// Orders floats as unsigned integers: of |x|, or of x.
uint32_t KeyOf(float x, bool magnitude) {
  const uint32_t bits = BitsOfF32(x);
  if (magnitude) return bits & 0x7FFFFFFFu;
  return bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
}

float OfKey(uint32_t key, bool magnitude) {
  if (magnitude) return F32OfBits(key);
  return F32OfBits(key >> 31 != 0 ? key & 0x7FFFFFFFu : ~key);
}

// The k-th greatest of the n keys, or with flip = ~0 the k-th least; 1 <= k <=
// kFew. Percentiles are mostly near an end of a segment, where few keys need to
// be kept.
constexpr uint64_t kFew = 16;
uint32_t KthGreatest(const float* values, uint64_t n, uint64_t k,
                     bool magnitude, uint32_t flip) {
  uint32_t greatest[kFew] = {};  // ascending
  for (uint64_t i = 0; i < n; ++i) {
    const uint32_t key = KeyOf(values[i], magnitude) ^ flip;
    if (key <= greatest[0]) continue;
    uint64_t at = 1;
    for (; at < k && greatest[at] < key; ++at) greatest[at - 1] = greatest[at];
    greatest[at - 1] = key;
  }
  return greatest[0] ^ flip;
}

// The value of rank `rank`, 0 the least.
float ValueOfRank(const Context& context, const Segment& segment,
                  const float* values, uint64_t rank, bool magnitude) {
  if (values != nullptr) {
    const uint64_t n = segment.count();
    if (n - rank <= kFew) {
      return OfKey(KthGreatest(values, n, n - rank, magnitude, 0), magnitude);
    }
    if (rank < kFew) {
      return OfKey(KthGreatest(values, n, rank + 1, magnitude, ~0u), magnitude);
    }
    std::vector<uint32_t> keys(n);
    for (size_t i = 0; i < keys.size(); ++i) {
      keys[i] = KeyOf(values[i], magnitude);
    }
    const auto nth = keys.begin() + static_cast<int64_t>(rank);
    std::nth_element(keys.begin(), nth, keys.end());
    return OfKey(*nth, magnitude);
  }
  // By the upper halves of the keys, then by the lower ones of those that have
  // the upper half found.
  uint32_t upper = 0;
  for (int pass = 0; pass < 2; ++pass) {
    std::vector<uint64_t> bins(65536);
    const uint64_t n = segment.count();
    std::vector<float> scratch(kChunk + kLanes);
    for (uint64_t at = 0; at < n; at += kChunk) {
      const size_t count =
          static_cast<size_t>(std::min<uint64_t>(n - at, kChunk));
      segment.Read(at, count, scratch.data());
      context.Tick();
      for (size_t i = 0; i < count; ++i) {
        const uint32_t key = KeyOf(scratch[i], magnitude);
        if (pass == 0) {
          ++bins[key >> 16];
        } else if (key >> 16 == upper) {
          ++bins[key & 0xFFFF];
        }
      }
    }
    uint32_t bin = 0;
    while (rank >= bins[bin]) rank -= bins[bin++];
    if (pass == 1) return OfKey(upper << 16 | bin, magnitude);
    upper = bin;
  }
  return 0.0f;
}

}  // namespace

Range PercentileRange(const Context& context, const Config& config,
                      const Segment& segment, const float* values) {
  const uint64_t n = segment.count();
  const double p = config.percentile();
  if (config.scheme() != Scheme::kSymmetric) {
    const uint64_t tail = std::min((n - PercentOf(p, n)) / 2, n - 1);
    return {ValueOfRank(context, segment, values, tail, false),
            ValueOfRank(context, segment, values, n - 1 - tail, false)};
  }
  const uint64_t rank = std::max<uint64_t>(PercentOf(p, n), 1);
  const float m = ValueOfRank(context, segment, values, rank - 1, true);
  return {-m, m};
}

}  // namespace bnq
