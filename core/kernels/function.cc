#include "core/kernels/function.h"

#include <string.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/function.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "core/kernels/function-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {

void ApplyFunctionOfTarget(Function function, float slope, const float* x,
                           size_t count, float* y) {
#define BNQ_MAP(name) Map(x, count, y, [](VF v) HWY_ATTR { return name(v); });
  switch (function) {
    case Function::kNone:
      if (y != x) memcpy(y, x, count * sizeof(float));
      break;
    case Function::kRelu:
      BNQ_MAP(Relu) break;
    case Function::kRelu6:
      BNQ_MAP(Relu6) break;
    case Function::kLeakyRelu: {
      const VF s = Number(slope);
      Map(x, count, y, [s](VF v) HWY_ATTR { return LeakyRelu(v, s); });
      break;
    }
    case Function::kSquaredRelu:
      BNQ_MAP(SquaredRelu) break;
    case Function::kGelu:
      BNQ_MAP(Gelu) break;
    case Function::kGeluTanh:
      BNQ_MAP(GeluTanh) break;
    case Function::kSilu:
      BNQ_MAP(Silu) break;
    case Function::kSigmoid:
      BNQ_MAP(Sigmoid) break;
    case Function::kTanh:
      BNQ_MAP(Tanh) break;
    case Function::kHardSwish:
      BNQ_MAP(HardSwish) break;
  }
#undef BNQ_MAP
}

}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bnq {

HWY_EXPORT(ApplyFunctionOfTarget);

void ApplyFunction(Function function, float slope, const float* x, size_t count,
                   float* y) {
  // A slope of 0 times -infinity would be NaN.
  if (function == Function::kLeakyRelu && slope == 0.0f) {
    function = Function::kRelu;
  }
  HWY_DYNAMIC_DISPATCH(ApplyFunctionOfTarget)(function, slope, x, count, y);
}

}  // namespace bnq
#endif  // HWY_ONCE
