#include "core/kernels/depthwise.h"

// Nothing here gains from what AVX3_DL adds (core/flags.txt).
#undef BNQ_LEFT_OUT
#define BNQ_LEFT_OUT HWY_AVX3_DL
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

void SumOfOne(const DepthwiseArgs& a, size_t pixel, size_t channel) {
  int32_t sum = a.initial[channel];
  for (size_t t = 0; t < a.num_taps; ++t) {
    const int32_t x = a.taps[t][pixel * a.step + channel];
    sum += x * a.weights[(t / 2 * a.channels + channel) * 2 + t % 2];
  }
  a.sums[pixel * a.channels + channel] = sum;
}

#if HWY_TARGET != HWY_SCALAR
// The sums of kP pixels and as many channels as d has lanes.
template <int kP, class D>
HWY_INLINE void SumsOf(D d, const DepthwiseArgs& a, size_t pixel,
                       size_t channel) {
  const hn::Repartition<int16_t, D> d16;
  const hn::Rebind<int8_t, D> d8;
  const size_t at = pixel * a.step + channel;
  hn::Vec<D> sums[kP];
  for (size_t p = 0; p < kP; ++p) sums[p] = hn::LoadU(d, a.initial + channel);
  const int16_t* weights = a.weights + channel * 2;
  for (size_t t = 0; t < a.num_taps; t += 2, weights += 2 * a.channels) {
    const int8_t* const even = a.taps[t] + at;
    const int8_t* const odd = a.taps[t + 1] + at;
    const auto w = hn::LoadU(d16, weights);
    for (size_t p = 0; p < kP; ++p) {
      // A pair of weights has the even and the odd halves of lanes.
      const auto low = hn::PromoteTo(d, hn::LoadU(d8, even + p * a.step));
      const auto high = hn::PromoteTo(d, hn::LoadU(d8, odd + p * a.step));
      const auto both = hn::OddEven(hn::BitCast(d16, hn::ShiftLeft<16>(high)),
                                    hn::BitCast(d16, low));
      sums[p] = hn::Add(sums[p], MulPairs(d, both, w));
    }
  }
  for (size_t p = 0; p < kP; ++p) {
    hn::StoreU(sums[p], d, a.sums + (pixel + p) * a.channels + channel);
  }
}

// All channels, the last vector over ones that were there before.
template <int kP, class D>
HWY_INLINE void AllSums(D d, const DepthwiseArgs& a, size_t pixel) {
  const size_t N = hn::Lanes(d);
  size_t channel = 0;
  for (; channel + N <= a.channels; channel += N) {
    SumsOf<kP>(d, a, pixel, channel);
  }
  if (channel != a.channels) SumsOf<kP>(d, a, pixel, a.channels - N);
}
#endif

void Sums(const DepthwiseArgs a) {
  size_t p = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<int32_t> d;
  const hn::CappedTag<int32_t, 4> few;
  if (a.channels >= hn::Lanes(d)) {
    for (; p + 4 <= a.pixels; p += 4) AllSums<4>(d, a, p);
    for (; p < a.pixels; ++p) AllSums<1>(d, a, p);
  } else if (a.channels >= hn::Lanes(few)) {
    for (; p < a.pixels; ++p) AllSums<1>(few, a, p);
  }
#endif
  for (; p < a.pixels; ++p) {
    for (size_t c = 0; c < a.channels; ++c) SumOfOne(a, p, c);
  }
}

}  // namespace

void DepthwiseOfTarget(const DepthwiseArgs& args) { Sums(args); }

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
