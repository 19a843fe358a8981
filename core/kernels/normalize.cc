#include "core/kernels/normalize.h"

#include <math.h>
#include <string.h>

// Nothing here gains from what AVX3_DL adds (core/flags.txt).
#undef BNQ_LEFT_OUT
#define BNQ_LEFT_OUT HWY_AVX3_DL
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/normalize.cc"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "core/kernels/function-inl.h"
#include "core/kernels/reduce-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {

// Sums f of all floats, given as vectors of doubles.
template <class F>
HWY_INLINE double SumEach(const float* x, size_t count, F f) {
  const LaneSums::DD dd;
  const hn::Rebind<float, LaneSums::DD> df;
  LaneSums sums;
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (size_t k = 0; k < LaneSums::kCount; ++k) {
      const float* at = x + i + k * LaneSums::kPerRegister;
      sums.Add(k, f(hn::PromoteTo(dd, hn::LoadU(df, at))));
    }
  }
  if (i < count) {
    HWY_ALIGN float last[kLanes] = {};
    HWY_ALIGN double terms[kLanes];
    memcpy(last, x + i, (count - i) * sizeof(float));
    for (size_t k = 0; k < LaneSums::kCount; ++k) {
      const size_t at = k * LaneSums::kPerRegister;
      hn::Store(f(hn::PromoteTo(dd, hn::Load(df, last + at))), dd, terms + at);
    }
    // f of what is not there counts for nothing.
    for (size_t j = count - i; j < kLanes; ++j) terms[j] = 0.0;
    for (size_t k = 0; k < LaneSums::kCount; ++k) {
      sums.Add(k, hn::Load(dd, terms + k * LaneSums::kPerRegister));
    }
  }
  return sums.Total();
}

void Normalized(const float* x, size_t count, double center, double factor,
                const float* weight, const float* bias, const float* next,
                float* y) {
  const hn::ScalableTag<double> dd;
  const hn::Rebind<float, decltype(dd)> df;
  const size_t N = hn::Lanes(dd);
  const auto middle = hn::Set(dd, center);
  const auto scale = hn::Set(dd, factor);
  const auto step = [&](const float* px, const float* pw, const float* pb,
                        float* py) HWY_ATTR {
    auto v = hn::PromoteTo(dd, hn::LoadU(df, px));
    v = hn::Mul(hn::Sub(v, middle), scale);
    if (pw != nullptr) v = hn::Mul(v, hn::PromoteTo(dd, hn::LoadU(df, pw)));
    if (pb != nullptr) v = hn::Add(v, hn::PromoteTo(dd, hn::LoadU(df, pb)));
    hn::StoreU(hn::DemoteTo(df, v), df, py);
  };
  size_t i = 0;
  for (; i + N <= count; i += N) {
    hwy::Prefetch(next + i);
    step(x + i, weight != nullptr ? weight + i : nullptr,
         bias != nullptr ? bias + i : nullptr, y + i);
  }
  if (i == count) return;
  HWY_ALIGN float last[3][hn::MaxLanes(dd)] = {};
  const size_t bytes = (count - i) * sizeof(float);
  memcpy(last[0], x + i, bytes);
  if (weight != nullptr) memcpy(last[1], weight + i, bytes);
  if (bias != nullptr) memcpy(last[2], bias + i, bytes);
  step(last[0], weight != nullptr ? last[1] : nullptr,
       bias != nullptr ? last[2] : nullptr, last[0]);
  memcpy(y + i, last[0], bytes);
}

