#include "core/kernels/gradient.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "tests/support/targets.h"
#include "tests/support/values.h"

namespace bnq_test {
namespace {

using namespace bnq;

float SumOfLanes(float (&lanes)[kLanes]) {
  for (size_t half = kLanes / 2; half != 0; half /= 2) {
    for (size_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

// The definition, one value after another.
GradientSums Reference(const GradientArgs& args, std::vector<float>* dx) {
  GradientSums sums;
  for (size_t begin = 0; begin < args.count; begin += kGradientBlock) {
    float inside[kLanes] = {}, below[kLanes] = {}, above[kLanes] = {};
    const size_t end = std::min(args.count, begin + kGradientBlock);
    for (size_t i = begin; i < end; ++i) {
      const float v = (args.x[i] - args.offset) * args.inverse;
      const float dy = args.dy[i];
      const bool is_below = v<args.lo, is_above = v> args.hi;
      if (is_below) below[i % kLanes] += dy;
      if (is_above) above[i % kLanes] += dy;
      if (!is_below && !is_above) {
        inside[i % kLanes] += dy * (args.y[i] - args.x[i]);
        (*dx)[i] = dy;
      } else {
        (*dx)[i] = args.outside == 0.0f ? 0.0f : args.outside * dy;
      }
    }
    sums.inside += static_cast<double>(SumOfLanes(inside));
    sums.below += static_cast<double>(SumOfLanes(below));
    sums.above += static_cast<double>(SumOfLanes(above));
  }
  return sums;
}

TEST(Gradient, EveryTarget) {
  for (size_t n : {0, 1, 5, 16, 17, 128, 1000, 4096}) {
    for (float outside : {0.0f, 1.0f, 0.25f}) {
      const std::vector<float> x = HardValues(n, 4), dy = HardValues(n, 8);
      std::vector<float> y(n);
      for (size_t i = 0; i < n; ++i) y[i] = std::nearbyint(4.0f * x[i]) / 4.0f;
      GradientArgs args;
      args.x = x.data();
      args.y = y.data();
      args.dy = dy.data();
      args.count = n;
      args.offset = 0.125f;
      args.inverse = 3.7f;
      args.lo = -3.5f;
      args.hi = 2.5f;
      args.outside = outside;
      std::vector<float> expected(n);
      const GradientSums sums = Reference(args, &expected);
      ForEachTarget([&] {
        std::vector<float> dx(n + 1, -77.0f);
        args.dx = dx.data();
        const GradientSums got = Gradient(args);
        ASSERT_EQ(got.inside, sums.inside);
        ASSERT_EQ(got.below, sums.below);
        ASSERT_EQ(got.above, sums.above);
        ASSERT_EQ(std::memcmp(dx.data(), expected.data(), n * sizeof(float)),
                  0);
        ASSERT_EQ(dx[n], -77.0f);
        // In place.
        std::vector<float> both = dy;
        args.dy = args.dx = both.data();
        Gradient(args);
        ASSERT_EQ(both, expected);
        args.dy = dy.data();
      });
    }
  }
}

}  // namespace
}  // namespace bnq_test
