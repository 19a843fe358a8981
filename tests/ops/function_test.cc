#include "core/ops/function.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "core/base/error.h"

namespace bnq_test {
namespace {

using namespace bnq;

double ByLibm(Function function, double slope, double x) {
  switch (function) {
    case Function::kLeakyRelu:
      return x < 0 ? slope * x : x;
    case Function::kGelu:
      return x / 2 * std::erfc(-x / std::sqrt(2.0));
    case Function::kGeluTanh: {
      const double u = std::sqrt(8 / M_PI) * (x + 0.044715 * x * x * x);
      return x / (1 + std::exp(-u));
    }
    case Function::kSilu:
      return x / (1 + std::exp(-x));
    case Function::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case Function::kTanh:
      return std::tanh(x);
    case Function::kHardSwish:
      return x * std::fmin(std::fmax(x + 3, 0.0), 6.0) / 6;
    case Function::kRelu6:
      return std::fmin(std::fmax(x, 0.0), 6.0);
    case Function::kSquaredRelu:
      return x > 0 ? x * x : 0;
    case Function::kRelu:
      return std::fmax(x, 0.0);
    case Function::kNone:
      break;
  }
  return x;
}

TEST(ExactFunctions, AgreeWithTheSystemsOwn) {
  for (int id = 0; id < kNumFunctions; ++id) {
    const Function function = static_cast<Function>(id);
    for (double a = 1e-20; a < 1e39; a *= 1.01) {
      for (const double x : {a, -a}) {
        const double exact = ByLibm(function, 0.3, x);
        const double value = ExactValue(function, 0.3, x);
        // Far out on the left what is left of GELU is a difference of numbers
        // near 1, and cubes of what the system rounds in its own way.
        const double bound = 1e-11 * std::fabs(exact) + 1e-300;
        ASSERT_NEAR(value, exact, x < -4 ? bound + 1e-12 : bound)
            << "function " << id << " of " << x;
      }
    }
    EXPECT_EQ(ExactValue(function, 0.3, 0.0),
              function == Function::kSigmoid ? 0.5 : 0.0);
  }
}

TEST(ExactFunctions, HaveNames) {
  for (int id = 0; id < kNumFunctions; ++id) {
    ASSERT_NE(FunctionAt(id).name, nullptr);
    EXPECT_EQ(static_cast<int>(FunctionNamed(FunctionAt(id).name)), id);
    EXPECT_FALSE(std::string(FunctionAt(id).description).empty());
  }
  EXPECT_EQ(FunctionAt(kNumFunctions).name, nullptr);
  EXPECT_EQ(FunctionAt(-1).name, nullptr);
  EXPECT_EQ(FunctionNamed("GELU"), Function::kGelu);
  try {
    FunctionNamed("gelo");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("\"gelu\""), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace bnq_test
