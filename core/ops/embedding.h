// Rows of a quantized matrix by index.
#ifndef BNQ_CORE_OPS_EMBEDDING_H_
#define BNQ_CORE_OPS_EMBEDDING_H_

#include <cstdint>

#include "core/base/context.h"
#include "core/ops/matrix.h"
#include "core/tensor/tensor.h"

namespace bnq {

// Row i of y is row indices[i] of the table, dequantized. INVALID_ARGUMENT
// names an index that is none, before anything is written.
void Embed(const Context& context, const QuantizedTensor& table,
           const int64_t* indices, uint64_t count, const Matrix& y);

}  // namespace bnq

#endif  // BNQ_CORE_OPS_EMBEDDING_H_
