// Dot products with AVX-VNNI.
#ifndef BNQ_CORE_KERNELS_DOT_AVXVNNI_H_
#define BNQ_CORE_KERNELS_DOT_AVXVNNI_H_

#include "core/kernels/dot_families.h"

#if BNQ_DOT_X86
namespace bnq {
namespace N_AVX_VNNI {
const DotKernels* Kernels();
}
}  // namespace bnq
#endif

#endif  // BNQ_CORE_KERNELS_DOT_AVXVNNI_H_
