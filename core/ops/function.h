// Functions of one number: activation functions, and what is fused to other
// operators.
#ifndef BNQ_CORE_OPS_FUNCTION_H_
#define BNQ_CORE_OPS_FUNCTION_H_

#include <cstdint>

namespace bnq {

// Values are those of BNQ_FUNCTION_* (capi/operators.cc asserts it).
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

}  // namespace bnq

#endif  // BNQ_CORE_OPS_FUNCTION_H_
