// The vectors that AVX2 and AVX-VNNI have in common. Included within a
// family's attributes, after which dot_family-inl.h is.
#ifndef BNQ_CORE_KERNELS_DOT_AVX2_INL_H_
#define BNQ_CORE_KERNELS_DOT_AVX2_INL_H_

#include <immintrin.h>

#include "core/kernels/dot_family-inl.h"

namespace bnq {
namespace {

struct DotAvx2 {
  using V = __m256i;
  static constexpr size_t kBytes = 32;
  static constexpr bool kReducesFour = false;
  static constexpr int kRows2 = 2, kRowsBase3 = 2, kTileRows = 5;

  static BNQ_DOT_INLINE V Zero() { return _mm256_setzero_si256(); }
  static BNQ_DOT_INLINE V Set(char c) { return _mm256_set1_epi8(c); }
  static BNQ_DOT_INLINE V Load(const void* p) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(p));
  }
  static BNQ_DOT_INLINE V LoadPart(const void* p, size_t bytes) {
    alignas(32) uint8_t copy[32] = {};
    __builtin_memcpy(copy, p, bytes);
    return Load(copy);
  }
  static BNQ_DOT_INLINE void Store(void* p, V v) {
    _mm256_storeu_si256(static_cast<__m256i*>(p), v);
  }
  static BNQ_DOT_INLINE void Prefetch(const void* p) {
    _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0);
  }
  static BNQ_DOT_INLINE V And(V a, V b) { return _mm256_and_si256(a, b); }
  static BNQ_DOT_INLINE V Xor(V a, V b) { return _mm256_xor_si256(a, b); }
  static BNQ_DOT_INLINE V Add8(V a, V b) { return _mm256_add_epi8(a, b); }
  static BNQ_DOT_INLINE V Add32(V a, V b) { return _mm256_add_epi32(a, b); }
  static BNQ_DOT_INLINE V Sub32(V a, V b) { return _mm256_sub_epi32(a, b); }
  template <int kShift>
  static BNQ_DOT_INLINE V ShiftRight(V v) {
    return _mm256_srli_epi16(v, kShift);
  }
  template <int kShift>
  static BNQ_DOT_INLINE V ShiftRight32(V v) {
    return kShift == 0 ? v : _mm256_srai_epi32(v, kShift);
  }
  static BNQ_DOT_INLINE V Broadcast32(const void* p) {
    int32_t dword;
    __builtin_memcpy(&dword, p, sizeof dword);
    return _mm256_set1_epi32(dword);
  }
  static BNQ_DOT_INLINE V Table(const uint8_t* table) {
    return _mm256_broadcastsi128_si256(
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
  }
  static BNQ_DOT_INLINE V Shuffle(V table, V index) {
    return _mm256_shuffle_epi8(table, index);
  }
  static BNQ_DOT_INLINE V DigitOf(V t) {
    // Of each comparison -1 where it holds.
    const V two = Set(static_cast<char>(171)), one = Set(86);
    const V sum = Add8(_mm256_cmpeq_epi8(_mm256_max_epu8(t, one), t),
                       _mm256_cmpeq_epi8(_mm256_max_epu8(t, two), t));
    return _mm256_sub_epi8(Zero(), sum);
  }
  static BNQ_DOT_INLINE int32_t Sum(V v) {
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(v),
                                _mm256_extracti128_si256(v, 1));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4E));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xB1));
    return _mm_cvtsi128_si32(sum);
  }
  // Sums of kLanes lanes each, 8 / kLanes of them.
  template <int kLanes>
  static BNQ_DOT_INLINE void StoreSums(V v, int32_t* sums) {
    const __m128i low = _mm256_castsi256_si128(v);
    const __m128i pairs = _mm_hadd_epi32(low, _mm256_extracti128_si256(v, 1));
    if (kLanes == 2) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(sums), pairs);
      return;
    }
    const __m128i fours = _mm_hadd_epi32(pairs, pairs);
    if (kLanes == 4) {
      _mm_storel_epi64(reinterpret_cast<__m128i*>(sums), fours);
    } else {
      *sums = _mm_cvtsi128_si32(_mm_hadd_epi32(fours, fours));
    }
  }
  template <int kLanes>
  static BNQ_DOT_INLINE void StoreSums4(const V*, int32_t*) {}
  // 8 rows of 8 dwords to 8 columns of them.
  static BNQ_DOT_INLINE void Transpose(V* w) {
    V t[8];
#pragma GCC unroll 16
    for (int i = 0; i < 8; i += 2) {
      t[i] = _mm256_unpacklo_epi32(w[i], w[i + 1]);
      t[i + 1] = _mm256_unpackhi_epi32(w[i], w[i + 1]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 8; i += 4) {
      w[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]);
      w[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
      w[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]);
      w[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
#pragma GCC unroll 16
    for (int k = 0; k < 4; ++k) {
      t[k] = _mm256_permute2x128_si256(w[k], w[4 + k], 0x20);
      t[4 + k] = _mm256_permute2x128_si256(w[k], w[4 + k], 0x31);
    }
#pragma GCC unroll 16
    for (int k = 0; k < 8; ++k) w[k] = t[k];
  }
};

}  // namespace
}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_DOT_AVX2_INL_H_
