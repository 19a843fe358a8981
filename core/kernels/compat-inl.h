// What Highway 1.0.3, the oldest release we build with, lacks. Included once
// per target.
#if defined(BNQ_CORE_KERNELS_COMPAT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BNQ_CORE_KERNELS_COMPAT_INL_H_
#undef BNQ_CORE_KERNELS_COMPAT_INL_H_
#else
#define BNQ_CORE_KERNELS_COMPAT_INL_H_
#endif

#include <stddef.h>
#include <stdint.h>

#include "hwy/highway.h"

// What intrinsics may be used: newer releases have more targets of each kind,
// of which the better ones have the smaller numbers. VBMI: shuffles of bytes
// across 64-byte vectors.
#undef BNQ_AVX512
#undef BNQ_AVX512_VBMI
#undef BNQ_AVX2
#undef BNQ_SSE
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
#define BNQ_AVX512 (HWY_TARGET <= HWY_AVX3)
#define BNQ_AVX512_VBMI (HWY_TARGET <= HWY_AVX3_DL)
#define BNQ_AVX2 (HWY_TARGET == HWY_AVX2)
#define BNQ_SSE (HWY_TARGET > HWY_AVX2)
#else
#define BNQ_AVX512 0
#define BNQ_AVX512_VBMI 0
#define BNQ_AVX2 0
#define BNQ_SSE 0
#endif

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// Stores the lanes of a, b, c, d, which fit, one behind the other as bytes: a
// quarter of the shuffles that four DemoteTo take.
template <class V>
HWY_INLINE void StoreFourAsInt8(V a, V b, V c, V d, int8_t* to) {
#if BNQ_AVX512
  const __m512i bytes = _mm512_packs_epi16(_mm512_packs_epi32(a.raw, b.raw),
                                           _mm512_packs_epi32(c.raw, d.raw));
  const __m512i order =
      _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  _mm512_storeu_si512(to, _mm512_permutexvar_epi32(order, bytes));
#elif BNQ_AVX2
  const __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(a.raw, b.raw),
                                           _mm256_packs_epi32(c.raw, d.raw));
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                      _mm256_permutevar8x32_epi32(bytes, order));
#elif BNQ_SSE
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                   _mm_packs_epi16(_mm_packs_epi32(a.raw, b.raw),
                                   _mm_packs_epi32(c.raw, d.raw)));
#else
  const hn::DFromV<V> di;
  const hn::Rebind<int8_t, decltype(di)> d8;
  const size_t N = hn::Lanes(di);
  hn::StoreU(hn::DemoteTo(d8, a), d8, to);
  hn::StoreU(hn::DemoteTo(d8, b), d8, to + N);
  hn::StoreU(hn::DemoteTo(d8, c), d8, to + 2 * N);
  hn::StoreU(hn::DemoteTo(d8, d), d8, to + 3 * N);
#endif
}

// Stores the low byte of each lane.
template <class V>
HWY_INLINE void StoreLowBytes(V v, uint8_t* to) {
#if BNQ_AVX512
  if constexpr (sizeof(V) == 64) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                     _mm512_cvtepi32_epi8(v.raw));
  } else
#endif
  {
    const hn::DFromV<V> di;
    const hn::Rebind<uint8_t, decltype(di)> du8;
    hn::StoreU(hn::DemoteTo(du8, hn::And(v, hn::Set(di, 255))), du8, to);
  }
}

// v | bits where mask, else v.
template <class V, class M>
HWY_INLINE V OrWhere(M mask, V v, V bits) {
#if BNQ_AVX512
  if constexpr (sizeof(V) == 64) {
    return V{_mm512_mask_or_epi32(v.raw, mask.raw, v.raw, bits.raw)};
  } else
#endif
  {
    return hn::IfThenElse(mask, hn::Or(v, bits), v);
  }
}

// v + addend where mask, else v.
template <class V, class M>
HWY_INLINE V AddWhere(M mask, V v, V addend) {
#if BNQ_AVX512
  if constexpr (sizeof(V) == 64) {
    return V{_mm512_mask_add_epi32(v.raw, mask.raw, v.raw, addend.raw)};
  } else
#endif
  {
    return hn::Add(v, hn::IfThenElseZero(mask, addend));
  }
}

