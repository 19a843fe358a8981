#include "core/ops/embedding.h"

#include "core/base/error.h"
#include "core/parallel/runner.h"
#include "core/tensor/dequantize.h"

namespace bnq {

void Embed(const Context& context, const QuantizedTensor& table,
           const int64_t* indices, uint64_t count, const Matrix& y) {
  const uint64_t rows = table.shape().rows();
  const uint64_t columns = table.shape().columns();
  if (y.rows != count || y.columns != columns) {
    Fail(Status::kInvalidArgument, "y is of shape [", y.rows, ", ", y.columns,
         "], must be [", count, ", ", columns, "]");
  }
  if (IsInteger(y.dtype)) {
    Fail(Status::kInvalidArgument, "y is of ", Info(y.dtype).name,
         ", must be of F32, F16 or BF16");
  }
  if (rows == 0 && count != 0) {
    Fail(Status::kInvalidArgument, count,
         " indices, but the table has no rows");
  }
  for (uint64_t i = 0; i < count; ++i) {
    if (indices[i] >= 0 && static_cast<uint64_t>(indices[i]) < rows) continue;
    Fail(Status::kInvalidArgument, "index ", i, " = ", indices[i],
         ", must be 0 to ", static_cast<int64_t>(rows) - 1);
  }
  const Dequantizer values(context, table);
  ParallelFor(context, count, [&](uint64_t i) {
    values.Decode(static_cast<uint64_t>(indices[i]) * columns, columns, y.dtype,
                  false, y.row(i));
  });
}

}  // namespace bnq
