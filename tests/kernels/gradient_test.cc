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
GradientSums Reference(const GradientArgs& args, size_t segment,
                       std::vector<float>* dx) {
  const GradientSegment& by = args.segments[segment];
  GradientSums sums;
  for (size_t begin = 0; begin < args.count; begin += kGradientBlock) {
    float inside[kLanes] = {}, below[kLanes] = {}, above[kLanes] = {};
    const size_t end = std::min(args.count, begin + kGradientBlock);
    for (size_t i = begin; i < end; ++i) {
      const size_t at = segment * args.count + i;
      const float v = (args.x[at] - by.offset) * by.inverse;
      const float dy = args.dy[at];
      const bool is_below = v<by.lo, is_above = v> by.hi;
      if (is_below) below[i % kLanes] += dy;
      if (is_above) above[i % kLanes] += dy;
      if (!is_below && !is_above) {
        inside[i % kLanes] += dy * (args.y[at] - args.x[at]);
        (*dx)[at] = dy;
      } else {
        sums.clipped = true;
        (*dx)[at] = args.outside == 0.0f ? 0.0f : args.outside * dy;
      }
    }
    sums.inside += static_cast<double>(SumOfLanes(inside));
    sums.below += static_cast<double>(SumOfLanes(below));
    sums.above += static_cast<double>(SumOfLanes(above));
  }
  return sums;
}

// Segments of any length, some without a clipped value; with sums and without.
TEST(Gradient, EveryTarget) {
  const GradientSegment segments[] = {{0.125f, 3.7f, -3.5f, 2.5f},
                                      {0.0f, 1e-30f, -1.0f, 1.0f},
                                      {-1.0f, -2.0f, -7.0f, 0.5f}};
  for (size_t count : {0, 1, 5, 16, 17, 128, 1000, 4096}) {
    for (float outside : {0.0f, 1.0f, 0.25f}) {
      const size_t n = 3 * count;
      const std::vector<float> x = HardValues(n, 4), dy = HardValues(n, 8);
      std::vector<float> y(n);
      for (size_t i = 0; i < n; ++i) y[i] = std::nearbyint(4.0f * x[i]) / 4.0f;
      GradientArgs args;
      args.segments = segments;
      args.num_segments = 3;
      args.count = count;
      args.x = x.data();
      args.y = y.data();
      args.dy = dy.data();
      args.outside = outside;
      std::vector<float> expected(n);
      GradientSums sums[3];
      for (size_t s = 0; s < 3; ++s) sums[s] = Reference(args, s, &expected);
      ForEachTarget([&] {
        std::vector<float> dx(n + 1, -77.0f);
        GradientSums got[3];
        args.dx = dx.data();
        args.sums = got;
        Gradient(args);
        for (size_t s = 0; s < 3; ++s) {
          ASSERT_EQ(got[s].inside, sums[s].inside);
          ASSERT_EQ(got[s].below, sums[s].below);
          ASSERT_EQ(got[s].above, sums[s].above);
          ASSERT_EQ(got[s].clipped, sums[s].clipped);
        }
        ASSERT_EQ(std::memcmp(dx.data(), expected.data(), n * sizeof(float)),
                  0);
        ASSERT_EQ(dx[n], -77.0f);
        // In place, without sums.
        std::vector<float> both = dy;
        args.dy = args.dx = both.data();
        args.y = nullptr;
        args.sums = nullptr;
        Gradient(args);
        ASSERT_EQ(both, expected);
        args.dy = dy.data();
        args.y = y.data();
      });
    }
  }
}

}  // namespace
}  // namespace bnq_test
