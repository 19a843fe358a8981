// Gradients through fake quantization.
#ifndef BNQ_CORE_TRAINING_GRADIENT_H_
#define BNQ_CORE_TRAINING_GRADIENT_H_

#include <cstdint>

#include "core/base/context.h"
#include "core/base/shape.h"
#include "core/scheme/config.h"
#include "core/scheme/params.h"
#include "core/training/options.h"

namespace bnq {

struct GradientJob {
  const Config& config;
  const TrainingOptions& training;
  const ArrayView& x;
  const ArrayView& dy;  // of the same shape
  // As many as the tensor has; none where it has no scales.
  const ParamSet& params;

  DType dtype = DType::kF32;
  uint8_t* dx = nullptr;  // may be the memory of dy, of the same type

  // What else is wanted, or nullptr: for each parameter its scale, its zero
  // point or offset, and the values of its least and greatest code (PACT's
  // clipping levels); and one number, of the estimator's slope.
  float* scales = nullptr;
  float* shifts = nullptr;
  float* ends = nullptr;
  float* slope = nullptr;
};

// bnq.h has the formulas. Sums are taken in the order of a parameter's elements
// (kernels/gradient.h), and rounded once.
void FakeQuantizeGradient(const Context& context, const GradientJob& job);

}  // namespace bnq

#endif  // BNQ_CORE_TRAINING_GRADIENT_H_
