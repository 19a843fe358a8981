// Kernels of the binary format: value = sign * scale.
#ifndef BNQ_CORE_KERNELS_SIGN_H_
#define BNQ_CORE_KERNELS_SIGN_H_

#include "core/scheme/format.h"

namespace bnq {

// For the best target of this CPU.
const Kernels& SignKernels();

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_SIGN_H_
