#include "core/kernels/sign.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/sign.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "core/kernels/traversal-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {

struct SignCodec {
  static constexpr int kKinds = 1, kGeneral = 0;
  static int KindOf(const CodeRule& /*rule*/) { return 0; }

  template <class D, int kKind>
  struct Encoder {
    HWY_INLINE Encoder(D /*d*/, const CodeRule& /*rule*/) {}
    HWY_INLINE void Begin(D /*d*/, hn::Vec<D> /*inv_scale*/,
                          hn::Vec<D> /*zero_point*/) {}
    HWY_INLINE hn::Vec<hn::RebindToSigned<D>> operator()(
        D d, hn::Vec<D> x, const uint32_t* /*random*/) const {
      const hn::RebindToSigned<D> di;
      // -0 counts as 0.
      const auto negative = hn::RebindMask(di, hn::Lt(x, hn::Zero(d)));
      return hn::IfThenElse(negative, hn::Set(di, -1), hn::Set(di, 1));
    }
  };

  template <class D>
  struct Decoder {
    HWY_INLINE Decoder(D /*d*/, const CodeRule& /*rule*/) {}
    HWY_INLINE hn::Vec<D> operator()(D d, hn::Vec<hn::RebindToSigned<D>> code,
                                     hn::Vec<D> scale,
                                     hn::Vec<D> /*zero_point*/) const {
      return hn::Mul(hn::ConvertTo(d, code), scale);
    }
  };
};

}  // namespace

const Kernels* GetSign() { return MakeKernels<SignCodec>(); }

}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bnq {

HWY_EXPORT(GetSign);

const Kernels& SignKernels() { return *HWY_DYNAMIC_DISPATCH(GetSign)(); }

}  // namespace bnq
#endif  // HWY_ONCE
