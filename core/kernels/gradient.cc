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

}  // namespace

GradientSums GradientOfTarget(const GradientArgs& args) {
  const DF d;
  const VF offset = hn::Set(d, args.offset), inverse = hn::Set(d, args.inverse);
  const VF lo = hn::Set(d, args.lo), hi = hn::Set(d, args.hi);
  const VF outside = hn::Set(d, args.outside);
  // 0 times infinity would be NaN.
  const auto passes = hn::Ne(outside, hn::Zero(d));
  HWY_ALIGN float last_x[kLanes] = {}, last_y[kLanes] = {};
  HWY_ALIGN float last_dy[kLanes] = {};
  GradientSums total;
  for (size_t begin = 0; begin < args.count; begin += kGradientBlock) {
    const size_t end = HWY_MIN(args.count, begin + kGradientBlock);
    Sums inside, below, above;
    for (size_t i = begin; i < end;) {
      // Whole steps where they are, the last one in a copy.
      const float *xs = args.x + i, *ys = args.y + i, *dys = args.dy + i;
      float* out = args.dx + i;
      size_t n = (end - i) / kLanes * kLanes;
      const size_t rest = n == 0 ? (end - i) * sizeof(float) : 0;
      if (rest != 0) {
        memcpy(last_x, xs, rest);
        memcpy(last_y, ys, rest);
        memcpy(last_dy, dys, rest);
        xs = last_x;
        ys = last_y;
        dys = out = last_dy;
        n = kLanes;
      }
      for (size_t j = 0; j < n; j += kLanes) {
        for (size_t k = 0; k < Sums::kCount; ++k) {
          const size_t at = j + k * Sums::kPerRegister;
          const VF x = hn::LoadU(d, xs + at), dy = hn::LoadU(d, dys + at);
          const VF v = hn::Mul(hn::Sub(x, offset), inverse);
          const auto is_below = hn::Lt(v, lo), is_above = hn::Gt(v, hi);
          const auto clipped = hn::Or(is_below, is_above);
          const VF term = hn::Mul(dy, hn::Sub(hn::LoadU(d, ys + at), x));
          inside.Add(k, hn::IfThenZeroElse(clipped, term));
          below.Add(k, hn::IfThenElseZero(is_below, dy));
          above.Add(k, hn::IfThenElseZero(is_above, dy));
          const VF part = hn::IfThenElseZero(passes, hn::Mul(outside, dy));
          hn::StoreU(hn::IfThenElse(clipped, part, dy), d, out + at);
        }
      }
      if (rest != 0) memcpy(args.dx + i, last_dy, rest);
      i += n;
    }
    total.inside += static_cast<double>(inside.Total());
    total.below += static_cast<double>(below.Total());
    total.above += static_cast<double>(above.Total());
  }
  return total;
}

}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bnq {

HWY_EXPORT(GradientOfTarget);

GradientSums Gradient(const GradientArgs& args) {
  return HWY_DYNAMIC_DISPATCH(GradientOfTarget)(args);
}

}  // namespace bnq
#endif  // HWY_ONCE
