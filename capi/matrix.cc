#include "capi/matrix.h"

#include <cmath>
#include <cstddef>

#include "capi/guard.h"
#include "core/base/checked.h"

namespace bnq {
namespace capi {
namespace {

static_assert(offsetof(bnq_matrix, rows) == 3 * sizeof(void*), "layout");
static_assert(offsetof(bnq_matrix, dtype) == 3 * sizeof(void*) + 24, "layout");
static_assert(sizeof(bnq_matrix) == 3 * sizeof(void*) + 32, "layout");

DType MatrixDType(int32_t dtype, const char* name) {
  const DTypeInfo* info = FindDType(dtype);
  if (info == nullptr || !(IsTarget(info->dtype) || IsInteger(info->dtype))) {
    Fail(Status::kInvalidArgument, name, ": dtype = ", dtype, " (",
         info != nullptr ? info->name : "unknown",
         "), must be F32, F16, BF16, I8 or U8");
  }
  return info->dtype;
}

void CheckParameters(const Matrix& m, const char* name) {
  if (m.empty()) return;
  if (!IsInteger(m.dtype)) {
    if (m.scales != nullptr || m.zero_points != nullptr) {
      Fail(Status::kInvalidArgument, name, ": a matrix of ", Info(m.dtype).name,
           " has no scales and no zero points; they must be NULL");
    }
    return;
  }
  const int32_t least = m.dtype == DType::kI8 ? -128 : 0;
  for (uint64_t r = 0; r < m.rows; ++r) {
    if (m.scales != nullptr &&
        !(m.scales[r] >= 0.0f && m.scales[r] < HUGE_VALF)) {
      Fail(Status::kInvalidArgument, name, ": scales[", r, "] = ", m.scales[r],
           ", must be finite and not negative");
    }
    const int32_t zero_point = m.zero_point(r);
    if (zero_point < least || zero_point > least + 255) {
      Fail(Status::kInvalidArgument, name, ": zero_points[", r,
           "] = ", zero_point, ", must be ", least, " to ", least + 255);
    }
  }
}

// Whether no byte of one is one of the other.
bool Disjoint(const Matrix& x, const Matrix& y) {
  const uintptr_t a = reinterpret_cast<uintptr_t>(x.data);
  const uintptr_t b = reinterpret_cast<uintptr_t>(y.data);
  if (x.empty() || y.empty()) return true;
  if (a + x.bytes() <= b || b + y.bytes() <= a) return true;
  if (x.stride != y.stride || x.stride == 0) return false;
  // Where y's rows begin behind the begin of the row of x before it.
  const uint64_t shift =
      b >= a ? (b - a) % x.stride : (x.stride - (a - b) % x.stride) % x.stride;
  return shift >= x.row_bytes() && shift + y.row_bytes() <= x.stride;
}

}  // namespace

Matrix MatrixOf(const bnq_matrix* matrix, const char* name) {
  Required(matrix, name);
  Matrix m;
  m.dtype = MatrixDType(matrix->dtype, name);
  if (matrix->reserved != 0) {
    Fail(Status::kInvalidArgument, name, ": reserved = ", matrix->reserved,
         ", must be 0");
  }
  m.data = static_cast<uint8_t*>(matrix->data);
  m.scales = matrix->scales;
  m.zero_points = matrix->zero_points;
  m.rows = matrix->rows;
  m.columns = matrix->columns;
  uint64_t row_bytes = 0, before = 0, bytes = 0;
  bool fits = TryMul(m.columns, m.element_size(), &row_bytes);
  m.stride = matrix->row_stride != 0 ? matrix->row_stride : row_bytes;
  if (fits && m.rows > 1 && m.stride < row_bytes) {
    Fail(Status::kInvalidArgument, name, ": row_stride = ", matrix->row_stride,
         ", must be 0 or at least the ", row_bytes, " bytes of ", m.columns,
         " elements of ", Info(m.dtype).name);
  }
  if (!m.empty()) {
    fits = fits && TryMul(m.rows - 1, m.stride, &before) &&
           TryAdd(before, row_bytes, &bytes) &&
           bytes <= UINTPTR_MAX - reinterpret_cast<uintptr_t>(m.data);
    if (!fits) {
      Fail(Status::kInvalidArgument, name, ": ", m.rows, " rows of ", m.columns,
           " elements, ", m.stride,
           " bytes after one another, do not fit the address space");
    }
    if (m.data == nullptr) {
      Fail(Status::kInvalidArgument, name, ": data is NULL for a matrix of ",
           m.rows, " x ", m.columns);
    }
  }
  CheckParameters(m, name);
  return m;
}

Function FunctionOf(int32_t function, float slope) {
  if (FunctionAt(function).name == nullptr) {
    Fail(Status::kInvalidArgument, "function = ", function, ", must be ", 0,
         " to ", kNumFunctions - 1);
  }
  const Function known = static_cast<Function>(function);
  if (known == Function::kLeakyRelu && !std::isfinite(slope)) {
    Fail(Status::kInvalidArgument, "slope = ", slope,
         ", must be finite for leaky_relu");
  }
  return known;
}

void RequireScales(const Matrix& matrix, const char* name, bool written) {
  if (!IsInteger(matrix.dtype)) return;
  if (matrix.scales == nullptr && matrix.rows > 0) {
    Fail(Status::kInvalidArgument, name, ": scales is NULL for a matrix of ",
         Info(matrix.dtype).name);
  }
  for (uint64_t r = 0; written && r < matrix.rows; ++r) {
    if (matrix.scales[r] > 0.0f) continue;
    Fail(Status::kInvalidArgument, name, ": scales[", r,
         "] = ", matrix.scales[r], ", must be above 0 of what is written");
  }
}

void RequireSameShape(const Matrix& x, const Matrix& y, const char* x_name,
                      const char* y_name) {
  if (x.rows != y.rows || x.columns != y.columns) {
    Fail(Status::kInvalidArgument, y_name, " is a matrix of ", y.rows, " x ",
         y.columns, ", must be one of ", x.rows, " x ", x.columns, " as ",
         x_name);
  }
}

void CheckAliasing(const Matrix& x, const Matrix& y, Aliasing allowed,
                   const char* x_name, const char* y_name) {
  if (Disjoint(x, y)) return;
  const bool same = x.data == y.data && x.rows == y.rows &&
                    x.columns == y.columns &&
                    (x.stride == y.stride || x.rows == 1) &&
                    x.element_size() == y.element_size();
  if (allowed == Aliasing::kInPlace && same) return;
  Fail(Status::kInvalidArgument, y_name, " overlaps ", x_name,
       allowed == Aliasing::kInPlace
           ? "; must be apart from it, or the same elements of the same size"
           : ", must be apart from it");
}

}  // namespace capi
}  // namespace bnq
