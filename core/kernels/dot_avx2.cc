// Dot products with AVX2 alone. Its products of bytes saturate at 16 bits: no
// two of them may exceed that, so planes are shifted, and codes of 8 bits are
// multiplied as 16-bit numbers.
#include "core/kernels/dot_avx2.h"

#if BNQ_DOT_X86
#include "hwy/base.h"

HWY_PUSH_ATTRIBUTES("avx,avx2")
#include "core/kernels/dot_avx2-inl.h"

namespace bnq {
namespace N_AVX2_DOT {
namespace {

struct Vectors : DotAvx2 {
  static constexpr bool kMasks = false;

  // u <= 127.
  static BNQ_DOT_INLINE V Dot(V acc, V u, V s) {
    const V pairs = _mm256_maddubs_epi16(u, s);
    return Add32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
  static BNQ_DOT_INLINE V DotWide(V acc, V u, V s) {
    const V even =
        _mm256_madd_epi16(_mm256_and_si256(u, _mm256_set1_epi16(0xFF)),
                          _mm256_srai_epi16(_mm256_slli_epi16(s, 8), 8));
    const V odd =
        _mm256_madd_epi16(_mm256_srli_epi16(u, 8), _mm256_srai_epi16(s, 8));
    return Add32(acc, Add32(even, odd));
  }
};

}  // namespace

const DotKernels* Kernels() {
  static constexpr DotKernels kKernels = DotFamily<Vectors>::Row("avx2");
  return &kKernels;
}

}  // namespace N_AVX2_DOT
}  // namespace bnq
HWY_POP_ATTRIBUTES

#endif  // BNQ_DOT_X86
