#include "core/kernels/compare.h"

#include <string.h>

// Nothing here gains from what AVX3_DL adds (core/flags.txt).
#undef BNQ_LEFT_OUT
#define BNQ_LEFT_OUT HWY_AVX3_DL
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/compare.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "core/kernels/reduce-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {

ErrorPartial Compare(const float* a, const float* b, size_t count) {
  const LaneSums::DD dd;
  const hn::Rebind<float, LaneSums::DD> df;
  LaneSums sq, abs, aa, bb, ab;
  auto max = hn::Zero(dd);
  const auto step = [&](const float* pa, const float* pb) HWY_ATTR {
    for (size_t k = 0; k < LaneSums::kCount; ++k) {
      const size_t at = k * LaneSums::kPerRegister;
      const auto va = hn::PromoteTo(dd, hn::LoadU(df, pa + at));
      const auto vb = hn::PromoteTo(dd, hn::LoadU(df, pb + at));
      const auto e = hn::Sub(va, vb);
      const auto abs_e = hn::Abs(e);
      max = hn::Max(max, abs_e);
      sq.Add(k, hn::Mul(e, e));
      abs.Add(k, abs_e);
      aa.Add(k, hn::Mul(va, va));
      bb.Add(k, hn::Mul(vb, vb));
      ab.Add(k, hn::Mul(va, vb));
    }
  };
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) step(a + i, b + i);
  if (i < count) {
    HWY_ALIGN float last_a[kLanes] = {}, last_b[kLanes] = {};
    memcpy(last_a, a + i, (count - i) * sizeof(float));
    memcpy(last_b, b + i, (count - i) * sizeof(float));
    step(last_a, last_b);
  }
  ErrorPartial p;
  p.sum_sq_error = sq.Total();
  p.sum_abs_error = abs.Total();
  p.sum_aa = aa.Total();
  p.sum_bb = bb.Total();
  p.sum_ab = ab.Total();
  p.max_error = hn::GetLane(hn::MaxOfLanes(dd, max));
  return p;
}

}  // namespace

ErrorPartial CompareChunkOfTarget(const float* a, const float* b,
                                  size_t count) {
  return Compare(a, b, count);
}

}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bnq {

HWY_EXPORT(CompareChunkOfTarget);

ErrorPartial CompareChunk(const float* a, const float* b, size_t count) {
  return HWY_DYNAMIC_DISPATCH(CompareChunkOfTarget)(a, b, count);
}

}  // namespace bnq
#endif  // HWY_ONCE
