// Dot products with NEON's int8 matrix multiplication extension.
#ifndef BNQ_CORE_KERNELS_DOT_NEON_I8MM_H_
#define BNQ_CORE_KERNELS_DOT_NEON_I8MM_H_

#include "core/kernels/dot_families.h"

#if BNQ_DOT_NEON
namespace bnq {
namespace N_NEON_I8MM {
const DotKernels* Kernels();
}
}  // namespace bnq
#endif

#endif  // BNQ_CORE_KERNELS_DOT_NEON_I8MM_H_
