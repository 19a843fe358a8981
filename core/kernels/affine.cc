#include "core/kernels/affine.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/affine.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "core/kernels/traversal-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {

struct AffineCodec {
  // To nearest even with codes -q to q and so no zero point, as most are; the
  // roundings that RoundingSteps tells apart; stochastic; to nearest even.
  enum { kSymmetric, kStepped, kStochastic, kNearest };
  static constexpr int kKinds = 4, kGeneral = kStepped;
  static int KindOf(const CodeRule& rule) {
    if (rule.rounding == Rounding::kStochastic) return kStochastic;
    if (rule.rounding != Rounding::kHalfEven) return kStepped;
    return rule.range.lo == -rule.range.hi ? kSymmetric : kNearest;
  }

  template <class D, int kKind>
  class Encoder {
   public:
    using V = hn::Vec<D>;
    using DI = hn::RebindToSigned<D>;

    HWY_INLINE Encoder(D d, const CodeRule& rule)
        : least_(hn::Set(d, static_cast<float>(rule.range.lo))),
          greatest_(hn::Set(d, static_cast<float>(rule.range.hi))),
          steps_(rule.steps) {}

    // Elements with other parameters follow.
    HWY_INLINE void Begin(D d, V inv_scale, V zero_point) {
      inv_scale_ = inv_scale;
      if constexpr (kKind == kSymmetric) return;
      lo_ = hn::Sub(least_, zero_point);
      hi_ = hn::Sub(greatest_, zero_point);
      const auto sum = hn::Add(zero_point, hn::Set(d, kMagic));
      offset_ = hn::Sub(hn::BitCast(DI(), sum), hn::Set(DI(), kTwiceMagicBits));
    }

    // Clamping before rounding to an integer gives what clamping after it
    // would, as the bounds are integers. Adding 1.5 * 2^23 leaves a small
    // number's nearest integer, ties to even, in the low bits: the same on
    // every target, and cheaper than a conversion that allows for overflow.
    HWY_INLINE hn::Vec<DI> operator()(D d, V x, const uint32_t* random) const {
      if constexpr (kKind == kSymmetric) {
        return NearestSmallInt(
            d, ClampMagnitude(d, hn::Mul(x, inv_scale_), greatest_));
      }
      const auto magic = hn::Set(d, kMagic);
      const auto v = hn::Min(hn::Max(hn::Mul(x, inv_scale_), lo_), hi_);
      auto sum = hn::Add(v, magic);
      if constexpr (kKind != kNearest) {
        sum = hn::Add(sum, Step(d, v, hn::Sub(v, hn::Sub(sum, magic)), random));
      }
      return hn::Add(hn::BitCast(DI(), sum), offset_);
    }

   private:
    // From the nearest integer, which v is `rest` above, to the one wanted.
    HWY_INLINE V Step(D d, V v, V rest, const uint32_t* random) const {
      const auto zero = hn::Zero(d);
      const auto one = hn::Set(d, 1.0f);
      if constexpr (kKind == kStochastic) {
        const hn::RebindToUnsigned<D> du;
        const auto bits = hn::ShiftRight<8>(hn::LoadU(du, random));
        const auto u = hn::Mul(hn::ConvertTo(d, hn::BitCast(DI(), bits)),
                               hn::Set(d, 5.9604644775390625e-8f));
        const auto below = hn::Lt(rest, zero);
        const auto fraction = hn::Add(rest, hn::IfThenElseZero(below, one));
        return hn::Sub(hn::IfThenElseZero(hn::Lt(u, fraction), one),
                       hn::IfThenElseZero(below, one));
      } else {
        const auto negative = hn::Lt(v, zero);
        const auto up = hn::IfThenElse(negative, hn::Set(d, steps_.up[1]),
                                       hn::Set(d, steps_.up[0]));
        const auto down = hn::IfThenElse(negative, hn::Set(d, steps_.down[1]),
                                         hn::Set(d, steps_.down[0]));
        return hn::Sub(hn::IfThenElseZero(hn::Ge(rest, up), one),
                       hn::IfThenElseZero(hn::Le(rest, down), one));
      }
    }

    static constexpr float kMagic = 12582912.0f;
    // Of the bits of kMagic; as a signed number, which wraps around.
    static constexpr int32_t kTwiceMagicBits =
        static_cast<int32_t>(2u * 0x4B400000u);

    V least_, greatest_, inv_scale_, lo_, hi_;
    RoundingSteps steps_;
    hn::Vec<DI> offset_;
  };

  template <class D>
  struct Decoder {
    HWY_INLINE Decoder(D /*d*/, const CodeRule& /*rule*/) {}
    HWY_INLINE hn::Vec<D> operator()(D d, hn::Vec<hn::RebindToSigned<D>> code,
                                     hn::Vec<D> scale,
                                     hn::Vec<D> zero_point) const {
      return hn::Mul(hn::Sub(hn::ConvertTo(d, code), zero_point), scale);
    }
  };
};

}  // namespace

const Kernels* GetAffine() { return MakeKernels<AffineCodec>(); }

}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bnq {

HWY_EXPORT(GetAffine);

const Kernels& AffineKernels() { return *HWY_DYNAMIC_DISPATCH(GetAffine)(); }

}  // namespace bnq
#endif  // HWY_ONCE
