#include "file_values.h"

#include "failure.h"
#include "rows.h"

namespace bnq::cli {

File OpenFile(const std::string& path, Session& session) {
  bnq_file* opened = nullptr;
  Check(
      bnq_file_open(session.context(), path.c_str(), BNQ_OPEN_SOURCE, &opened));
  return File(opened);
}

void ReadValues(const bnq_file* file, uint64_t index, Session& session,
                FileValues& values) {
  bnq_array& array = values.array;
  array.shape = values.shape;
  array.rank = bnq_file_shape(file, index, values.shape);
  array.dtype = bnq_file_dtype(file, index);
  if (bnq_file_format(file, index) == BNQ_FORMAT_NONE) {
    values.bytes.resize(bnq_file_bytes(file, index));
    Check(bnq_file_read(session.context(), file, index, values.bytes.data(),
                        values.bytes.size()));
  } else {
    bnq_tensor* read = nullptr;
    Check(bnq_file_tensor(session.context(), file, index, &read));
    const Tensor tensor(read);
    const std::vector<uint64_t> shape(values.shape, values.shape + array.rank);
    array.dtype = BNQ_DTYPE_F32;
    values.bytes.resize(Elements(shape) * sizeof(float));
    Check(bnq_tensor_dequantize(session.context(), read, array.dtype,
                                BNQ_OVERFLOW_ERROR, values.bytes.data(),
                                values.bytes.size()));
  }
  array.data = values.bytes.data();
}

}  // namespace bnq::cli
