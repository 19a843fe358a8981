#include "core/base/fp_environment.h"

#include <gtest/gtest.h>

#include <cfenv>

namespace bnq {
namespace {

TEST(FpEnvironment, ScopesNest) {
  ASSERT_EQ(std::fesetround(FE_UPWARD), 0);
  {
    const FpEnvironment own;
    EXPECT_EQ(std::fegetround(), FE_TONEAREST);
    {
      const CallerFpEnvironment callback;
      EXPECT_EQ(std::fegetround(), FE_UPWARD);
      std::fesetround(FE_DOWNWARD);
      const FpEnvironment again;
      EXPECT_EQ(std::fegetround(), FE_TONEAREST);
      const CallerFpEnvironment inner;
      EXPECT_EQ(std::fegetround(), FE_DOWNWARD);
    }
    EXPECT_EQ(std::fegetround(), FE_TONEAREST);
  }
  EXPECT_EQ(std::fegetround(), FE_DOWNWARD);
  {
    const CallerFpEnvironment outside;
    EXPECT_EQ(std::fegetround(), FE_DOWNWARD);
  }
  std::fesetround(FE_TONEAREST);
}

TEST(FpEnvironment, LeavesNoExceptionFlagsBehind) {
  std::feclearexcept(FE_ALL_EXCEPT);
  {
    const FpEnvironment own;
    std::feraiseexcept(FE_OVERFLOW);
  }
  EXPECT_EQ(std::fetestexcept(FE_ALL_EXCEPT), 0);
}

}  // namespace
}  // namespace bnq
