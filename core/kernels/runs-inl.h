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
#include "core/kernels/traversal.h"
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

// Walks the runs of a row without a division for each of them.
class RunCursor {
 public:
  RunCursor(const Layout& layout, uint64_t row, uint64_t column)
      : length_(layout.per_element ? layout.period() : layout.run),
        mod_(layout.per_element ? 1 : layout.mod),
        base_(row * layout.row_params),
        offset_(column % length_),
        number_(column / length_ % mod_) {}

  uint64_t offset() const { return offset_; }  // within the run
  uint64_t rest() const { return length_ - offset_; }
  uint64_t param() const { return base_ + number_; }
  // By whole runs, from a run's start on and within the row's.
  void AdvanceRuns(uint64_t count) {
    number_ += count;
    if (number_ == mod_) number_ = 0;
  }
  // By no more than rest().
  void Advance(uint64_t count) {
    offset_ += count;
    if (offset_ == length_) {
      offset_ = 0;
      if (++number_ == mod_) number_ = 0;
    }
  }

 private:
  uint64_t length_, mod_, base_, offset_, number_;
};

// f(a null pointer to the encoder) of the kind that the rule asks for, from
// kKind on, or of the last one.
template <class Codec, class D, int kKind, class F>
HWY_INLINE void WithEncoder(const CodeRule& rule, F f) {
  if constexpr (kKind + 1 < Codec::kKinds) {
    if (Codec::KindOf(rule) != kKind) {
      return WithEncoder<Codec, D, kKind + 1>(rule, f);
    }
  }
  f(static_cast<const typename Codec::template Encoder<D, kKind>*>(nullptr));
}

template <class Pointer>
using EncoderOf = std::remove_const_t<std::remove_pointer_t<Pointer>>;

// A parameter's shift (CodeRule).
template <class Args>
HWY_INLINE float ShiftOf(const Args& args, uint64_t param) {
  if (args.offsets != nullptr) return args.offsets[param];
  if (args.zero_points == nullptr) return 0.0f;
  return static_cast<float>(args.zero_points[param]);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#endif  // include guard
