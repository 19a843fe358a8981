#include "core/kernels/reduce.h"

#include <math.h>
#include <string.h>

// Nothing here gains from what AVX3_DL adds (core/flags.txt).
#undef BNQ_LEFT_OUT
#define BNQ_LEFT_OUT HWY_AVX3_DL
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/reduce.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "core/kernels/reduce-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {

void Accumulate(const float* HWY_RESTRICT x, size_t count,
                double* HWY_RESTRICT abs_sum, float* HWY_RESTRICT min,
                float* HWY_RESTRICT max, uint32_t* HWY_RESTRICT abs_bits) {
  // Columns are independent, so the compiler may use vectors of any length.
  for (size_t i = 0; i < count; ++i) {
    uint32_t bits;
    memcpy(&bits, x + i, sizeof bits);
    bits &= 0x7FFFFFFFu;
    abs_bits[i] = bits > abs_bits[i] ? bits : abs_bits[i];
  }
  for (size_t i = 0; i < count; ++i) abs_sum[i] += fabs(double{x[i]});
  for (size_t i = 0; i < count; ++i) min[i] = x[i] < min[i] ? x[i] : min[i];
  for (size_t i = 0; i < count; ++i) max[i] = x[i] > max[i] ? x[i] : max[i];
}

double SumDoubles(const double* x, size_t count) {
  const LaneSums::DD dd;
  LaneSums sums;
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (size_t k = 0; k < LaneSums::kCount; ++k) {
      sums.Add(k, hn::LoadU(dd, x + i + k * LaneSums::kPerRegister));
    }
  }
  if (i < count) {
    HWY_ALIGN double last[kLanes] = {};
    memcpy(last, x + i, (count - i) * sizeof(double));
    for (size_t k = 0; k < LaneSums::kCount; ++k) {
      sums.Add(k, hn::Load(dd, last + k * LaneSums::kPerRegister));
    }
  }
  return sums.Total();
}

}  // namespace

Partial ReduceOfTarget(const float* x, size_t count, size_t readable,
                       Statistic statistic) {
  return ReduceChunk(x, count, readable, statistic);
}

void AccumulateColumnsOfTarget(const float* x, size_t count, double* abs_sum,
                               float* min, float* max, uint32_t* abs_bits) {
  Accumulate(x, count, abs_sum, min, max, abs_bits);
}

double SumLanesOfTarget(const double* x, size_t count) {
  return SumDoubles(x, count);
}

}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bnq {

HWY_EXPORT(ReduceOfTarget);
HWY_EXPORT(AccumulateColumnsOfTarget);
HWY_EXPORT(SumLanesOfTarget);

Partial Reduce(const float* x, size_t count, size_t readable,
               Statistic statistic) {
  return HWY_DYNAMIC_DISPATCH(ReduceOfTarget)(x, count, readable, statistic);
}

void AccumulateColumns(const float* x, size_t count, double* abs_sum,
                       float* min, float* max, uint32_t* abs_bits) {
  HWY_DYNAMIC_DISPATCH(AccumulateColumnsOfTarget)
  (x, count, abs_sum, min, max, abs_bits);
}

double SumLanes(const double* x, size_t count) {
  return HWY_DYNAMIC_DISPATCH(SumLanesOfTarget)(x, count);
}

}  // namespace bnq
#endif  // HWY_ONCE
