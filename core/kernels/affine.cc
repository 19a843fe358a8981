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
  template <class D>
  class Encoder {
   public:
    HWY_INLINE Encoder(D d, hn::Vec<D> inv_scale, hn::Vec<D> zero_point,
                       CodeRange range)
        : inv_scale_(inv_scale),
          lo_(hn::Sub(hn::Set(d, static_cast<float>(range.lo)), zero_point)),
          hi_(hn::Sub(hn::Set(d, static_cast<float>(range.hi)), zero_point)),
          offset_(hn::Sub(hn::ConvertTo(hn::RebindToSigned<D>(), zero_point),
                          hn::Set(hn::RebindToSigned<D>(), kMagicBits))) {}

    // Clamping before rounding to an integer gives what clamping after it
    // would, as the bounds are integers. Adding 1.5 * 2^23 leaves a small
    // number's nearest integer, ties to even, in the low bits: the same on
    // every target, and cheaper than a conversion that allows for overflow.
    HWY_INLINE hn::Vec<hn::RebindToSigned<D>> operator()(D d,
                                                         hn::Vec<D> x) const {
      const auto v = hn::Mul(x, inv_scale_);
      const auto sum =
          hn::Add(hn::Min(hn::Max(v, lo_), hi_), hn::Set(d, kMagic));
      return hn::Add(hn::BitCast(hn::RebindToSigned<D>(), sum), offset_);
    }

   private:
    hn::Vec<D> inv_scale_, lo_, hi_;
    static constexpr float kMagic = 12582912.0f;
    static constexpr int32_t kMagicBits = 0x4B400000;

    hn::Vec<hn::RebindToSigned<D>> offset_;
  };

  template <class D>
  static HWY_INLINE hn::Vec<D> Decode(D d, hn::Vec<hn::RebindToSigned<D>> code,
                                      hn::Vec<D> scale, hn::Vec<D> zero_point) {
    return hn::Mul(hn::Sub(hn::ConvertTo(d, code), zero_point), scale);
  }
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
