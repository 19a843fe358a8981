// Dot products with AVX-512 VNNI: vpdpbusd, which neither saturates nor needs
// more than one instruction for 64 products.
#include "core/kernels/dot_avx512vnni.h"

#if BNQ_DOT_X86
#include "hwy/base.h"

// GCC's own intrinsics: false warnings of GCC 12, its bug 105593.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#include <immintrin.h>

#include "core/kernels/dot_family-inl.h"

namespace bnq {
namespace N_AVX512_VNNI {
namespace {

struct Vectors {
  using V = __m512i;
  static constexpr size_t kBytes = 64;
  static constexpr bool kReducesFour = true;
  // Products may be of masked planes and whole bytes.
  static constexpr bool kMasks = true;
  static constexpr int kRows2 = 4, kRowsBase3 = 4, kTileRows = 12;

  static BNQ_DOT_INLINE V Zero() { return _mm512_setzero_si512(); }
  static BNQ_DOT_INLINE V Set(char c) { return _mm512_set1_epi8(c); }
  static BNQ_DOT_INLINE V Load(const void* p) { return _mm512_loadu_si512(p); }
  static BNQ_DOT_INLINE V LoadPart(const void* p, size_t bytes) {
    return _mm512_maskz_loadu_epi8((uint64_t{1} << bytes) - 1, p);
  }
  static BNQ_DOT_INLINE void Store(void* p, V v) { _mm512_storeu_si512(p, v); }
  static BNQ_DOT_INLINE void Prefetch(const void* p) {
    _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0);
  }
  static BNQ_DOT_INLINE V And(V a, V b) { return _mm512_and_si512(a, b); }
  static BNQ_DOT_INLINE V Xor(V a, V b) { return _mm512_xor_si512(a, b); }
  static BNQ_DOT_INLINE V Add8(V a, V b) { return _mm512_add_epi8(a, b); }
  static BNQ_DOT_INLINE V Add32(V a, V b) { return _mm512_add_epi32(a, b); }
  static BNQ_DOT_INLINE V Sub32(V a, V b) { return _mm512_sub_epi32(a, b); }
  template <int kShift>
  static BNQ_DOT_INLINE V ShiftRight(V v) {
    return _mm512_srli_epi16(v, kShift);
  }
  template <int kShift>
  static BNQ_DOT_INLINE V ShiftRight32(V v) {
    return kShift == 0 ? v : _mm512_srai_epi32(v, kShift);
  }
  static BNQ_DOT_INLINE V Dot(V acc, V u, V s) {
    return _mm512_dpbusd_epi32(acc, u, s);
  }
  static BNQ_DOT_INLINE V DotWide(V acc, V u, V s) { return Dot(acc, u, s); }
  static BNQ_DOT_INLINE V Broadcast32(const void* p) {
    int32_t dword;
    __builtin_memcpy(&dword, p, sizeof dword);
    return _mm512_set1_epi32(dword);
  }
  static BNQ_DOT_INLINE V Table(const uint8_t* table) {
    return _mm512_broadcast_i32x4(
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
  }
  static BNQ_DOT_INLINE V Shuffle(V table, V index) {
    return _mm512_shuffle_epi8(table, index);
  }
  static BNQ_DOT_INLINE V DigitOf(V t) {
    const V one = Set(1);
    const V digit =
        _mm512_maskz_mov_epi8(_mm512_cmpge_epu8_mask(t, Set(86)), one);
    return _mm512_mask_add_epi8(
        digit, _mm512_cmpge_epu8_mask(t, Set(static_cast<char>(171))), digit,
        one);
  }
  static BNQ_DOT_INLINE int32_t Sum(V v) { return _mm512_reduce_add_epi32(v); }
  // Sums of kLanes lanes each, 16 / kLanes of them.
  template <int kLanes>
  static BNQ_DOT_INLINE void StoreSums(V v, int32_t* sums) {
    v = _mm512_add_epi32(v, _mm512_shuffle_epi32(v, _MM_PERM_CDAB));
    if (kLanes == 2) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums),
                          _mm512_cvtepi64_epi32(v));
      return;
    }
    v = _mm512_add_epi32(v, _mm512_shuffle_epi32(v, _MM_PERM_BADC));
    if (kLanes >= 8) v = AddHalves<kLanes>(v);
    Compress<kLanes>(v, sums);
  }
  // The same of four vectors, whose sums follow each other.
  template <int kLanes>
  static BNQ_DOT_INLINE void StoreSums4(const V* v, int32_t* sums) {
    if (kLanes == 2) {
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) StoreSums<2>(v[i], sums + 8 * i);
      return;
    }
    const V low = _mm512_add_epi32(_mm512_unpacklo_epi32(v[0], v[1]),
                                   _mm512_unpackhi_epi32(v[0], v[1]));
    const V high = _mm512_add_epi32(_mm512_unpacklo_epi32(v[2], v[3]),
                                    _mm512_unpackhi_epi32(v[2], v[3]));
    // Of each quarter of v[i], in dword i of that quarter.
    V all = _mm512_add_epi32(_mm512_unpacklo_epi64(low, high),
                             _mm512_unpackhi_epi64(low, high));
    if (kLanes >= 8) all = AddHalves<kLanes>(all);
    const V at = kLanes == 4 ? _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6,
                                                 10, 14, 3, 7, 11, 15)
                 : kLanes == 8 ? _mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 0,
                                                   0, 0, 0, 0, 0, 0, 0)
                               : _mm512_setr_epi32(0, 1, 2, 3, 0, 0, 0, 0, 0, 0,
                                                   0, 0, 0, 0, 0, 0);
    const V sorted = _mm512_permutexvar_epi32(at, all);
    if (kLanes == 4) return Store(sums, sorted);
    if (kLanes == 8) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums),
                          _mm512_castsi512_si256(sorted));
      return;
    }
    _mm_storeu_si128(reinterpret_cast<__m128i*>(sums),
                     _mm512_castsi512_si128(sorted));
  }
  // Adds quarters 0 and 1, 2 and 3; or all four.
  template <int kLanes>
  static BNQ_DOT_INLINE V AddHalves(V v) {
    v = _mm512_add_epi32(v, _mm512_shuffle_i32x4(v, v, 0xB1));
    if (kLanes == 16) {
      v = _mm512_add_epi32(v, _mm512_shuffle_i32x4(v, v, 0x4E));
    }
    return v;
  }
  template <int kLanes>
  static BNQ_DOT_INLINE void Compress(V v, int32_t* sums) {
    const V at = _mm512_setr_epi32(0, kLanes & 15, 8, 12, 0, 0, 0, 0, 0, 0, 0,
                                   0, 0, 0, 0, 0);
    const __m128i first =
        _mm512_castsi512_si128(_mm512_permutexvar_epi32(at, v));
    if (kLanes == 4) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(sums), first);
    } else if (kLanes == 8) {
      _mm_storel_epi64(reinterpret_cast<__m128i*>(sums), first);
    } else {
      *sums = _mm_cvtsi128_si32(first);
    }
  }
  // 16 rows of 16 dwords to 16 columns of them.
  static BNQ_DOT_INLINE void Transpose(V* w) {
    V t[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i += 2) {
      t[i] = _mm512_unpacklo_epi32(w[i], w[i + 1]);
      t[i + 1] = _mm512_unpackhi_epi32(w[i], w[i + 1]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; i += 4) {
      w[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
      w[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
      w[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
      w[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    // w[4 j + k] has dwords k, 4 + k, 8 + k, 12 + k of rows 4 j to 4 j + 3.
#pragma GCC unroll 16
    for (int k = 0; k < 4; ++k) {
      t[k] = _mm512_shuffle_i32x4(w[k], w[4 + k], 0x88);
      t[4 + k] = _mm512_shuffle_i32x4(w[k], w[4 + k], 0xDD);
      t[8 + k] = _mm512_shuffle_i32x4(w[8 + k], w[12 + k], 0x88);
      t[12 + k] = _mm512_shuffle_i32x4(w[8 + k], w[12 + k], 0xDD);
    }
#pragma GCC unroll 16
    for (int k = 0; k < 4; ++k) {
      w[k] = _mm512_shuffle_i32x4(t[k], t[8 + k], 0x88);
      w[4 + k] = _mm512_shuffle_i32x4(t[4 + k], t[12 + k], 0x88);
      w[8 + k] = _mm512_shuffle_i32x4(t[k], t[8 + k], 0xDD);
      w[12 + k] = _mm512_shuffle_i32x4(t[4 + k], t[12 + k], 0xDD);
    }
  }
};

}  // namespace

const DotKernels* Kernels() {
  static constexpr DotKernels kKernels = DotFamily<Vectors>::Row("avx512_vnni");
  return &kKernels;
}

}  // namespace N_AVX512_VNNI
}  // namespace bnq
HWY_POP_ATTRIBUTES

#endif  // BNQ_DOT_X86
