#include <cmath>

#include "capi/guard.h"
#include "capi/matrix.h"
#include "core/ops/activation.h"
#include "core/ops/normalize.h"

using namespace bnq;
using namespace bnq::capi;

namespace {

#define BNQ_SAME(type, id) \
  static_assert(static_cast<int>(Function::type) == BNQ_FUNCTION_##id, #id)
BNQ_SAME(kNone, NONE);
BNQ_SAME(kRelu, RELU);
BNQ_SAME(kRelu6, RELU6);
BNQ_SAME(kLeakyRelu, LEAKY_RELU);
BNQ_SAME(kSquaredRelu, SQUARED_RELU);
BNQ_SAME(kGelu, GELU);
BNQ_SAME(kGeluTanh, GELU_TANH);
BNQ_SAME(kSilu, SILU);
BNQ_SAME(kSigmoid, SIGMOID);
BNQ_SAME(kTanh, TANH);
BNQ_SAME(kHardSwish, HARD_SWISH);
#undef BNQ_SAME
static_assert(kNumFunctions == BNQ_NUM_FUNCTIONS, "functions");

// What is read and what is written, checked.
struct Pair {
  Pair(const bnq_matrix* from, const bnq_matrix* to)
      : x(MatrixOf(from, "x")), y(MatrixOf(to, "y")) {
    RequireSameShape(x, y, "x", "y");
    CheckAliasing(x, y, Aliasing::kInPlace, "x", "y");
  }
  Matrix x, y;
};

// Of rows that are normalised.
struct FloatPair : Pair {
  FloatPair(const bnq_matrix* from, const bnq_matrix* to) : Pair(from, to) {
    Require(x, "x");
    Require(y, "y");
  }
  static void Require(const Matrix& m, const char* name) {
    if (IsInteger(m.dtype)) {
      Fail(Status::kUnsupported, name, ": dtype is ", Info(m.dtype).name,
           ", must be F32, F16 or BF16");
    }
  }
};

void CheckEps(double eps) {
  if (!(eps >= 0.0 && eps < HUGE_VAL)) {
    Fail(Status::kInvalidArgument, "eps = ", eps,
         ", must be finite and at least 0");
  }
}

}  // namespace

uint32_t bnq_function_count(void) { return kNumFunctions; }

const char* bnq_function_name(int32_t function) {
  return FunctionAt(function).name;
}

const char* bnq_function_description(int32_t function) {
  return FunctionAt(function).description;
}

bnq_status bnq_function_id(const char* name, int32_t* out_function) {
  return Guard([&] {
    int32_t& out = Required(out_function, "out_function");
    out = static_cast<int32_t>(FunctionNamed(&Required(name, "name")));
  });
}

bnq_status bnq_activate(bnq_context* context, int32_t function, float slope,
                        const bnq_matrix* x, const bnq_matrix* y) {
  return Guard([&] {
    const Function known = FunctionOf(function, slope);
    const Pair pair(x, y);
    RequireScales(pair.x, "x");
    RequireScales(pair.y, "y", /*written=*/true);
    Activate(ContextOf(context), known, slope, pair.x, pair.y);
  });
}

bnq_status bnq_softmax(bnq_context* context, const bnq_matrix* x,
                       const bnq_matrix* y) {
  return Guard([&] {
    const FloatPair pair(x, y);
    Softmax(ContextOf(context), pair.x, pair.y);
  });
}

bnq_status bnq_rms_norm(bnq_context* context, const bnq_matrix* x,
                        const float* weight, double eps, const bnq_matrix* y) {
  return Guard([&] {
    CheckEps(eps);
    const FloatPair pair(x, y);
    RmsNorm(ContextOf(context), pair.x, weight, eps, pair.y);
  });
}

bnq_status bnq_layer_norm(bnq_context* context, const bnq_matrix* x,
                          const float* weight, const float* bias, double eps,
                          const bnq_matrix* y) {
  return Guard([&] {
    CheckEps(eps);
    const FloatPair pair(x, y);
    LayerNorm(ContextOf(context), pair.x, weight, bias, eps, pair.y);
  });
}
