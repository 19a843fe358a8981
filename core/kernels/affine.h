// Kernels of integer formats: value = (code - zero_point) * scale.
#ifndef BNQ_CORE_KERNELS_AFFINE_H_
#define BNQ_CORE_KERNELS_AFFINE_H_

#include "core/scheme/format.h"

namespace bnq {

// For the best target of this CPU. Integer formats differ in the range of their
// codes and in how they choose a scale, neither of which the vectors see.
const Kernels& AffineKernels();

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_AFFINE_H_
