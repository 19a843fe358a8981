#include "tests/conformance/broken_codec.h"

#include "core/kernels/traversal-inl.h"
HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {
struct BrokenCodec {
  static constexpr int kKinds = 1, kGeneral = 0, kUnfitted = -1, kAny = 0;
  static int KindOf(const CodeRule&) { return 0; }
  template <class D>
  struct Decoder;
  template <class D, int>
  struct Encoder {
    static constexpr bool kFast = true;
    Encoder(D d, const CodeRule& rule)
        : lo(hn::Set(d, static_cast<float>(rule.range.lo))),
          hi(hn::Set(d, static_cast<float>(rule.range.hi))) {}
    void Begin(D /*d*/, hn::Vec<D> inv, hn::Vec<D> /*zero_point*/) {
      inv_scale = inv;
    }
    hn::Vec<hn::RebindToSigned<D>> operator()(D /*d*/, hn::Vec<D> x,
                                              const uint32_t*) const {
      return hn::ConvertTo(hn::RebindToSigned<D>(),
                           hn::Min(hn::Max(hn::Mul(x, inv_scale), lo), hi));
    }
    hn::Vec<D> Value(D d, hn::Vec<D> x, const uint32_t* random,
                     const Decoder<D>& decoder) const {
      return decoder(d, (*this)(d, x, random));
    }
    hn::Vec<D> inv_scale, lo, hi;
  };
  template <class D>
  struct Decoder {
    Decoder(D d, const CodeRule&) : scale(hn::Zero(d)) {}
    void Begin(D, hn::Vec<D> s, hn::Vec<D> /*shift*/) { scale = s; }
    hn::Vec<D> operator()(D d, hn::Vec<hn::RebindToSigned<D>> code) const {
      return hn::Mul(hn::ConvertTo(d, code), scale);
    }
    hn::Vec<D> scale;
  };
};
}  // namespace
const Kernels& Broken() { return *MakeKernels<BrokenCodec>(); }
}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

const bnq::Kernels& bnq_test::BrokenKernels() {
  return bnq::HWY_NAMESPACE::Broken();
}
