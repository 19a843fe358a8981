#include "core/kernels/depthwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/depthwise.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "core/kernels/compat-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
HWY_INLINE int32_t SumOf(const DepthwiseArgs& a, const uint8_t* const* taps,
                         size_t channel) {
  int32_t sum = a.initial[channel];
  for (size_t t = 0; t < a.num_taps; ++t) {
    const int32_t x = static_cast<T>(taps[t][channel]);
    sum += x * a.weights[(t / 2 * a.channels + channel) * 2 + t % 2];
  }
  return sum;
}

#if HWY_TARGET != HWY_SCALAR
// The sums of as many channels as d has lanes.
template <class T, class D>
HWY_INLINE void SumsOf(D d, const DepthwiseArgs& a, const uint8_t* const* taps,
                       size_t channel, int32_t* to) {
  const hn::Repartition<int16_t, D> d16;
  const hn::Rebind<T, D> d8;
  auto sum = hn::LoadU(d, a.initial + channel);
  const int16_t* weights = a.weights + channel * 2;
  const auto load = [&](const uint8_t* from) HWY_ATTR {
    return hn::PromoteTo(
        d, hn::LoadU(d8, reinterpret_cast<const T*>(from + channel)));
  };
  for (size_t t = 0; t < a.num_taps; t += 2, weights += 2 * a.channels) {
    // Of a pair of weights the even and the odd halves of lanes.
    const auto even = hn::BitCast(d16, load(taps[t]));
    const auto odd = hn::BitCast(d16, hn::ShiftLeft<16>(load(taps[t + 1])));
    sum = hn::Add(sum,
                  MulPairs(d, hn::OddEven(odd, even), hn::LoadU(d16, weights)));
  }
  hn::StoreU(sum, d, to + channel);
}

// All channels, the last vector over ones that were there before.
template <class T, class D>
HWY_INLINE void AllSums(D d, const DepthwiseArgs& a, const uint8_t* const* taps,
                        int32_t* to) {
  const size_t N = hn::Lanes(d);
  size_t channel = 0;
  for (; channel + N <= a.channels; channel += N) {
    SumsOf<T>(d, a, taps, channel, to);
  }
  if (channel != a.channels) SumsOf<T>(d, a, taps, a.channels - N, to);
}
#endif

template <class T>
void Sums(const DepthwiseArgs& a) {
  for (size_t p = 0; p < a.pixels; ++p) {
    const uint8_t* const* const taps = a.taps + p * a.num_taps;
    int32_t* const to = a.sums + p * a.channels;
#if HWY_TARGET != HWY_SCALAR
    const hn::ScalableTag<int32_t> d;
    const hn::CappedTag<int32_t, 4> few;
    if (a.channels >= hn::Lanes(d)) {
      AllSums<T>(d, a, taps, to);
      continue;
    }
    if (a.channels >= hn::Lanes(few)) {
      AllSums<T>(few, a, taps, to);
      continue;
    }
#endif
    for (size_t c = 0; c < a.channels; ++c) to[c] = SumOf<T>(a, taps, c);
  }
}

}  // namespace

void DepthwiseOfTarget(const DepthwiseArgs& args) {
  if (args.is_unsigned) return Sums<uint8_t>(args);
  Sums<int8_t>(args);
}

}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bnq {

HWY_EXPORT(DepthwiseOfTarget);

void DepthwiseSums(const DepthwiseArgs& args) {
  HWY_DYNAMIC_DISPATCH(DepthwiseOfTarget)(args);
}

}  // namespace bnq
#endif  // HWY_ONCE
