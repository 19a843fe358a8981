// Dot products with AVX-512 VNNI.
#ifndef BNQ_CORE_KERNELS_DOT_AVX512VNNI_H_
#define BNQ_CORE_KERNELS_DOT_AVX512VNNI_H_

#include "core/kernels/dot_families.h"

#if BNQ_DOT_X86
namespace bnq {
namespace N_AVX512_VNNI {
const DotKernels* Kernels();
}
}  // namespace bnq
#endif

#endif  // BNQ_CORE_KERNELS_DOT_AVX512VNNI_H_
