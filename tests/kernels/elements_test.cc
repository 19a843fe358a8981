#include "core/kernels/elements.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/support/targets.h"

namespace bnq_test {
namespace {

using namespace bnq;

// float64 is clipped before it becomes float32, to which 1e300 is infinite.
TEST(Elements, WideNumbersAreClippedBeforeTheyAreNarrowed) {
  const double inf = HUGE_VAL;
  const double in[] = {1e300, -1e300, 3.0, -0.5, inf, -inf, NAN, 4e38};
  SourceView source;
  source.data = reinterpret_cast<const uint8_t*>(in);
  source.dtype = DType::kF64;
  source.clip = 2.0f;
  ForEachTarget([&] {
    std::vector<float> out(8 + kLanes);
    source.zero_non_finite = false;
    LoadElements(source, 0, 8, out.data());
    for (const int i : {0, 2, 7}) EXPECT_EQ(out[i], 2.0f) << i;
    EXPECT_EQ(out[1], -2.0f);
    EXPECT_EQ(out[3], -0.5f);
    // What was not finite stays an error.
    EXPECT_EQ(out[4], HUGE_VALF);
    EXPECT_EQ(out[5], -HUGE_VALF);
    EXPECT_TRUE(std::isnan(out[6]));
    source.zero_non_finite = true;
    LoadElements(source, 0, 8, out.data());
    EXPECT_EQ(out[0], 2.0f);
    for (const int i : {4, 5, 6}) EXPECT_EQ(out[i], 0.0f) << i;
    // Outliers are told by what is left of the number.
    source.threshold = 1.0f;
    LoadElements(source, 0, 8, out.data());
    EXPECT_EQ(out[0], 0.0f);
    EXPECT_EQ(out[3], -0.5f);
    source.threshold = 0.0f;
  });
}

}  // namespace
}  // namespace bnq_test
