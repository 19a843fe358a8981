// Kernels of the 16-bit floating-point formats, whose codes are values without
// scales.
#ifndef BNQ_CORE_KERNELS_HALF_H_
#define BNQ_CORE_KERNELS_HALF_H_

#include "core/scheme/format.h"

namespace bnq {

// For the best target of this CPU.
const Kernels& F16Kernels();
const Kernels& BF16Kernels();

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_HALF_H_
