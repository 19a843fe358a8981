// Arrays as the kernels read them.
#ifndef BNQ_CORE_TENSOR_SOURCE_H_
#define BNQ_CORE_TENSOR_SOURCE_H_

#include <cstdint>

#include "core/base/shape.h"
#include "core/kernels/elements.h"
#include "core/scheme/config.h"

namespace bnq {

// UNSUPPORTED for a type that cannot be quantized. `config` says what is
// done to values that are not finite or too large; nullptr: nothing.
SourceView MakeSource(const ArrayView& array, const Config* config);

// Fails with NON_FINITE naming the first such element in [begin, end), if any;
// and the array, where it has a name.
void CheckFinite(const ArrayView& array, uint64_t begin, uint64_t end,
                 const char* name = nullptr);

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_SOURCE_H_
