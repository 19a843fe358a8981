#include "core/kernels/gradient.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/gradient.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "core/kernels/reduce-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {

using DF = hn::Rebind<float, LaneSums::DD>;
using VF = hn::Vec<DF>;

// Registers of as many floats as a register has doubles.
class GradientStep {
 public:
  explicit GradientStep(const GradientArgs& args)
      : offset_(hn::Set(DF(), args.offset)),
        inverse_(hn::Set(DF(), args.inverse)),
        lo_(hn::Set(DF(), args.lo)),
        hi_(hn::Set(DF(), args.hi)),
        outside_(hn::Set(DF(), args.outside)),
        passes_(args.outside != 0.0f) {}

  // Register k of the lanes.
  HWY_INLINE VF operator()(size_t k, VF x, VF y, VF dy) {
    const LaneSums::DD dd;
    const VF v = hn::Mul(hn::Sub(x, offset_), inverse_);
    const auto below = hn::Lt(v, lo_);
    const auto above = hn::Gt(v, hi_);
    const auto clipped = hn::Or(below, above);
    const VF term = hn::Mul(dy, hn::Sub(y, x));
    inside_.Add(k, hn::PromoteTo(dd, hn::IfThenZeroElse(clipped, term)));
    below_.Add(k, hn::PromoteTo(dd, hn::IfThenElseZero(below, dy)));
    above_.Add(k, hn::PromoteTo(dd, hn::IfThenElseZero(above, dy)));
    // 0 times infinity would be NaN.
    if (!passes_) return hn::IfThenZeroElse(clipped, dy);
    return hn::IfThenElse(clipped, hn::Mul(outside_, dy), dy);
  }
  GradientSums Sums() {
    GradientSums sums;
    sums.inside = inside_.Total();
    sums.below = below_.Total();
    sums.above = above_.Total();
    return sums;
  }

 private:
  VF offset_, inverse_, lo_, hi_, outside_;
  bool passes_;
  LaneSums inside_, below_, above_;
};

}  // namespace

GradientSums GradientOfTarget(const GradientArgs& args) {
  const DF d;
  GradientStep step(args);
  size_t i = 0;
  for (; i + kLanes <= args.count; i += kLanes) {
    for (size_t k = 0; k < LaneSums::kCount; ++k) {
      const size_t at = i + k * LaneSums::kPerRegister;
      hn::StoreU(step(k, hn::LoadU(d, args.x + at), hn::LoadU(d, args.y + at),
                      hn::LoadU(d, args.dy + at)),
                 d, args.dx + at);
    }
  }
  if (i < args.count) {
    HWY_ALIGN float x[kLanes] = {}, y[kLanes] = {}, dy[kLanes] = {};
    const size_t bytes = (args.count - i) * sizeof(float);
    memcpy(x, args.x + i, bytes);
    memcpy(y, args.y + i, bytes);
    memcpy(dy, args.dy + i, bytes);
    for (size_t k = 0; k < LaneSums::kCount; ++k) {
      const size_t at = k * LaneSums::kPerRegister;
      hn::StoreU(step(k, hn::Load(d, x + at), hn::Load(d, y + at),
                      hn::Load(d, dy + at)),
                 d, x + at);
    }
    memcpy(args.dx + i, x, bytes);
  }
  return step.Sums();
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
