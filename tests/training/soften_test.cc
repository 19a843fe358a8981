#include "core/training/soften.h"

#include <gtest/gtest.h>

#include <cmath>

namespace bnq {
namespace {

// Against the distribution function itself.
TEST(NormalQuantile, InvertsTheDistribution) {
  for (double p : {1e-10, 1e-6, 0.001, 0.02, 0.0749, 0.0751, 0.3, 0.5, 0.71,
                   0.93, 0.999, 1.0 - 1e-9}) {
    const double z = NormalQuantile(p);
    EXPECT_NEAR(0.5 * std::erfc(-z / std::sqrt(2.0)), p, 1e-14 + 1e-12 * p);
    EXPECT_NEAR(NormalQuantile(1.0 - p), -z, 1e-5 * std::fabs(z) + 1e-15);
  }
  EXPECT_EQ(NormalQuantile(0.5), 0.0);
}

}  // namespace
}  // namespace bnq
