// Kernels of formats whose values are a table of 16: value = table[code] *
// scale.
#ifndef BNQ_CORE_KERNELS_TABLE_H_
#define BNQ_CORE_KERNELS_TABLE_H_

#include "core/scheme/format.h"

namespace bnq {

// For the best target of this CPU. The table comes with the format's row, so
// another such format costs no code.
const Kernels& TableKernels();

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_TABLE_H_
