// MXFP4 of gpt-oss.
#include <gtest/gtest.h>

#include "tests/interchange/interchange_test_util.h"

namespace bnq {
namespace {

TEST(Mxfp4, Experts) {
  std::vector<uint8_t> blocks(2 * 3 * 2 * 16);
  for (size_t i = 0; i < blocks.size(); ++i) {
    blocks[i] = static_cast<uint8_t>(i * 37 + 1);
  }
  std::vector<uint8_t> scales = {127, 128, 120, 0,   126, 130,
                                 127, 127, 125, 129, 140, 1};
  const auto model = [&](std::vector<uint64_t> dims) {
    return TestModel{
        {"a.weight_blocks", TestArray(DType::kU8, {2, 3, 2, 16}, blocks)},
        {"a.weight_scales", TestArray(DType::kU8, std::move(dims), scales)}};
  };
  const Foreign foreign(FileOf(model({2, 3, 2})), "", "mxfp4");
  EXPECT_EQ(foreign.Get("a.weight").shape.ToString(), "[2, 3, 64]");
  const std::vector<float> values = foreign.Values("a.weight");
  const float magnitudes[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  ASSERT_EQ(values.size(), 2 * blocks.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const int code = blocks[i / 2] >> (i % 2 * 4) & 15;
    const float scale = std::ldexp(1.0f, scales[i / 32] - 127);
    const float value = magnitudes[code & 7] * scale;
    EXPECT_EQ(values[i], code & 8 ? -value : value) << i;
  }
  EXPECT_TRUE(IsRefused(model({2, 6}), "", "mxfp4", "must be the same"));
  EXPECT_TRUE(IsRefused(model({3, 2, 2}), "", "mxfp4", "must be the same"));
  scales[3] = 255;
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "scale 3", [&] {
    Foreign(FileOf(model({2, 3, 2})), "", "mxfp4").Load("a.weight");
  }));
}

}  // namespace
}  // namespace bnq