// v, or limit with its sign where |v| is greater; limit >= 0.
template <class D>
HWY_INLINE hn::Vec<D> ClampMagnitude(D /*d*/, hn::Vec<D> v, hn::Vec<D> limit) {
#if BNQ_AVX512
  if constexpr (sizeof(v) == 64) {
    // The smaller magnitude, with the sign of the first.
    return hn::Vec<D>{_mm512_range_ps(v.raw, limit.raw, 2)};
  } else
#endif
  {
    return hn::Min(hn::Max(v, hn::Neg(limit)), limit);
  }
}

// The nearest integer, ties to even, of |v| < 2^22.
template <class D>
HWY_INLINE hn::Vec<hn::RebindToSigned<D>> NearestSmallInt(D d, hn::Vec<D> v) {
#if BNQ_SSE || BNQ_AVX2 || BNQ_AVX512
  using VI = hn::Vec<hn::RebindToSigned<D>>;
  // NearestInt would look for overflow.
  if constexpr (sizeof(v) == 16) {
    return VI{_mm_cvtps_epi32(v.raw)};
  }
#if BNQ_AVX2 || BNQ_AVX512
  if constexpr (sizeof(v) == 32) {
    return VI{_mm256_cvtps_epi32(v.raw)};
  }
#endif
#if BNQ_AVX512
  if constexpr (sizeof(v) == 64) {
    return VI{_mm512_cvtps_epi32(v.raw)};
  }
#endif
#endif
  // Adding 1.5 * 2^23 leaves it in the low bits.
  const hn::RebindToSigned<D> di;
  const auto sum = hn::BitCast(di, hn::Add(v, hn::Set(d, 12582912.0f)));
  return hn::Sub(sum, hn::Set(di, 0x4B400000));
}

#if HWY_TARGET != HWY_SCALAR
// The sum of the products of the two halves of each lane of d.
template <class D, class V>
HWY_INLINE hn::Vec<D> MulPairs(D d, V a, V b) {
#if BNQ_SSE || BNQ_AVX2 || BNQ_AVX512
  if constexpr (sizeof(V) == 16) {
    return hn::Vec<D>{_mm_madd_epi16(a.raw, b.raw)};
  }
#if BNQ_AVX2 || BNQ_AVX512
  if constexpr (sizeof(V) == 32) {
    return hn::Vec<D>{_mm256_madd_epi16(a.raw, b.raw)};
  }
#endif
#if BNQ_AVX512
  if constexpr (sizeof(V) == 64) {
    return hn::Vec<D>{_mm512_madd_epi16(a.raw, b.raw)};
  }
#endif
#endif
  const auto wide_a = hn::BitCast(d, a), wide_b = hn::BitCast(d, b);
  const auto low = [&](hn::Vec<D> v) HWY_ATTR {
    return hn::ShiftRight<16>(hn::ShiftLeft<16>(v));
  };
  return hn::Add(
      hn::Mul(low(wide_a), low(wide_b)),
      hn::Mul(hn::ShiftRight<16>(wide_a), hn::ShiftRight<16>(wide_b)));
}
#endif

// Whether bytes can be shuffled across 64-byte vectors in one instruction.
#if BNQ_AVX512_VBMI
constexpr bool kWideByteShuffle = true;
#else
constexpr bool kWideByteShuffle = false;
#endif

#if HWY_TARGET != HWY_SCALAR
// Byte i of the result is byte index[i] of v: of 64 bytes where
// kWideByteShuffle allows vectors of as many, else of 16.
template <class D>
HWY_INLINE hn::Vec<D> ShuffleBytes(D /*d*/, hn::Vec<D> v, hn::Vec<D> index) {
#if BNQ_AVX512_VBMI
  return hn::Vec<D>{_mm512_permutexvar_epi8(index.raw, v.raw)};
#else
  return hn::TableLookupBytes(v, index);
#endif
}
#endif

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#endif  // include guard
