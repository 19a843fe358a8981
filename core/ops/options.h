// Options of operators (core/base/options.h).
#ifndef BNQ_CORE_OPS_OPTIONS_H_
#define BNQ_CORE_OPS_OPTIONS_H_

#include <cstdint>

#include "core/base/dtype.h"
#include "core/base/options.h"
#include "core/kernels/function.h"

namespace bnq {

// Ids are those of BNQ_OPERATOR_* (capi/operators.cc asserts it).
enum class OperatorOption : int32_t {
  kInput = 1,
  kInputScale,
  kInputZeroPoint,
  kFunction,
  kSlope,
  kOutput,
  kOutputScale,
  kOutputZeroPoint,
  kAmx,
  // Of convolutions.
  kStrideHeight,
  kStrideWidth,
  kPadTop,
  kPadLeft,
  kPadBottom,
  kPadRight,
  kDilationHeight,
  kDilationWidth,
  kGroups,
  kLayout,
};
constexpr int kNumOperatorOptions = 19;

// What becomes of floats that come in.
enum class InputMode : int32_t {
  kFloat,
  kInt8,
  kInt8Asymmetric,
  kBitNet,
  kStatic,
};
enum class OutputType : int32_t { kFloat, kInt8, kUInt8 };
enum class ImageLayout : int32_t { kNchw, kNhwc };

class OperatorOptions : public OptionValues<OperatorOptions, OperatorOption,
                                            kNumOperatorOptions> {
 public:
  static const OptionTable& Table();

  InputMode input() const { return As<InputMode>(OperatorOption::kInput); }
  float input_scale() const { return As<float>(OperatorOption::kInputScale); }
  int32_t input_zero_point() const {
    return As<int32_t>(OperatorOption::kInputZeroPoint);
  }
  Function function() const { return As<Function>(OperatorOption::kFunction); }
  float slope() const { return As<float>(OperatorOption::kSlope); }
  bool amx() const { return As<bool>(OperatorOption::kAmx); }
  ImageLayout layout() const {
    return As<ImageLayout>(OperatorOption::kLayout);
  }
  OutputType output() const { return As<OutputType>(OperatorOption::kOutput); }
  float output_scale() const { return As<float>(OperatorOption::kOutputScale); }
  int32_t output_zero_point() const {
    return As<int32_t>(OperatorOption::kOutputZeroPoint);
  }
};

}  // namespace bnq

#endif  // BNQ_CORE_OPS_OPTIONS_H_
