// What encoding, decoding and fitting have in common: the runs of a row, a
// codec's kinds, parameters. Included once per target.
#if defined(BNQ_CORE_KERNELS_RUNS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BNQ_CORE_KERNELS_RUNS_INL_H_
#undef BNQ_CORE_KERNELS_RUNS_INL_H_
#else
#define BNQ_CORE_KERNELS_RUNS_INL_H_
#endif

#include <stddef.h>
#include <stdint.h>

#include <type_traits>

#include "core/kernels/compat-inl.h"
#include "core/kernels/span.h"
#include "core/kernels/traversal.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::ScalableTag<float>;
using DCode = hn::Rebind<int8_t, DF>;
// Floats and codes that may be touched behind a span: a vector of floats, or
// what packing needs.
constexpr size_t kFloatSlack = hn::MaxLanes(DF()) + kLanes;

// Asks for floats of a later span. While a span's runs are reduced and coded,
// none of it comes from memory any more: without this, memory would idle. May
// point behind the array, which is allowed.
HWY_INLINE void PrefetchFloats(const float* x, size_t count) {
  constexpr size_t kLine = 64 / sizeof(float);
  for (size_t i = 0; i < count; i += kLine) hwy::Prefetch(x + i);
}

// f(a null pointer to the encoder) of the kind that the rule asks for, from
// kKind on, or of the last one.
// kFitted: of a rule that FittedRule has been over.
template <class Codec, class D, int kKind, bool kFitted = false, class F>
HWY_INLINE void WithEncoder(const CodeRule& rule, F f) {
  if constexpr (kKind + 1 < Codec::kKinds) {
    if (Codec::KindOf(rule) != kKind) {
      return WithEncoder<Codec, D, kKind + 1, kFitted>(rule, f);
    }
  }
  if constexpr (!(kFitted && kKind == Codec::kUnfitted)) {
    f(static_cast<const typename Codec::template Encoder<D, kKind>*>(nullptr));
  }
}

template <class Pointer>
using EncoderOf = std::remove_const_t<std::remove_pointer_t<Pointer>>;

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#endif  // include guard
