// Rows of elements to columns, by the best target of this CPU: what images with
// channels first need where channels should be last, and the other way round.
#ifndef BNQ_CORE_KERNELS_TRANSPOSE_H_
#define BNQ_CORE_KERNELS_TRANSPOSE_H_

#include <cstddef>
#include <cstdint>

namespace bnq {

// Bytes of the longest vectors that are read, and of those that are written;
// see may_read and may_write.
constexpr size_t kTransposeReads = 64, kTransposeWrites = 16;

struct TransposeArgs {
  const uint8_t* const* rows = nullptr;  // any places
  size_t num_rows = 0;
  size_t first = 0;  // elements of each row that are passed over
  size_t columns = 0;
  size_t element = 1;  // bytes: 1, 2 or 4
  // Column j of all rows is row j here, out_stride bytes after the one before.
  uint8_t* out = nullptr;
  size_t out_stride = 0;
  // Whether kTransposeReads behind a row may be read, or kTransposeWrites
  // behind one of out be overwritten.
  bool may_read = false, may_write = false;
};
void Transpose(const TransposeArgs& args);

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_TRANSPOSE_H_
