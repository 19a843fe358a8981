// Activation functions of matrices.
#ifndef BNQ_CORE_OPS_ACTIVATION_H_
#define BNQ_CORE_OPS_ACTIVATION_H_

#include "core/base/context.h"
#include "core/ops/function.h"
#include "core/ops/matrix.h"

namespace bnq {

// y = function(x), of equal shape, in place or apart. Floats to floats as
// ApplyFunction, rounded to nearest even to y's type; codes to codes as
// saturate(round(function((code - zx) * sx) / sy) + zy) in float64, to nearest
// even; codes to floats likewise. UNSUPPORTED: floats to codes. Matrices of
// integers have scales.
void Activate(const Context& context, Function function, float slope,
              const Matrix& x, const Matrix& y);

}  // namespace bnq

#endif  // BNQ_CORE_OPS_ACTIVATION_H_
