// Groups of one to eight vectors, many at a time: a group by itself would spend
// more on its parameters than on its codes. Included once per target.
#if defined(BNQ_CORE_KERNELS_SMALL_GROUPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BNQ_CORE_KERNELS_SMALL_GROUPS_INL_H_
#undef BNQ_CORE_KERNELS_SMALL_GROUPS_INL_H_
#else
#define BNQ_CORE_KERNELS_SMALL_GROUPS_INL_H_
#endif

#include <float.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/kernels/convert-inl.h"
#include "core/kernels/runs-inl.h"
#include "core/scheme/format.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// Groups that are worked on at a time: as many as a vector has lanes.
constexpr size_t kGroupsAtATime = hn::MaxLanes(DF());

// Lane i of the result is the greatest lane of v[i], of kGroupsAtATime vectors,
// which are changed.
HWY_INLINE VI MaxOfEach(VI* v) {
#if HWY_TARGET != HWY_SCALAR
  const DI di;
  constexpr size_t kN = hn::MaxLanes(DI());
  // Pairs of vectors take turns in the lanes of a block, then fours.
  const hn::Repartition<int64_t, DI> d64;
  HWY_UNROLL(8)
  for (size_t i = 0; i < kN / 2; ++i) {
    v[i] = hn::Max(hn::InterleaveLower(di, v[2 * i], v[2 * i + 1]),
                   hn::InterleaveUpper(di, v[2 * i], v[2 * i + 1]));
  }
  HWY_UNROLL(4)
  for (size_t i = 0; i < kN / 4; ++i) {
    const auto a = hn::BitCast(d64, v[2 * i]);
    const auto b = hn::BitCast(d64, v[2 * i + 1]);
    v[i] = hn::Max(hn::BitCast(di, hn::InterleaveLower(d64, a, b)),
                   hn::BitCast(di, hn::InterleaveUpper(d64, a, b)));
  }
  // Then the blocks.
  if constexpr (kN == 8) {
    v[0] = hn::Max(hn::ConcatLowerLower(di, v[1], v[0]),
                   hn::ConcatUpperUpper(di, v[1], v[0]));
  }
#if BNQ_AVX512
  if constexpr (kN == 16) {
    const auto halves = [](VI a, VI b) HWY_ATTR {
      return VI{_mm512_max_epi32(_mm512_shuffle_i32x4(a.raw, b.raw, 0x88),
                                 _mm512_shuffle_i32x4(a.raw, b.raw, 0xDD))};
    };
    v[0] = halves(halves(v[0], v[1]), halves(v[2], v[3]));
  }
#endif
#endif
  return v[0];
}

// Groups of 1, 2, 4 or 8 vectors are small.
HWY_INLINE bool IsSmallGroup(uint64_t run) {
  const size_t N = hn::Lanes(DF());
  return run == N || run == 2 * N || run == 4 * N || run == 8 * N;
}

// The greatest |x| of each of `count` <= kGroupsAtATime groups of kVectors
// vectors, as bits; 0 for the rest.
template <size_t kVectors>
HWY_INLINE VI GreatestOfGroups(const float* x, size_t count) {
  const DI di;
  const DF d;
  constexpr size_t kN = hn::MaxLanes(DF());
  const VI mask = hn::Set(di, 0x7FFFFFFF);
  VI v[kGroupsAtATime];
  const auto greatest = [&](const float* p) HWY_ATTR {
    const auto bits = [&](size_t i) HWY_ATTR {
      return hn::And(hn::BitCast(di, hn::LoadU(d, p + i * kN)), mask);
    };
    if constexpr (kVectors == 1) return bits(0);
    VI most = hn::Max(bits(0), bits(1)), other = most;
    if constexpr (kVectors >= 4) other = hn::Max(bits(2), bits(3));
    for (size_t i = 4; i < kVectors; i += 2) {
      most = hn::Max(most, bits(i));
      other = hn::Max(other, bits(i + 1));
    }
    return hn::Max(most, other);
  };
  if (HWY_LIKELY(count == kGroupsAtATime)) {
    HWY_UNROLL(16)
    for (size_t g = 0; g < kGroupsAtATime; ++g) {
      v[g] = greatest(x + g * kVectors * kN);
    }
  } else {
    for (size_t g = 0; g < kGroupsAtATime; ++g) {
      v[g] = g < count ? greatest(x + g * kVectors * kN) : hn::Zero(di);
    }
  }
  return MaxOfEach(v);
}

