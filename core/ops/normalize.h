// Softmax, RMS norm and layer norm of the rows of a matrix.
#ifndef BNQ_CORE_OPS_NORMALIZE_H_
#define BNQ_CORE_OPS_NORMALIZE_H_

#include "core/base/context.h"
#include "core/ops/matrix.h"

namespace bnq {

// Each of x and y is of F32, F16 or BF16, in place or apart and of equal shape;
// float32 results are rounded once more to a type of 16 bits. What is said of
// a row holds for it whatever the others are.

// SoftmaxRow of kernels/normalize.h.
void Softmax(const Context& context, const Matrix& x, const Matrix& y);

// y = x / sqrt(mean of x^2 + eps) * weight.
void RmsNorm(const Context& context, const Matrix& x, const float* weight,
             double eps, const Matrix& y);

// y = (x - mean) / sqrt(mean of (x - mean)^2 + eps) * weight + bias.
void LayerNorm(const Context& context, const Matrix& x, const float* weight,
               const float* bias, double eps, const Matrix& y);

// Norms are computed in float64: sums as those of kernels/normalize.h, then for
// each element, in this order, x - mean, times 1 / sqrt(...), times its weight,
// plus its bias, and rounded to float32 once. weight and bias have an entry for
// each column; nullptr leaves the operation out. A row with NaN or infinity is
// NaN; where the root is 0 (rows of one value, eps = 0), so is its reciprocal.

}  // namespace bnq

#endif  // BNQ_CORE_OPS_NORMALIZE_H_
