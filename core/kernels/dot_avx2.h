// Dot products with AVX2.
#ifndef BNQ_CORE_KERNELS_DOT_AVX2_H_
#define BNQ_CORE_KERNELS_DOT_AVX2_H_

#include "core/kernels/dot_families.h"

#if BNQ_DOT_X86
namespace bnq {
namespace N_AVX2_DOT {
const DotKernels* Kernels();
}
}  // namespace bnq
#endif

#endif  // BNQ_CORE_KERNELS_DOT_AVX2_H_
