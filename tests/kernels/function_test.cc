#include "core/kernels/function.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/half.h"
#include "tests/support/targets.h"

namespace bnq_test {
namespace {

using namespace bnq;

constexpr float kSlope = 0.01f;

// In float64, whose error is nothing beside float32's.
double Exact(Function function, double x) {
  const double up = std::max(x, 0.0);
  switch (function) {
    case Function::kNone:
      return x;
    case Function::kRelu:
      return up;
    case Function::kRelu6:
      return std::min(up, 6.0);
    case Function::kLeakyRelu:
      return x < 0 ? x * static_cast<double>(kSlope) : x;
    case Function::kSquaredRelu:
      return up * up;
    case Function::kGelu:
      return x == -HUGE_VAL ? -0.0 : x / 2 * std::erfc(-x / std::sqrt(2.0));
    case Function::kGeluTanh: {
      if (x == -HUGE_VAL) return -0.0;
      const double u = std::sqrt(8 / M_PI) * (x + 0.044715 * x * x * x);
      return x / (1 + std::exp(-u));
    }
    case Function::kSilu:
      return x == -HUGE_VAL ? -0.0 : x / (1 + std::exp(-x));
    case Function::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case Function::kTanh:
      return std::tanh(x);
    case Function::kHardSwish:
      return x <= -3 ? -0.0 : x >= 3 ? x : x * (x + 3) / 6;
  }
  return 0;
}

// |y - exact| in units of the last place that a float32 near `exact` has.
double Ulps(float y, double exact) {
  if (static_cast<double>(y) == exact) return 0;
  if (std::fabs(exact) >= 0x1.ffffffp127) return std::isinf(y) ? 0 : HUGE_VAL;
  if (!std::isfinite(y)) return HUGE_VAL;
  int exponent = 0;
  std::frexp(exact, &exponent);
  const double ulp = std::ldexp(1.0, std::max(exponent - 24, -149));
  return std::fabs(static_cast<double>(y) - exact) / ulp;
}

struct Bound {
  Function function;
  double ulps;
  float from = -HUGE_VALF;
};

// What function.h says.
const Bound kBounds[] = {
    {Function::kNone, 0},          {Function::kRelu, 0},
    {Function::kRelu6, 0},         {Function::kLeakyRelu, 0.5},
    {Function::kSquaredRelu, 0.5}, {Function::kGelu, 6},
    {Function::kGelu, 2, -0.7f},   {Function::kGeluTanh, 3},
    {Function::kSilu, 2.5},        {Function::kSigmoid, 2.5},
    {Function::kTanh, 2},          {Function::kHardSwish, 1.7},
};

TEST(Functions, AreWithinTheirBounds) {
  // All exponents of both signs, and as many of every binade.
  constexpr uint32_t kStep = 9973;
  std::vector<float> x;
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += kStep) {
    const float v = F32OfBits(static_cast<uint32_t>(bits));
    if (!std::isnan(v)) x.push_back(v);
  }
  for (const float v : {HUGE_VALF, -HUGE_VALF, 3.4028235e38f, -3.4028235e38f,
                        1e-45f, -1e-45f, 0.0f, -0.0f})
    x.push_back(v);
  std::vector<float> y(x.size());
  for (const Bound& bound : kBounds) {
    ApplyFunction(bound.function, kSlope, x.data(), x.size(), y.data());
    double worst = 0;
    float where = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      if (x[i] < bound.from) continue;
      const double ulps =
          Ulps(y[i], Exact(bound.function, static_cast<double>(x[i])));
      if (ulps > worst) {
        worst = ulps;
        where = x[i];
      }
    }
    EXPECT_LE(worst, bound.ulps)
        << static_cast<int>(bound.function) << " of " << where;
  }
}

}  // namespace
}  // namespace bnq_test
