// Matrices that operators read and write: views of the caller's memory.
#ifndef BNQ_CORE_OPS_MATRIX_H_
#define BNQ_CORE_OPS_MATRIX_H_

#include <cstddef>
#include <cstdint>

#include "core/base/dtype.h"

namespace bnq {

// Rows of elements that lie together, `stride` bytes after one another; what
// is only read is not written through it. Integers stand for (element - zero
// point) * scale; scales and zero_points have an entry for each row, or are
// nullptr: zero points of 0.
struct Matrix {
  uint8_t* data = nullptr;  // may be unaligned
  float* scales = nullptr;
  int32_t* zero_points = nullptr;
  uint64_t rows = 0;
  uint64_t columns = 0;
  uint64_t stride = 0;
  DType dtype = DType::kF32;

  size_t element_size() const { return Info(dtype).bits / 8; }
  // Of the elements of a row.
  uint64_t row_bytes() const { return columns * element_size(); }
  bool empty() const { return rows == 0 || columns == 0; }
  // From the first element to behind the last one.
  uint64_t bytes() const {
    return empty() ? 0 : (rows - 1) * stride + row_bytes();
  }
  uint8_t* row(uint64_t r) const { return data + r * stride; }
  int32_t zero_point(uint64_t r) const {
    return zero_points != nullptr ? zero_points[r] : 0;
  }
};

inline bool IsInteger(DType dtype) {
  return dtype == DType::kI8 || dtype == DType::kU8;
}

}  // namespace bnq

#endif  // BNQ_CORE_OPS_MATRIX_H_
