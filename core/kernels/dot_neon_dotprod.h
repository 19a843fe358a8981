// Dot products with NEON's dot product extension.
#ifndef BNQ_CORE_KERNELS_DOT_NEON_DOTPROD_H_
#define BNQ_CORE_KERNELS_DOT_NEON_DOTPROD_H_

#include "core/kernels/dot_families.h"

#if BNQ_DOT_NEON
namespace bnq {
namespace N_NEON_DOTPROD {
const DotKernels* Kernels();
}
}  // namespace bnq
#endif

#endif  // BNQ_CORE_KERNELS_DOT_NEON_DOTPROD_H_
