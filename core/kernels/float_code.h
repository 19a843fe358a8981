#ifndef BNQ_CORE_KERNELS_FLOAT_CODE_H_
#define BNQ_CORE_KERNELS_FLOAT_CODE_H_

#include "core/scheme/format.h"

namespace bnq {

// For the best target of this CPU. Small floats differ in their rows'
// small_float alone.
const Kernels& FloatCodeKernels();

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_FLOAT_CODE_H_
