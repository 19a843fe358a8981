// The gradient of fake quantization, of values that share parameters, by the
// best target of this CPU.
#ifndef BNQ_CORE_KERNELS_GRADIENT_H_
#define BNQ_CORE_KERNELS_GRADIENT_H_

#include <cstddef>

#include "core/kernels/chunk.h"

namespace bnq {

// What values that share parameters are judged by: they are clipped where
// (x - offset) * inverse < lo or > hi.
struct GradientSegment {
  float offset, inverse, lo, hi;
};

// Of so many values at a time, float32 sums in the lanes of a chunk (chunk.h);
// float64 sums of these in order.
constexpr size_t kGradientBlock = 1024;
struct GradientSums {
  double inside = 0.0;   // dy * (y - x), of values that are not clipped
  double below = 0.0;    // dy, of values clipped at the least code
  double above = 0.0;    // dy, of values clipped at the greatest
  bool clipped = false;  // whether any is
  void Merge(const GradientSums& next) {
    inside += next.inside;
    below += next.below;
    above += next.above;
    clipped |= next.clipped;
  }
};

struct GradientArgs {
  // Segments one behind another, each of `count` <= kChunk values.
  const GradientSegment* segments = nullptr;
  size_t num_segments = 1;
  size_t count = 0;
  const float* x = nullptr;
  const float* y = nullptr;   // what they are fake quantized to
  const float* dy = nullptr;  // the gradient by y
  float outside = 0.0f;       // factor of the gradient of clipped values
  float* dx = nullptr;        // the gradient by x; may be dy, x or y
  // Of each segment, or nullptr: then y is not read.
  GradientSums* sums = nullptr;
};

void Gradient(const GradientArgs& args);

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_GRADIENT_H_