// The greatest of them; NaN where there is one.
HWY_INLINE float Greatest(const float* x, size_t count) {
  const DF d;
  const size_t N = hn::Lanes(d);
  auto most = Number(-HUGE_VALF), also = most;
  auto numbers = hn::Eq(most, most);
  const auto look = [&](VF v) HWY_ATTR {
    numbers = hn::And(numbers, hn::Eq(v, v));
    return v;
  };
  size_t i = 0;
  for (; i + 2 * N <= count; i += 2 * N) {
    most = hn::Max(most, look(hn::LoadU(d, x + i)));
    also = hn::Max(also, look(hn::LoadU(d, x + i + N)));
  }
  for (; i < count; i += N) {
    HWY_ALIGN float last[hn::MaxLanes(d)];
    hn::Store(Number(-HUGE_VALF), d, last);
    memcpy(last, x + i, (count - i < N ? count - i : N) * sizeof(float));
    also = hn::Max(also, look(hn::Load(d, last)));
  }
  if (!hn::AllTrue(d, numbers)) return NAN;
  // One by one: of lanes of -infinity, MaxOfLanes makes another number on some
  // targets.
  HWY_ALIGN float lanes[hn::MaxLanes(d)];
  hn::Store(hn::Max(most, also), d, lanes);
  float result = lanes[0];
  for (size_t lane = 1; lane < N; ++lane) {
    if (lanes[lane] > result) result = lanes[lane];
  }
  return result;
}

void SoftmaxOne(const float* x, size_t count, const float* next, float* y) {
  const float greatest = Greatest(x, count);
  if (!(greatest < HUGE_VALF) || greatest == -HUGE_VALF) {
    const float all = greatest == -HUGE_VALF ? 0.0f : NAN;
    for (size_t i = 0; i < count; ++i) y[i] = all;
    return;
  }
  const VF most = Number(greatest);
  // Below e^-110 is nothing that float32 has.
  const VF least = Number(-110.0f), one = Number(1.0f);
  Map(x, count, -HUGE_VALF, y, [&](VF v) HWY_ATTR {
    hwy::Prefetch(next);
    next += hn::Lanes(DF());
    const Exponential e = Exp(hn::Max(hn::Sub(v, most), least));
    return Scale(hn::Add(one, e.p), e.n);
  });
  const double sum = SumEach(y, count, [](auto v) HWY_ATTR { return v; });
  const VF factor = Number(static_cast<float>(1.0 / sum));
  Map(y, count, 0.0f, y, [&](VF v) HWY_ATTR { return hn::Mul(v, factor); });
}

}  // namespace

double SumOfTarget(const float* x, size_t count) {
  return SumEach(x, count, [](auto v) HWY_ATTR { return v; });
}

double SquaresOfTarget(const float* x, size_t count, double center) {
  const auto middle = hn::Set(LaneSums::DD(), center);
  return SumEach(x, count, [&](auto v) HWY_ATTR {
    const auto distance = hn::Sub(v, middle);
    return hn::Mul(distance, distance);
  });
}

void NormalizeOfTarget(const float* x, size_t count, double center,
                       double factor, const float* weight, const float* bias,
                       const float* next, float* y) {
  Normalized(x, count, center, factor, weight, bias, next, y);
}

void SoftmaxOfTarget(const float* x, size_t count, const float* next,
                     float* y) {
  SoftmaxOne(x, count, next, y);
}

}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bnq {

HWY_EXPORT(SumOfTarget);
HWY_EXPORT(SquaresOfTarget);
HWY_EXPORT(NormalizeOfTarget);
HWY_EXPORT(SoftmaxOfTarget);

double SumOf(const float* x, size_t count) {
  return HWY_DYNAMIC_DISPATCH(SumOfTarget)(x, count);
}

double SquaresAround(const float* x, size_t count, double center) {
  return HWY_DYNAMIC_DISPATCH(SquaresOfTarget)(x, count, center);
}

void NormalizeRow(const float* x, size_t count, double center, double factor,
                  const float* weight, const float* bias, const float* next,
                  float* y) {
  HWY_DYNAMIC_DISPATCH(NormalizeOfTarget)
  (x, count, center, factor, weight, bias, next, y);
}

void SoftmaxRow(const float* x, size_t count, const float* next, float* y) {
  HWY_DYNAMIC_DISPATCH(SoftmaxOfTarget)(x, count, next, y);
}

}  // namespace bnq
#endif  // HWY_ONCE
