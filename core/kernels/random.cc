#include "core/kernels/random.h"

#include <string.h>

// Nothing here gains from what AVX3_DL adds (core/flags.txt).
#undef BNQ_LEFT_OUT
#define BNQ_LEFT_OUT HWY_AVX3_DL
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/random.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// The high and low halves of the products of u32 lanes with m.
#if HWY_TARGET == HWY_SCALAR
template <class D>
HWY_INLINE void MulHighLow(D d, hn::Vec<D> a, uint32_t m, hn::Vec<D>* high,
                           hn::Vec<D>* low) {
  const uint64_t product = uint64_t{hn::GetLane(a)} * m;
  *high = hn::Set(d, static_cast<uint32_t>(product >> 32));
  *low = hn::Set(d, static_cast<uint32_t>(product));
}
#else
template <class D>
HWY_INLINE void MulHighLow(D d, hn::Vec<D> a, uint32_t m, hn::Vec<D>* high,
                           hn::Vec<D>* low) {
  const hn::RepartitionToWide<D> d64;
  const auto factor = hn::Set(d, m);
  const auto even = hn::MulEven(a, factor);
  const auto odd = hn::MulEven(
      hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(d64, a))), factor);
  *high = hn::OddEven(hn::BitCast(d, odd),
                      hn::BitCast(d, hn::ShiftRight<32>(even)));
  *low =
      hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(odd)), hn::BitCast(d, even));
}
#endif

// A lane is a counter.
void Random(uint64_t seed, uint64_t begin, size_t count, uint32_t* out) {
  const hn::ScalableTag<uint32_t> d;
  using V = hn::Vec<decltype(d)>;
  const size_t lanes = hn::Lanes(d);
  HWY_ALIGN uint32_t words[4 * hn::MaxLanes(d)];
  HWY_ALIGN uint32_t low[hn::MaxLanes(d)], high[hn::MaxLanes(d)];
  for (size_t i = 0; i < count;) {
    const uint64_t first = (begin + i) / 4;
    const size_t skip = static_cast<size_t>((begin + i) % 4);
    for (size_t k = 0; k < lanes; ++k) {
      low[k] = static_cast<uint32_t>(first + k);
      high[k] = static_cast<uint32_t>((first + k) >> 32);
    }
    V c0 = hn::Load(d, low), c1 = hn::Load(d, high);
    V c2 = hn::Zero(d), c3 = hn::Zero(d);
    uint32_t key0 = static_cast<uint32_t>(seed);
    uint32_t key1 = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
      V high0, low0, high1, low1;
      MulHighLow(d, c0, 0xD2511F53u, &high0, &low0);
      MulHighLow(d, c2, 0xCD9E8D57u, &high1, &low1);
      c0 = hn::Xor(hn::Xor(high1, c1), hn::Set(d, key0));
      c1 = low1;
      c2 = hn::Xor(hn::Xor(high0, c3), hn::Set(d, key1));
      c3 = low0;
      key0 += 0x9E3779B9u;
      key1 += 0xBB67AE85u;
    }
    hn::StoreInterleaved4(c0, c1, c2, c3, d, words);
    size_t n = 4 * lanes - skip;
    if (count - i < n) n = count - i;
    memcpy(out + i, words + skip, n * sizeof(uint32_t));
    i += n;
  }
}

}  // namespace

void RandomWordsOfTarget(uint64_t seed, uint64_t begin, size_t count,
                         uint32_t* out) {
  Random(seed, begin, count, out);
}

}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bnq {

HWY_EXPORT(RandomWordsOfTarget);

void RandomWords(uint64_t seed, uint64_t begin, size_t count, uint32_t* out) {
  HWY_DYNAMIC_DISPATCH(RandomWordsOfTarget)(seed, begin, count, out);
}

}  // namespace bnq
#endif  // HWY_ONCE
