// bnq_matrix, checked, as the core's.
#ifndef BNQ_CAPI_MATRIX_H_
#define BNQ_CAPI_MATRIX_H_

#include "bnq/bnq.h"
#include "core/ops/function.h"
#include "core/ops/matrix.h"

namespace bnq {
namespace capi {

// INVALID_ARGUMENT names the parameter: a dtype that is no matrix's, a stride
// below the bytes of a row (where there are several), rows that reach beyond
// the address space, data that is NULL, scales that are not finite or
// negative (0 is that of a row of zeros), or zero points that are no number of
// the dtype. A matrix of floats with scales or zero points is refused, too.
Matrix MatrixOf(const bnq_matrix* matrix, const char* name);

// BNQ_FUNCTION_*, checked; and the slope that the leaky ReLU needs.
Function FunctionOf(int32_t function, float slope);

// Fails unless it has scales, or is not of integers; above 0 where it is
// written.
void RequireScales(const Matrix& matrix, const char* name,
                   bool written = false);

// Fails unless y has as many rows and columns as x.
void RequireSameShape(const Matrix& x, const Matrix& y, const char* x_name,
                      const char* y_name);

enum class Aliasing {
  kDisjoint,  // no byte of one is one of the other
  kInPlace,   // or both are the same bytes, row by row, and of one size
};
// Fails where x, which is read, and y, which is written, overlap otherwise.
// Rows of one stride may lie between each other: halves of a larger matrix.
void CheckAliasing(const Matrix& x, const Matrix& y, Aliasing allowed,
                   const char* x_name, const char* y_name);

}  // namespace capi
}  // namespace bnq

#endif  // BNQ_CAPI_MATRIX_H_
