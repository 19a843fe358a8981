// Dot products with NEON's int8 matrix multiplication extension: its products
// of unsigned and signed bytes take masked planes and whole bytes as they are.
#include "core/kernels/dot_neon_i8mm.h"

#if BNQ_DOT_NEON
#include "hwy/base.h"

#if defined(__clang__)
HWY_PUSH_ATTRIBUTES("dotprod,i8mm")
#else
HWY_PUSH_ATTRIBUTES("arch=armv8.2-a+dotprod+i8mm")
#endif
#include "core/kernels/dot_neon-inl.h"

namespace bnq {
namespace N_NEON_I8MM {
namespace {

struct Vectors : DotNeon {
  static constexpr bool kMasks = true;

  static BNQ_DOT_INLINE V Dot(V acc, V u, V s) {
    return Bytes(vusdotq_s32(Dwords(acc), u, Signed(s)));
  }
  static BNQ_DOT_INLINE V DotWide(V acc, V u, V s) { return Dot(acc, u, s); }
};

}  // namespace

const DotKernels* Kernels() {
  static constexpr DotKernels kKernels = DotFamily<Vectors>::Row("neon_i8mm");
  return &kKernels;
}

}  // namespace N_NEON_I8MM
}  // namespace bnq
HWY_POP_ATTRIBUTES

#endif  // BNQ_DOT_NEON
