// The gradient of fake quantization, of values that share parameters, by the
// best target of this CPU.
#ifndef BNQ_CORE_KERNELS_GRADIENT_H_
#define BNQ_CORE_KERNELS_GRADIENT_H_

#include <cstddef>

#include "core/kernels/chunk.h"

namespace bnq {

struct GradientArgs {
  const float* x = nullptr;   // count <= kChunk values
  const float* y = nullptr;   // what they are fake quantized to
  const float* dy = nullptr;  // the gradient by y
  size_t count = 0;
  // Values are clipped where (x - offset) * inverse < lo or > hi.
  float offset = 0.0f, inverse = 0.0f, lo = 0.0f, hi = 0.0f;
  float outside = 0.0f;  // factor of the gradient of clipped values
  float* dx = nullptr;   // the gradient by x; may be dy, x or y
};

// Of so many values at a time, float32 sums in the lanes of a chunk (chunk.h);
// float64 sums of these in order.
constexpr size_t kGradientBlock = 1024;
struct GradientSums {
  double inside = 0.0;  // dy * (y - x), of values that are not clipped
  double below = 0.0;   // dy, of values clipped at the least code
  double above = 0.0;   // dy, of values clipped at the greatest
  void Merge(const GradientSums& next) {
    inside += next.inside;
    below += next.below;
    above += next.above;
  }
};

GradientSums Gradient(const GradientArgs& args);

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_GRADIENT_H_
