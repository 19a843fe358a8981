#include "core/scheme/code_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "core/kernels/table.h"
#include "core/kernels/traversal.h"
#include "tests/support/targets.h"

namespace bnq_test {
namespace {

using namespace bnq;

// Tables of any size, also with entries that are equal: on every target the
// nearest value, of two as near the lower one.
TEST(CodeTable, FittedIsTheNearestValue) {
  std::mt19937 bits(11);
  for (const int count : {2, 4, 8, 16}) {
    for (int round = 0; round < 20; ++round) {
      std::vector<float> values(static_cast<size_t>(count));
      for (float& v : values) {
        // Multiples of 1/32, so that the midpoints are numbers themselves.
        v = static_cast<float>(static_cast<int>(bits() % 128) - 64) / 32.0f;
      }
      std::sort(values.begin(), values.end());
      const CodeTable table = FittedTable(values.data(), count);
      std::vector<float> x;
      for (int i = -200; i <= 200; ++i) {
        x.push_back(static_cast<float>(i) / 64.0f);
      }
      x.push_back(1e6f);
      x.push_back(-1e6f);
      ForEachTarget([&] {
        std::vector<float> out(x.size());
        RoundTripArgs args;
        args.rule.table = &table;
        args.params.scale = 1.0f;
        args.x = x.data();
        args.count = x.size();
        args.out = out.data();
        TableKernels().round_trip(args);
        for (size_t i = 0; i < x.size(); ++i) {
          double least = HUGE_VAL;
          float nearest = 0.0f;
          for (const float v : values) {
            const double e =
                std::fabs(static_cast<double>(x[i]) - static_cast<double>(v));
            if (e < least) {
              least = e;
              nearest = v;
            }
          }
          ASSERT_EQ(out[i], nearest) << x[i] << " of " << count << " values";
        }
      });
    }
  }
}

}  // namespace
}  // namespace bnq_test
