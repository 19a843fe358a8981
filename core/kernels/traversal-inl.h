// The block traversal, written once for every format; a Codec
// (core/scheme/format.h) is all that it is given. Included once per target.
#if defined(BNQ_CORE_KERNELS_TRAVERSAL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BNQ_CORE_KERNELS_TRAVERSAL_INL_H_
#undef BNQ_CORE_KERNELS_TRAVERSAL_INL_H_
#else
#define BNQ_CORE_KERNELS_TRAVERSAL_INL_H_
#endif

#include "core/kernels/decode-inl.h"
#include "core/kernels/encode-inl.h"
#include "core/kernels/fit-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// What a format's dispatch function returns.
template <class Codec>
const Kernels* MakeKernels() {
  static constexpr Kernels kKernels = {EncodeBlock<Codec>,
                                       DecodeElements<Codec>, Errors<Codec>,
                                       Fit<Codec>, RoundTrip<Codec>};
  return &kKernels;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#endif  // include guard
