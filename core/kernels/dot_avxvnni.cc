// Dot products with AVX-VNNI: vpdpbusd of 32 bytes, on processors that have no
// AVX-512.
#include "core/kernels/dot_avxvnni.h"

#if BNQ_DOT_X86
#include "hwy/base.h"

HWY_PUSH_ATTRIBUTES("avx,avx2,avxvnni")
#include "core/kernels/dot_avx2-inl.h"

namespace bnq {
namespace N_AVX_VNNI {
namespace {

struct Vectors : DotAvx2 {
  static constexpr bool kMasks = true;

  static BNQ_DOT_INLINE V Dot(V acc, V u, V s) {
    return _mm256_dpbusd_avx_epi32(acc, u, s);
  }
  static BNQ_DOT_INLINE V DotWide(V acc, V u, V s) { return Dot(acc, u, s); }
};

}  // namespace

const DotKernels* Kernels() {
  static constexpr DotKernels kKernels = DotFamily<Vectors>::Row("avx_vnni");
  return &kKernels;
}

}  // namespace N_AVX_VNNI
}  // namespace bnq
HWY_POP_ATTRIBUTES

#endif  // BNQ_DOT_X86
