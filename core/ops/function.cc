#include "core/ops/function.h"

#include <algorithm>
#include <cmath>

#include "core/base/portable_math.h"

namespace bnq {

const NamedValue kFunctionNames[kNumFunctions] = {
    {"none", "x"},
    {"relu", "max(x, 0)"},
    {"relu6", "min(max(x, 0), 6)"},
    {"leaky_relu", "x, or slope * x below 0"},
    {"squared_relu", "max(x, 0)^2"},
    {"gelu", "x / 2 * (1 + erf(x / sqrt 2))"},
    {"gelu_tanh", "x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))"},
    {"silu", "x / (1 + e^-x)"},
    {"sigmoid", "1 / (1 + e^-x)"},
    {"tanh", "tanh x"},
    {"hard_swish", "x * min(max(x + 3, 0), 6) / 6"}};

namespace {

constexpr OptionInfo kOptions[] = {Choice(1, "function", kFunctionNames,
                                          Function::kNone,
                                          "What is applied to each number")};
constexpr OptionTable kTable("activation", kOptions);

// 1 / (1 + e^-x), also where e^-x overflows.
double Sigmoid(double x) {
  const double e = PortableExp(-std::fabs(x));
  return (x < 0.0 ? e : 1.0) / (1.0 + e);
}

double Tanh(double x) {
  const double a = std::fabs(x);
  double t = 0.0;  // 1 - e^-2|x|
  if (a < 0.25) {
    // By its series, which cancels nothing.
    double term = 1.0;
    for (int i = 1; i < 20; ++i) {
      term *= -2.0 * a / i;
      t -= term;
    }
  } else {
    t = 1.0 - PortableExp(-2.0 * a);
  }
  return std::copysign(t / (2.0 - t), x);
}

// The normal distribution's probability of less than x.
double Normal(double x) {
  const double a = std::fabs(x),
               density = PortableExp(-0.5 * a * a) * 0.39894228040143267794;
  double upper = 0.0;  // of more than a
  if (a < 4.0) {
    // density * (a + a^3 / 3 + a^5 / (3 * 5) + ...)
    double term = a, sum = a;
    for (int i = 3; term > sum * 1e-17; i += 2) {
      term *= a * a / i;
      sum += term;
    }
    upper = 0.5 - density * sum;
  } else {
    // Laplace's continued fraction density / (a + 1 / (a + 2 / (a + ...)))
    double below = a;
    for (int i = 60; i >= 1; --i) below = a + i / below;
    upper = density / below;
  }
  return x < 0.0 ? upper : 1.0 - upper;
}

}  // namespace

NamedValue FunctionAt(int32_t id) { return ValueOf(kOptions[0], id); }

Function FunctionNamed(const std::string& text) {
  double value = 0.0;
  kTable.Parse(kOptions[0].name, text, &value);
  return static_cast<Function>(static_cast<int32_t>(value));
}

double ExactValue(Function function, double slope, double x) {
  const double up = std::max(x, 0.0);
  switch (function) {
    case Function::kNone:
      return x;
    case Function::kRelu:
      return up;
    case Function::kRelu6:
      return std::min(up, 6.0);
    case Function::kLeakyRelu:
      return x < 0.0 ? slope * x : x;
    case Function::kSquaredRelu:
      return up * up;
    case Function::kGelu:
      return x * Normal(x);
    case Function::kGeluTanh:
      return x * Sigmoid(1.5957691216057308 * (x + 0.044715 * x * x * x));
    case Function::kSilu:
      return x * Sigmoid(x);
    case Function::kSigmoid:
      return Sigmoid(x);
    case Function::kTanh:
      return Tanh(x);
    case Function::kHardSwish:
      return x * std::min(std::max(x + 3.0, 0.0), 6.0) / 6.0;
  }
  return x;
}

}  // namespace bnq
