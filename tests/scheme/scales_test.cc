#include "core/scheme/scales.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cfloat>
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
  const float of_tensor = config.scale_dtype() == ScaleDType::kE4M3
                              ? TensorScale(scales.data(), scales.size())
                              : 1.0f;
  StoreScales(config, scales.data(), scales.size(), bytes, of_tensor);
  return StoredScales(config, scales.size(), bytes, of_tensor);
}

// Rounded scales come back as they were, from any place on.
TEST(Scales, RoundedOnesComeBack) {
  for (const char* dtype : {"f32", "f16", "bf16", "e8m0"}) {
    Config config;
    config.SetText("scale_dtype", dtype);
    std::vector<float> scales = bnq_test::HardValues(1000, 1);
    for (float& scale : scales) {
      scale = RoundScale(std::fabs(scale), config.scale_dtype());
      // 0 is no power of two.
      if (config.scale_dtype() == ScaleDType::kE8M0 && scale == 0.0f) {
        scale = 0x1p-127f;
      }
    }
    std::vector<uint32_t> words;
    const StoredScales stored = Stored(config, scales, &words);
    stored.Validate("scale");
    for (const uint64_t begin : {0, 1, 500, 999}) {
      std::vector<float> read(scales.size() - begin);
      stored.Read(begin, read.size(), read.data());
      EXPECT_EQ(
          0, std::memcmp(read.data(), scales.data() + begin, 4 * read.size()))
          << dtype;
    }
  }
}

// Bytes by hand: 2^(byte - 127).
TEST(Scales, PowersOfTwo) {
  Config config;
  config.SetText("scale_dtype", "e8m0");
  const std::vector<float> scales = {1.0f, 0.5f, 0x1p127f, 0x1p-127f, 0.0f};
  std::vector<uint32_t> words;
  const StoredScales stored = Stored(config, scales, &words);
  const uint8_t expected[] = {127, 126, 254, 0, 0};
  EXPECT_EQ(0, std::memcmp(stored.data, expected, sizeof expected));
  std::vector<float> read(5);
  stored.Read(0, 5, read.data());
  EXPECT_EQ(read,
            (std::vector<float>{1.0f, 0.5f, 0x1p127f, 0x1p-127f, 0x1p-127f}));
  const uint8_t nan = 255;
  StoredScales bad = stored;
  bad.data = &nan;
  bad.count = 1;
  EXPECT_THROW(bad.Validate("scale"), Error);
  EXPECT_EQ(RoundScale(0.75f, ScaleDType::kE8M0), 1.0f);
  EXPECT_EQ(RoundScale(1.0f, ScaleDType::kE8M0), 1.0f);
  EXPECT_EQ(RoundScale(1e-40f, ScaleDType::kE8M0), 0x1p-127f);
  EXPECT_EQ(RoundScale(3e38f, ScaleDType::kE8M0), 0x1p127f);
}

// NVFP4's: the greatest scale is 448 times the tensor's, and read back as it
// was but for a last bit; none but 0 becomes 0.
TEST(Scales, OfTheTensor) {
  Config config;
  config.SetText("scale_dtype", "e4m3");
  std::vector<float> scales = {0.0f, 7.0f, 3.5f, 1e-12f, -7.0f, 0.25f};
  std::vector<uint32_t> words;
  const StoredScales stored = Stored(config, scales, &words);
  EXPECT_FLOAT_EQ(stored.tensor_scale, 7.0f / 448.0f);
  const uint8_t expected[] = {0, 0x7E, 0x76, 0x01, 0xFE, 0x58};
  EXPECT_EQ(0, std::memcmp(stored.data, expected, sizeof expected));
  std::vector<float> read(scales.size()), rounded = scales;
  stored.Read(0, read.size(), read.data());
  EXPECT_EQ(read[0], 0.0f);
  EXPECT_FLOAT_EQ(read[1], 7.0f);
  EXPECT_FLOAT_EQ(read[3], 7.0f / 448.0f * 0x1p-9f);
  EXPECT_FLOAT_EQ(read[4], -7.0f);
  RoundAsStored(config, rounded.data(), rounded.size());
  EXPECT_EQ(rounded, read);
  // Never more than the greatest, which may be all that float32 holds.
  for (const float greatest : {3.4028235e38f, 1.0f, 0.3f, 1.17549435e-38f}) {
    const float of_tensor = TensorScale(&greatest, 1);
    EXPECT_LE(of_tensor * 448.0f, std::max(greatest, 448 * FLT_MIN));
  }
  const float zero = 0.0f;
  EXPECT_EQ(TensorScale(&zero, 1), 0.0f);
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
    stored.Validate("scale");
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
      Stored(config, scales, &words).Validate("scale");
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
