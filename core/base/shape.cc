#include "core/base/shape.h"

#include "core/base/checked.h"
#include "core/base/error.h"

namespace bnq {

Shape Shape::Make(int32_t rank, const uint64_t* dims) {
  if (rank < 0 || rank > kMaxRank) {
    Fail(Status::kInvalidArgument, "rank = ", rank, ", must be 0 to ",
         kMaxRank);
  }
  if (rank > 0 && dims == nullptr) {
    Fail(Status::kInvalidArgument, "shape is NULL for an array of rank ", rank);
  }
  Shape shape;
  shape.rank = rank;
  uint64_t n = 1;
  bool overflow = false;
  for (int i = 0; i < rank; ++i) {
    shape.dims[i] = dims[i];
    // Zero dimensions are left out: an empty array's other dimensions are
    // multiplied too (columns()).
    if (dims[i] != 0 && !TryMul(n, dims[i], &n)) overflow = true;
  }
  uint64_t bytes = 0;
  if (overflow || !TryMul(n, 8, &bytes)) {
    Fail(Status::kInvalidArgument, "shape ", shape.ToString(),
         " has too many elements");
  }
  return shape;
}

uint64_t Shape::elements() const {
  uint64_t n = 1;
  for (int i = 0; i < rank; ++i) n *= dims[i];
  return n;
}

uint64_t Shape::columns() const {
  uint64_t n = 1;
  for (int i = rank >= 2 ? 1 : 0; i < rank; ++i) n *= dims[i];
  return n;
}

int Shape::Axis(int64_t axis, const char* what) const {
  if (axis < -rank || axis >= rank) {
    Fail(Status::kInvalidArgument, what, " = ", axis,
         ", but the array of shape ", ToString(), " has rank ", rank);
  }
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

std::string Shape::IndexOf(uint64_t element) const {
  std::string index;
  for (int k = rank - 1; k >= 0; --k) {
    index =
        std::to_string(element % dims[k]) + (index.empty() ? "" : ", ") + index;
    element /= dims[k];
  }
  return index;
}

bool Shape::operator==(const Shape& other) const {
  if (rank != other.rank) return false;
  for (int i = 0; i < rank; ++i) {
    if (dims[i] != other.dims[i]) return false;
  }
  return true;
}

std::string Shape::ToString() const {
  std::string s = "[";
  for (int i = 0; i < rank; ++i) {
    if (i > 0) s += ", ";
    s += std::to_string(dims[i]);
  }
  return s + "]";
}

bool TryByteSize(const Shape& shape, DType dtype, uint64_t* bytes) {
  uint64_t n = 1;
  for (int i = 0; i < shape.rank; ++i) {
    if (!TryMul(n, shape.dims[i], &n)) return false;
  }
  uint64_t bits = 0;
  if (!TryMul(n, Info(dtype).bits, &bits) || bits % 8 != 0) return false;
  *bytes = bits / 8;
  return true;
}

}  // namespace bnq
