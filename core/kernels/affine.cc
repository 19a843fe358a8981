#include "core/kernels/affine.h"

// Nothing here gains from what AVX3_DL adds (core/flags.txt).
#undef BNQ_LEFT_OUT
#define BNQ_LEFT_OUT HWY_AVX3_DL
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
  // signs; the roundings that RoundingSteps tells apart; stochastic; to nearest
  // even with a zero point, or with an offset.
  enum { kSymmetric, kSigns, kStepped, kStochastic, kNearest, kOffset };
  static constexpr int kKinds = 6, kGeneral = kSigns, kUnfitted = kStochastic;
  static constexpr int kAny = kStepped;
  static int KindOf(const CodeRule& rule) {
    if (rule.signs) return kSigns;
    if (rule.rounding == Rounding::kStochastic) return kStochastic;
    if (rule.rounding != Rounding::kHalfEven) return kStepped;
    if (rule.offset) return kOffset;
    return rule.range.lo == -rule.range.hi ? kSymmetric : kNearest;
  }

  template <class D>
  class Decoder;

  template <class D, int kKind>
  class Encoder {
   public:
    using V = hn::Vec<D>;
    using DI = hn::RebindToSigned<D>;
    // Others spend more on rounding than small groups cost.
    static constexpr bool kFast = kKind != kStepped && kKind != kStochastic;

    HWY_INLINE Encoder(D d, const CodeRule& rule)
        : least_(hn::Set(d, static_cast<float>(rule.range.lo))),
          greatest_(hn::Set(d, static_cast<float>(rule.range.hi))),
          rule_(rule) {}

    // Elements with other parameters follow.
    HWY_INLINE void Begin(D d, V inv_scale, V shift) {
      inv_scale_ = inv_scale;
      if constexpr (kKind == kSymmetric || kKind == kSigns) return;
      // An offset is taken off first; codes then count from the least one.
      V zero_point = shift;
      offset_ = hn::Zero(d);
      if (kKind != kNearest && rule_.offset) {
        zero_point = least_;
        offset_ = shift;
      }
      lo_ = hn::Sub(least_, zero_point);
      hi_ = hn::Sub(greatest_, zero_point);
      const auto sum = hn::Add(zero_point, hn::Set(d, kMagic));
      bits_ = hn::Sub(hn::BitCast(DI(), sum), hn::Set(DI(), kTwiceMagicBits));
    }

    // Clamping before rounding to an integer gives what clamping after it
    // would, as the bounds are integers. Adding 1.5 * 2^23 leaves a small
    // number's nearest integer, ties to even, in the low bits: the same on
    // every target, and cheaper than a conversion that allows for overflow.
    HWY_INLINE hn::Vec<DI> operator()(D d, V x, const uint32_t* random) const {
      if constexpr (kKind == kSigns) {
        // -0 counts as 0.
        const auto below = hn::RebindMask(DI(), hn::Lt(x, hn::Zero(d)));
        return hn::IfThenElse(below, hn::Set(DI(), -1), hn::Set(DI(), 1));
      }
      if constexpr (kKind == kSymmetric) {
        return NearestSmallInt(
            d, ClampMagnitude(d, hn::Mul(x, inv_scale_), greatest_));
      }
      return hn::Add(hn::BitCast(DI(), Sum(d, x, random)), bits_);
    }

    // Taking the magic number off again leaves code - zero point as a number.
    HWY_INLINE V Value(D d, V x, const uint32_t* random,
                       const Decoder<D>& decoder) const {
      if constexpr (kKind == kSigns) {
        return decoder(d, (*this)(d, x, random));
      } else {
        const auto magic = hn::Set(d, kMagic);
        if constexpr (kKind == kSymmetric) {
          const V v = ClampMagnitude(d, hn::Mul(x, inv_scale_), greatest_);
          return decoder.OfSteps(hn::Sub(hn::Add(v, magic), magic));
        }
        const V steps = hn::Sub(Sum(d, x, random), magic);
        return kKind == kNearest ? decoder.OfSteps(steps)
                                 : decoder.OfStepsAndOffset(steps);
      }
    }

   private:
    // The code less the zero point, in the low bits of the magic number.
    HWY_INLINE V Sum(D d, V x, const uint32_t* random) const {
      const auto magic = hn::Set(d, kMagic);
      // Taking off 0 changes nothing.
      const auto from = kKind == kNearest ? x : hn::Sub(x, offset_);
      const auto v = hn::Min(hn::Max(hn::Mul(from, inv_scale_), lo_), hi_);
      const auto sum = hn::Add(v, magic);
      if constexpr (kKind == kStepped || kKind == kStochastic) {
        return hn::Add(sum,
                       Step(d, v, hn::Sub(v, hn::Sub(sum, magic)), random));
      }
      return sum;
    }

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
        const auto up = hn::IfThenElse(negative, hn::Set(d, rule_.steps.up[1]),
                                       hn::Set(d, rule_.steps.up[0]));
        const auto down =
            hn::IfThenElse(negative, hn::Set(d, rule_.steps.down[1]),
                           hn::Set(d, rule_.steps.down[0]));
        return hn::Sub(hn::IfThenElseZero(hn::Ge(rest, up), one),
                       hn::IfThenElseZero(hn::Le(rest, down), one));
      }
    }

    static constexpr float kMagic = 12582912.0f;
    // Of the bits of kMagic; as a signed number, which wraps around.
    static constexpr int32_t kTwiceMagicBits =
        static_cast<int32_t>(2u * 0x4B400000u);

    V least_, greatest_, inv_scale_, lo_, hi_, offset_;
    const CodeRule& rule_;
    hn::Vec<DI> bits_;
  };

  // value = (code - zero point) * scale + offset, whose last term is -0, which
  // changes nothing, where there is none.
  template <class D>
  class Decoder {
   public:
    using V = hn::Vec<D>;

    HWY_INLINE Decoder(D d, const CodeRule& rule)
        : least_(hn::Set(d, static_cast<float>(rule.range.lo))),
          has_offset_(rule.offset) {}
    HWY_INLINE void Begin(D d, V scale, V shift) {
      scale_ = scale;
      zero_point_ = has_offset_ ? least_ : shift;
      offset_ = has_offset_ ? shift : hn::Set(d, -0.0f);
    }
    HWY_INLINE V operator()(D d, hn::Vec<hn::RebindToSigned<D>> code) const {
      return OfStepsAndOffset(hn::Sub(hn::ConvertTo(d, code), zero_point_));
    }
    // The same of code - zero point. Where there is no offset, without it.
    HWY_INLINE V OfStepsAndOffset(V steps) const {
      return hn::Add(hn::Mul(steps, scale_), offset_);
    }
    HWY_INLINE V OfSteps(V steps) const { return hn::Mul(steps, scale_); }

   private:
    V least_, scale_, zero_point_, offset_;
    bool has_offset_;
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
