// Reductions of one chunk whose results do not depend on the vector length.
// Included once per target.
#if defined(BNQ_CORE_KERNELS_REDUCE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BNQ_CORE_KERNELS_REDUCE_INL_H_
#undef BNQ_CORE_KERNELS_REDUCE_INL_H_
#else
#define BNQ_CORE_KERNELS_REDUCE_INL_H_
#endif

#include <string.h>

#include "core/kernels/reduce.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// kLanes running sums in as few registers as hold them.
template <class T>
class LaneSumsOf {
 public:
  using DT = hn::CappedTag<T, kLanes>;
  using VT = hn::Vec<DT>;

  LaneSumsOf() {
    for (size_t k = 0; k < kCount; ++k) sums_[k] = hn::Zero(DT());
  }
  // Adds v to register k, which holds lanes k * Lanes and up.
  HWY_INLINE void Add(size_t k, VT v) { sums_[k] = hn::Add(sums_[k], v); }
  HWY_INLINE T Total() {
    for (size_t half = kCount / 2; half != 0; half /= 2) {
      for (size_t k = 0; k < half; ++k) {
        sums_[k] = hn::Add(sums_[k], sums_[k + half]);
      }
    }
    return Fold(DT(), sums_[0]);
  }

  static constexpr size_t kPerRegister = hn::MaxLanes(DT());
  static constexpr size_t kCount = kLanes / kPerRegister;

 private:
#if HWY_TARGET == HWY_SCALAR
  static T Fold(DT /*d*/, VT v) { return hn::GetLane(v); }
#else
  // Adds the upper half of the lanes to the lower one, until one is left.
  template <class D, class V>
  static HWY_INLINE T Fold(D d, V v) {
    if constexpr (hn::MaxLanes(d) == 1) {
      return hn::GetLane(v);
    } else {
      const hn::Half<D> half;
      return Fold(half,
                  hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
    }
  }
#endif

  VT sums_[kCount];
};
struct LaneSums : LaneSumsOf<double> {
  using DD = DT;
  using VD = VT;
};

// `count` floats in steps of kLanes; the last step is filled up with zeros,
// which add nothing to any of our sums. f(pointer to kLanes floats).
template <class F>
HWY_INLINE void ForEachStep(const float* x, size_t count, F f) {
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) f(x + i);
  if (i < count) {
    HWY_ALIGN float last[kLanes] = {};
    memcpy(last, x + i, (count - i) * sizeof(float));
    f(last);
  }
}

HWY_INLINE double SumAbs(const float* x, size_t count) {
  const LaneSums::DD dd;
  const hn::Rebind<float, LaneSums::DD> df;
  LaneSums sums;
  ForEachStep(x, count, [&](const float* p) HWY_ATTR {
    for (size_t k = 0; k < LaneSums::kCount; ++k) {
      const auto v = hn::LoadU(df, p + k * LaneSums::kPerRegister);
      sums.Add(k, hn::PromoteTo(dd, hn::Abs(v)));
    }
  });
  return sums.Total();
}

// The greatest bit pattern of |x|.
HWY_INLINE uint32_t MaxAbsBits(const float* x, size_t count, size_t readable) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const size_t N = hn::Lanes(d);
  const auto mask = hn::Set(di, 0x7FFFFFFF);
  auto m0 = hn::Zero(di), m1 = m0, m2 = m0, m3 = m0;
  const auto bits = [&](const float* p) HWY_ATTR {
    return hn::And(hn::BitCast(di, hn::LoadU(d, p)), mask);
  };
  size_t i = 0;
  for (; i + 4 * N <= count; i += 4 * N) {
    m0 = hn::Max(m0, bits(x + i));
    m1 = hn::Max(m1, bits(x + i + N));
    m2 = hn::Max(m2, bits(x + i + 2 * N));
    m3 = hn::Max(m3, bits(x + i + 3 * N));
  }
  for (; i + N <= count; i += N) m0 = hn::Max(m0, bits(x + i));
  if (i < count) {
    if (i + N <= readable) {
      m1 = hn::Max(m1,
                   hn::IfThenElseZero(hn::FirstN(di, count - i), bits(x + i)));
    } else {
      HWY_ALIGN float last[hn::MaxLanes(d)] = {};
      memcpy(last, x + i, (count - i) * sizeof(float));
      m1 = hn::Max(m1, bits(last));
    }
  }
  m0 = hn::Max(hn::Max(m0, m1), hn::Max(m2, m3));
  return static_cast<uint32_t>(hn::GetLane(hn::MaxOfLanes(di, m0)));
}

