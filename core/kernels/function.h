// Functions of one number: activation functions, and what is fused to other
// operators.
#ifndef BNQ_CORE_KERNELS_FUNCTION_H_
#define BNQ_CORE_KERNELS_FUNCTION_H_

#include <cstddef>
#include <cstdint>

namespace bnq {

// Values are those of BNQ_FUNCTION_* (capi/activations.cc asserts it).
enum class Function : int32_t {
  kNone,
  kRelu,
  kRelu6,
  kLeakyRelu,
  kSquaredRelu,
  kGelu,
  kGeluTanh,
  kSilu,
  kSigmoid,
  kTanh,
  kHardSwish,
};
constexpr int kNumFunctions = 11;

// y[i] = function(x[i]) for i < count; y may be x, but not overlap it
// otherwise. The same bytes on every target: additions, multiplications and
// divisions, none of them fused. NaN gives the same NaN, quiet; infinities give
// the limits (GELU and SiLU of -infinity: -0). `slope` is that of the leaky
// ReLU, finite; 0 makes it a ReLU. ReLUs of -0 are 0, but the leaky one's, -0.
// Errors, in units of the last place that the exact result would have (2^-149
// below 2^-126), are at most
//   0    ReLU, ReLU6      0.5  leaky, squared ReLU   1.7  hard-swish
//   2    tanh             2.5  sigmoid, SiLU           3    GELU by tanh
//   2    GELU from -0.7 on; 6 below it, where x rounded differently does more
void ApplyFunction(Function function, float slope, const float* x, size_t count,
                   float* y);

// y[i] = table[x[i]]; y may be x.
void LookUpBytes(const uint8_t (&table)[256], const uint8_t* x, size_t count,
                 uint8_t* y);

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_FUNCTION_H_