// The extreme of each of `count` <= kGroupsAtATime groups of `vectors` vectors,
// as bits; 0 for the rest. False where x and -x are the greatest of a group: of
// these the first counts, which the long way looks for.
HWY_NOINLINE bool ExtremesOfGroups(const float* x, size_t vectors, size_t count,
                                   VI* extremes) {
  const DI di;
  const DF d;
  constexpr size_t kN = hn::MaxLanes(DF());
  const VI zero = hn::Zero(di), sign = hn::Set(di, INT32_MIN);
  VI above[kGroupsAtATime], below[kGroupsAtATime];
  for (size_t g = 0; g < kGroupsAtATime; ++g) {
    above[g] = below[g] = zero;
    // Numbers of the other side are less than 0 as bits.
    for (size_t i = 0; g < count && i < vectors; ++i) {
      const VI bits = hn::BitCast(di, hn::LoadU(d, x + (g * vectors + i) * kN));
      above[g] = hn::Max(above[g], bits);
      below[g] = hn::Max(below[g], hn::Xor(bits, sign));
    }
  }
  const VI most = MaxOfEach(above), least = MaxOfEach(below);
  *extremes = hn::IfThenElse(hn::Gt(least, most), hn::Or(least, sign), most);
  return hn::AllFalse(di, hn::And(hn::Eq(most, least), hn::Gt(most, zero)));
}

// Scales of groups by their greatest values, as ParamsOf rounds them; false,
// and none, where one is at the ends of what float32 or its type holds, or not
// finite: the caller takes the long way.
class GroupScales {
 public:
  // Whether it applies: symmetric ranges of the greatest absolute value, or of
  // the extreme.
  static bool Apply(const Format& format, const Variant& variant,
                    Statistic statistic) {
    return (statistic == Statistic::kAbsMax ||
            statistic == Statistic::kExtreme) &&
           format.divisor != nullptr && variant.scheme == Scheme::kSymmetric;
  }

  GroupScales(const Format& format, const Variant& variant, Statistic statistic)
      : dtype_(variant.scale_dtype),
        with_sign_(statistic == Statistic::kExtreme),
        divisor_(format.divisor(variant)),
        small_float_(format.small_float) {}

  // Of `count` <= kGroupsAtATime groups of `group` elements from x on.
  HWY_INLINE bool Find(const float* x, size_t group, size_t count,
                       float* scales) const {
    const DF d;
    const DI di;
    const size_t vectors = group / hn::MaxLanes(d);
    VI greatest;
    if (with_sign_) {
      if (!ExtremesOfGroups(x, vectors, count, &greatest)) return false;
    } else {
      greatest = vectors == 1   ? GreatestOfGroups<1>(x, count)
                 : vectors == 2 ? GreatestOfGroups<2>(x, count)
                 : vectors == 4 ? GreatestOfGroups<4>(x, count)
                                : GreatestOfGroups<8>(x, count);
    }
    const auto m = hn::BitCast(d, greatest);
    const auto none = hn::Eq(m, hn::Zero(d));
    // Never -0.
    auto s = hn::IfThenZeroElse(none, hn::Div(m, hn::Set(d, divisor_)));
    // What UsableScale leaves alone, whatever the format.
    const auto size = hn::Abs(s);
    const auto usable = hn::And(hn::Ge(size, hn::Set(d, Least())),
                                hn::Le(size, hn::Set(d, Most())));
    if (!hn::AllTrue(d, hn::Or(usable, none))) return false;
    const VI bits = hn::BitCast(di, s);
    switch (dtype_) {
      case ScaleDType::kF32:
      case ScaleDType::kE4M3:
        break;
      case ScaleDType::kF16:
        s = hn::BitCast(d, BitsFromF16(F16FromBits(bits)));
        break;
      case ScaleDType::kBF16:
        s = hn::BitCast(d, BitsFromBF16(BF16FromBits(bits)));
        break;
      case ScaleDType::kE8M0: {
        const VI exponent = hn::Set(di, 0x7F800000);
        const VI power =
            small_float_ != nullptr
                ? hn::Sub(hn::And(greatest, exponent),
                          hn::Set(di, small_float_->greatest_exponent() << 23))
                : hn::And(hn::Add(bits, hn::Set(di, 0x007FFFFF)), exponent);
        s = hn::IfThenZeroElse(none, hn::BitCast(d, power));
        break;
      }
    }
    if (HWY_LIKELY(count == kGroupsAtATime)) {
      hn::StoreU(s, d, scales);
    } else {
      HWY_ALIGN float some[kGroupsAtATime];
      hn::Store(s, d, some);
      memcpy(scales, some, count * sizeof(float));
    }
    return true;
  }

 private:
  // Scales within these are rounded, never bounded; 2^-100 and 2^100 are far
  // enough from either end for float32, and for powers of two.
  float Least() const {
    return dtype_ == ScaleDType::kF16 ? kLeastF16 : 7.888609052210118e-31f;
  }
  float Most() const {
    return dtype_ == ScaleDType::kF16 ? kGreatestF16 : 1.2676506002282294e30f;
  }

  ScaleDType dtype_;
  bool with_sign_;  // those of the extreme
  float divisor_;
  const SmallFloat* small_float_;  // by OCP's rule of powers of two
};

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#endif  // include guard