// The least and the greatest of the values and 0, and whether all are finite,
// in two operations a vector: among bit patterns, the greatest as a signed
// number is the greatest value unless all are negative, and the greatest as an
// unsigned one is the least value where any is negative. NaN of either sign is
// above infinity.
HWY_INLINE Partial MinMax(const float* x, size_t count, size_t readable) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::RebindToUnsigned<decltype(d)> du;
  const size_t N = hn::Lanes(d);
  auto s0 = hn::Zero(di), s1 = s0;
  auto u0 = hn::Zero(du), u1 = u0;
  const auto bits = [&](const float* p)
                        HWY_ATTR { return hn::BitCast(di, hn::LoadU(d, p)); };
  const auto add = [&](hn::Vec<decltype(di)> v) HWY_ATTR {
    s0 = hn::Max(s0, v);
    u0 = hn::Max(u0, hn::BitCast(du, v));
  };
  size_t i = 0;
  for (; i + 2 * N <= count; i += 2 * N) {
    add(bits(x + i));
    const auto v = bits(x + i + N);
    s1 = hn::Max(s1, v);
    u1 = hn::Max(u1, hn::BitCast(du, v));
  }
  for (; i + N <= count; i += N) add(bits(x + i));
  if (i < count) {
    if (i + N <= readable) {
      add(hn::IfThenElseZero(hn::FirstN(di, count - i), bits(x + i)));
    } else {
      HWY_ALIGN float last[hn::MaxLanes(d)] = {};
      memcpy(last, x + i, (count - i) * sizeof(float));
      add(bits(last));
    }
  }
  const uint32_t most =
      static_cast<uint32_t>(hn::GetLane(hn::MaxOfLanes(di, hn::Max(s0, s1))));
  const uint32_t least = hn::GetLane(hn::MaxOfLanes(du, hn::Max(u0, u1)));
  Partial p;
  memcpy(&p.max, &most, sizeof most);
  const uint32_t magnitude = least >> 31 != 0 ? least & 0x7FFFFFFFu : 0u;
  float below;
  memcpy(&below, &magnitude, sizeof below);
  p.min = 0.0f - below;  // never -0
  p.abs_bits = magnitude > most ? magnitude : most;
  return p;
}

// The least and the greatest value of at least one, and the greatest bit
// pattern of |x|; where that is not finite, the others may be anything.
HWY_INLINE Partial Extent(const float* x, size_t count, size_t readable) {
  const hn::ScalableTag<float> d;
  const size_t N = hn::Lanes(d);
  Partial p;
  p.abs_bits = MaxAbsBits(x, count, readable);
  auto least = hn::Set(d, x[0]), most = least;
  size_t i = 0;
  for (; i + N <= count; i += N) {
    const auto v = hn::LoadU(d, x + i);
    least = hn::Min(least, v);
    most = hn::Max(most, v);
  }
  if (i < count) {
    HWY_ALIGN float last[hn::MaxLanes(d)];
    hn::Store(hn::Set(d, x[0]), d, last);
    memcpy(last, x + i, (count - i) * sizeof(float));
    const auto v = hn::Load(d, last);
    least = hn::Min(least, v);
    most = hn::Max(most, v);
  }
  p.least = hn::GetLane(hn::MinOfLanes(d, least));
  p.most = hn::GetLane(hn::MaxOfLanes(d, most));
  return p;
}

// One chunk; fills what the statistic needs, and abs_bits enough to tell
// whether all values are finite.
HWY_INLINE Partial ReduceChunk(const float* x, size_t count, size_t readable,
                               Statistic statistic) {
  Partial p;
  switch (statistic) {
    case Statistic::kAbsMax:
      p.abs_bits = MaxAbsBits(x, count, readable);
      break;
    case Statistic::kMinMax:
      return MinMax(x, count, readable);
    case Statistic::kExtreme:
      p = MinMax(x, count, readable);
      p.extreme = p.max > -p.min ? p.max : p.min;
      if (p.max == -p.min) {
        size_t i = 0;
        while (i + 1 < count && x[i] != p.min && x[i] != p.max) ++i;
        p.extreme = x[i];
      }
      break;
    case Statistic::kExtent:
      return Extent(x, count, readable);
    case Statistic::kAbsMean:
      p.abs_sum = SumAbs(x, count);
      // A sum of kChunk floats is finite in double just when all of them are.
      if (!(p.abs_sum <= 1.7976931348623157e308)) p.abs_bits = 0x7F800000u;
      break;
  }
  return p;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#endif  // include guard
