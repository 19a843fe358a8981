// Shapes, and arrays as the core sees them.
#ifndef BNQ_CORE_BASE_SHAPE_H_
#define BNQ_CORE_BASE_SHAPE_H_

#include <cstdint>
#include <string>

#include "core/base/dtype.h"

namespace bnq {

constexpr int kMaxRank = 8;

// Dimensions of an array, row-major; rank 0 is one element.
struct Shape {
  int rank = 0;
  uint64_t dims[kMaxRank] = {1, 1, 1, 1, 1, 1, 1, 1};

  // INVALID_ARGUMENT for a bad rank, NULL dims, or too many elements: their
  // number times 8 bytes must fit 64 bits.
  static Shape Make(int32_t rank, const uint64_t* dims);

  uint64_t elements() const;
  // As a matrix: rank 0 and 1 are one row; else dims[0] rows.
  uint64_t rows() const { return rank >= 2 ? dims[0] : 1; }
  uint64_t columns() const;
  // Of the last dimension; 1 for rank 0.
  uint64_t features() const { return rank == 0 ? 1 : dims[rank - 1]; }
  // An axis, which may count from the end (-1), as one from 0 on.
  // INVALID_ARGUMENT where there is none, calling it `what`.
  int Axis(int64_t axis, const char* what = "axis") const;
  // Where an element is, counted in row-major order: "1, 2, 3".
  std::string IndexOf(uint64_t element) const;
  bool operator==(const Shape& other) const;
  bool operator!=(const Shape& other) const { return !(*this == other); }
  std::string ToString() const;  // "[2, 3]"
};

// A borrowed, row-major, contiguous array; data may be unaligned.
struct ArrayView {
  const uint8_t* data = nullptr;
  DType dtype = DType::kF32;
  Shape shape;
};

// Bytes of an array: elements x bits / 8. False where the bits overflow 64
// bits or do not fill whole bytes (F4, F6).
bool TryByteSize(const Shape& shape, DType dtype, uint64_t* bytes);

}  // namespace bnq

#endif  // BNQ_CORE_BASE_SHAPE_H_
