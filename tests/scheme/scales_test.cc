#include "core/scheme/scales.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/base/error.h"
#include "core/scheme/rules.h"
#include "tests/support/values.h"

namespace bnq {
namespace {

StoredScales Stored(const Config& config, const std::vector<float>& scales,
                    std::vector<uint32_t>* words) {
  words->assign((StoredScaleBytes(config, scales.size()) + 3) / 4, 0xA5A5A5A5);
  auto* bytes = reinterpret_cast<uint8_t*>(words->data());
  StoreScales(config, scales.data(), scales.size(), bytes);
  return {config.scale_dtype(), config.double_quant(), scales.size(), bytes};
}

// Rounded scales come back as they were, from any place on.
TEST(Scales, RoundedOnesComeBack) {
  for (const char* dtype : {"f32", "f16", "bf16"}) {
    Config config;
    config.SetText("scale_dtype", dtype);
    std::vector<float> scales = bnq_test::HardValues(1000, 1);
    for (float& scale : scales) {
      scale = RoundScale(std::fabs(scale), config.scale_dtype());
    }
    std::vector<uint32_t> words;
    const StoredScales stored = Stored(config, scales, &words);
    stored.Validate();
    for (const uint64_t begin : {0, 1, 500, 999}) {
      std::vector<float> read(scales.size() - begin);
      stored.Read(begin, read.size(), read.data());
      EXPECT_EQ(
          0, std::memcmp(read.data(), scales.data() + begin, 4 * read.size()))
          << dtype;
    }
  }
}

// By its definition: an entry of the map times the block's greatest difference,
// plus the mean; nearer than the map's widest step.
TEST(Scales, DoubleQuantizedOnesAreNear) {
  Config config;
  config.SetText("double_quant", "on");
  for (const size_t count : {1u, 2u, 255u, 256u, 257u, 1000u}) {
    std::vector<float> scales(count);
    for (size_t i = 0; i < count; ++i) {
      scales[i] = 0.5f + 0.4f * std::sin(static_cast<float>(i * i));
    }
    std::vector<uint32_t> words;
    const StoredScales stored = Stored(config, scales, &words);
    stored.Validate();
    std::vector<float> read(count), later(count);
    stored.Read(0, count, read.data());
    for (size_t i = 0; i < count; ++i) {
      EXPECT_NEAR(read[i], scales[i], 0.9f * 0.02f) << i << " of " << count;
      stored.Read(i, 1, &later[i]);
    }
    EXPECT_EQ(read, later);
  }
}

TEST(Scales, WhatIsNotFiniteIsNamed) {
  Config config;
  std::vector<float> scales(300, 1.0f);
  for (const float bad : {NAN, HUGE_VALF, -HUGE_VALF}) {
    scales[299] = bad;
    std::vector<uint32_t> words;
    try {
      Stored(config, scales, &words).Validate();
      FAIL() << bad;
    } catch (const Error& e) {
      EXPECT_EQ(e.status(), Status::kInvalidArgument);
      EXPECT_NE(e.message().find("299"), std::string::npos) << e.message();
    }
  }
}

TEST(Scales, SaturatedOnesAreCounted) {
  Config config;
  config.SetText("scale_dtype", "f16");
  std::vector<float> scales = {1.0f, 65504.0f, 0x1p-24f, 0.0f, 2.0f};
  std::vector<uint32_t> words;
  EXPECT_EQ(Stored(config, scales, &words).CountSaturated(), 2u);
}

TEST(Scales, TheDynamicMapAscendsFromMinusOneToOne) {
  const float* map = DynamicMap();
  for (int i = 1; i < 256; ++i) ASSERT_LT(map[i - 1], map[i]) << i;
  EXPECT_EQ(map[255], 1.0f);
  EXPECT_GT(map[0], -1.0f);
  int zeros = 0;
  for (int i = 0; i < 256; ++i) zeros += map[i] == 0;
  EXPECT_EQ(zeros, 1);
}

}  // namespace
}  // namespace bnq
