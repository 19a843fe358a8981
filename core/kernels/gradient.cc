#include "core/kernels/gradient.h"

// Nothing here gains from what AVX3_DL adds (core/flags.txt).
#undef BNQ_LEFT_OUT
#define BNQ_LEFT_OUT HWY_AVX3_DL
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/gradient.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "core/kernels/reduce-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {

using Sums = LaneSumsOf<float>;
using DF = Sums::DT;
using VF = hn::Vec<DF>;

// Values [0, count) of a segment, at most kGradientBlock of them.
template <bool kSums>
HWY_INLINE void GradientOfBlock(const GradientSegment& segment, float outside,
                                const float* xs, const float* ys,
                                const float* dys, size_t count, float* dxs,
                                GradientSums* total) {
  const DF d;
  const VF offset = hn::Set(d, segment.offset);
  const VF inverse = hn::Set(d, segment.inverse);
  const VF lo = hn::Set(d, segment.lo), hi = hn::Set(d, segment.hi);
  const VF factor = hn::Set(d, outside);
  // 0 times infinity would be NaN.
  const auto passes = hn::Ne(factor, hn::Zero(d));
  Sums inside, below, above;
  auto any = hn::Ne(lo, lo);  // none
  const auto step = [&](const float* x_at, const float* y_at,
                        const float* dy_at, float* out) HWY_ATTR {
    for (size_t k = 0; k < Sums::kCount; ++k) {
      const size_t at = k * Sums::kPerRegister;
      const VF x = hn::LoadU(d, x_at + at), dy = hn::LoadU(d, dy_at + at);
      const VF v = hn::Mul(hn::Sub(x, offset), inverse);
      const auto is_below = hn::Lt(v, lo), is_above = hn::Gt(v, hi);
      const auto clipped = hn::Or(is_below, is_above);
      if constexpr (kSums) {
        const VF term = hn::Mul(dy, hn::Sub(hn::LoadU(d, y_at + at), x));
        inside.Add(k, hn::IfThenZeroElse(clipped, term));
        below.Add(k, hn::IfThenElseZero(is_below, dy));
        above.Add(k, hn::IfThenElseZero(is_above, dy));
        any = hn::Or(any, clipped);
      }
      const VF part = hn::IfThenElseZero(passes, hn::Mul(factor, dy));
      hn::StoreU(hn::IfThenElse(clipped, part, dy), d, out + at);
    }
  };
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    step(xs + i, kSums ? ys + i : nullptr, dys + i, dxs + i);
  }
  if (i < count) {
    HWY_ALIGN float x[kLanes] = {}, y[kLanes] = {}, dy[kLanes] = {};
    const size_t rest = (count - i) * sizeof(float);
    memcpy(x, xs + i, rest);
    if (kSums) memcpy(y, ys + i, rest);
    memcpy(dy, dys + i, rest);
    step(x, y, dy, dy);
    memcpy(dxs + i, dy, rest);
  }
  if constexpr (kSums) {
    total->inside += static_cast<double>(inside.Total());
    // Sums of nothing but zeros are 0.
    if (hn::AllFalse(d, any)) return;
    total->below += static_cast<double>(below.Total());
    total->above += static_cast<double>(above.Total());
    total->clipped = true;
  }
}

template <bool kSums>
void GradientOfSegments(const GradientArgs& args) {
  for (size_t s = 0; s < args.num_segments; ++s) {
    GradientSums total;
    for (size_t begin = 0; begin < args.count; begin += kGradientBlock) {
      const size_t at = s * args.count + begin;
      GradientOfBlock<kSums>(args.segments[s], args.outside, args.x + at,
                             kSums ? args.y + at : nullptr, args.dy + at,
                             HWY_MIN(args.count - begin, kGradientBlock),
                             args.dx + at, &total);
    }
    if constexpr (kSums) args.sums[s] = total;
  }
}

}  // namespace

void GradientOfTarget(const GradientArgs& args) {
  if (args.sums != nullptr) {
    GradientOfSegments<true>(args);
  } else {
    GradientOfSegments<false>(args);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bnq {

HWY_EXPORT(GradientOfTarget);

void Gradient(const GradientArgs& args) {
  HWY_DYNAMIC_DISPATCH(GradientOfTarget)(args);
}

}  // namespace bnq
#endif  // HWY_ONCE
