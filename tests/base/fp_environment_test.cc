#include "core/base/fp_environment.h"

#include <gtest/gtest.h>

#include <cfenv>

namespace bnq {
namespace {

// How floats are rounded. fegetround() may speak of another unit (on x86 of the
// x87's, which the library leaves alone).
int Rounding() {
  const volatile float one = 1.0f, tiny = 1e-10f;
  if (one + tiny > one) return FE_UPWARD;
  return -one - tiny < -one ? FE_DOWNWARD : FE_TONEAREST;
}

TEST(FpEnvironment, ScopesNest) {
  ASSERT_EQ(std::fesetround(FE_UPWARD), 0);
  {
    const FpEnvironment own;
    EXPECT_EQ(Rounding(), FE_TONEAREST);
    {
      const CallerFpEnvironment callback;
      EXPECT_EQ(Rounding(), FE_UPWARD);
      std::fesetround(FE_DOWNWARD);
      const FpEnvironment again;
      EXPECT_EQ(Rounding(), FE_TONEAREST);
      const CallerFpEnvironment inner;
      EXPECT_EQ(Rounding(), FE_DOWNWARD);
    }
    EXPECT_EQ(Rounding(), FE_TONEAREST);
  }
  EXPECT_EQ(Rounding(), FE_DOWNWARD);
  {
    const CallerFpEnvironment outside;
    EXPECT_EQ(Rounding(), FE_DOWNWARD);
  }
  std::fesetround(FE_TONEAREST);
}

TEST(FpEnvironment, LeavesNoExceptionFlagsBehind) {
  std::feclearexcept(FE_ALL_EXCEPT);
  {
    const FpEnvironment own;
    const volatile float great = 3e38f;
    const volatile float overflow = great * great;
    (void)overflow;
  }
  EXPECT_EQ(std::fetestexcept(FE_ALL_EXCEPT), 0);
}

}  // namespace
}  // namespace bnq
