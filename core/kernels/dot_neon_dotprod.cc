// Dot products with NEON's dot product extension, whose bytes are signed:
// planes are shifted to where they are no more than 127.
#include "core/kernels/dot_neon_dotprod.h"

#if BNQ_DOT_NEON
#include "hwy/base.h"

#if defined(__clang__)
HWY_PUSH_ATTRIBUTES("dotprod")
#else
HWY_PUSH_ATTRIBUTES("arch=armv8.2-a+dotprod")
#endif
#include "core/kernels/dot_neon-inl.h"

namespace bnq {
namespace N_NEON_DOTPROD {
namespace {

struct Vectors : DotNeon {
  static constexpr bool kMasks = false;

  // u <= 127.
  static BNQ_DOT_INLINE V Dot(V acc, V u, V s) {
    return Bytes(vdotq_s32(Dwords(acc), Signed(u), Signed(s)));
  }
  // u = (u - 128) + 127 + 1.
  static BNQ_DOT_INLINE V DotWide(V acc, V u, V s) {
    acc = Dot(acc, Xor(u, Set(static_cast<char>(0x80))), s);
    return Dot(Dot(acc, Set(127), s), Set(1), s);
  }
};

}  // namespace

const DotKernels* Kernels() {
  static constexpr DotKernels kKernels =
      DotFamily<Vectors>::Row("neon_dotprod");
  return &kKernels;
}

}  // namespace N_NEON_DOTPROD
}  // namespace bnq
HWY_POP_ATTRIBUTES

#endif  // BNQ_DOT_NEON
