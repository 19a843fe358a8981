// Elements of plain arrays as another type.
#ifndef BNQ_CORE_MODEL_PLAIN_ARRAY_H_
#define BNQ_CORE_MODEL_PLAIN_ARRAY_H_

#include <cstdint>

#include "core/base/dtype.h"
#include "core/base/shape.h"
#include "core/kernels/overflow.h"

namespace bnq {

// Elements [begin, begin + count), in row-major order, of a floating-point
// array as `dtype` (F32, F16, BF16), rounded to nearest even. NON_FINITE names
// the first that it does not hold, where `overflow` does not say what then.
void ConvertElements(const ArrayView& array, uint64_t begin, uint64_t count,
                     DType dtype, Overflow overflow, uint8_t* out);

}  // namespace bnq

#endif  // BNQ_CORE_MODEL_PLAIN_ARRAY_H_
