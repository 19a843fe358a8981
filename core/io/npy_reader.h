// NumPy's .npy files, format versions 1 to 3: one array each. Of its types, the
// floating-point ones that can be quantized: little-endian f2, f4 and f8, in C
// order.
#ifndef BNQ_CORE_IO_NPY_READER_H_
#define BNQ_CORE_IO_NPY_READER_H_

#include <cstdint>
#include <memory>

#include "core/base/shape.h"
#include "core/io/mapped_file.h"

namespace bnq {

// Whether the file begins as a .npy file does.
bool IsNpy(const MappedFile& file);

class NpyReader {
 public:
  // CORRUPT_FILE for what no version of the format allows, UNSUPPORTED for
  // another version, type, order or rank.
  explicit NpyReader(std::shared_ptr<const MappedFile> file);

  // The array, within the file.
  const ArrayView& array() const { return array_; }
  uint64_t offset() const { return offset_; }  // of its data, in the file
  const MappedFile& file() const { return *file_; }

 private:
  std::shared_ptr<const MappedFile> file_;
  ArrayView array_;
  uint64_t offset_ = 0;
};

}  // namespace bnq

#endif  // BNQ_CORE_IO_NPY_READER_H_
