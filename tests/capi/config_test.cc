// Configs as the C ABI has them.
#include <gtest/gtest.h>

#include <string>

#include "bnq/bnq.h"
#include "capi_test_util.h"

namespace {

using bnq_test::Expect;

// Codes, scales, offsets and what else there is, from the definitions.
TEST(Config, BitsPerWeightCountEveryPart) {
  const double blocks = 1.0 / 64;         // nf4: bytes, and a float32 for 256
  const double matrix = 4096.0 * 4096.0;  // and a mean
  const struct {
    const char* text;
    double bits;
  } rows[] = {
      {"ternary_per_group_128", 2 + 32.0 / 128},
      {"ternary_base3", 820 * 8 / 4096.0 + 32.0 / 128},
      {"binary_per_group_128", 1 + 32.0 / 128},
      {"int8_symmetric", 8 + 32 / matrix},
      {"int8_asymmetric", 8 + (32 + 8) / matrix},
      {"int4_per_group_128_asymmetric", 4 + (32 + 8) / 128.0},
      {"int2_per_group_64", 2 + (16 + 16) / 64.0},
      {"nf4", 4 + 32.0 / 64},
      {"nf4_double_quant", 4 + (8 + 32.0 / 256) * blocks + 32 / matrix},
      {"mxfp4", 4 + 8.0 / 32},
      {"nvfp4", 4 + 8.0 / 16 + 32 / matrix},
      {"int8_outliers", 8 + 32.0 / 4096},
      {"f16", 16},
  };
  for (const auto& row : rows) {
    bnq_config* config = nullptr;
    ASSERT_EQ(bnq_config_from_text(row.text, &config), BNQ_OK);
    double bits = 0;
    EXPECT_EQ(bnq_config_bits_per_weight(config, &bits), BNQ_OK);
    EXPECT_DOUBLE_EQ(bits, row.bits) << row.text;
    bnq_config_destroy(config);
  }
}

TEST(Config, BitsPerWeightRefuseWhatCannotBe) {
  bnq_config* config = nullptr;
  double bits = -1;
  ASSERT_EQ(bnq_config_from_text("nf4,scheme=offset", &config), BNQ_OK);
  Expect(bnq_config_bits_per_weight(config, &bits), BNQ_ERROR_UNSUPPORTED,
         "scheme");
  Expect(bnq_config_bits_per_weight(config, nullptr),
         BNQ_ERROR_INVALID_ARGUMENT, "out_bits");
  bnq_config_destroy(config);
  ASSERT_EQ(bnq_config_from_text("none", &config), BNQ_OK);
  Expect(bnq_config_bits_per_weight(config, &bits), BNQ_ERROR_INVALID_ARGUMENT,
         "none");
  Expect(bnq_config_check(config), BNQ_ERROR_INVALID_ARGUMENT, "none");
  EXPECT_EQ(bits, -1);
  bnq_config_destroy(config);
}

// Shares are taken for percentages: allowed, or beyond a calibrator's bounds.
TEST(Config, AdviceOnPercentages) {
  const struct {
    const char* text;
    const char* advice;
  } rows[] = {
      {"int8", ""},
      {"int8,percentile=1.5", ""},
      {"int8,percentile=0", ""},
      {"int8,percentile=0.999",
       "percentile = 0.999 is of a hundred, did you mean 99.9?"},
  };
  for (const auto& row : rows) {
    bnq_config* config = nullptr;
    ASSERT_EQ(bnq_config_from_text(row.text, &config), BNQ_OK);
    const bnq_options* options = bnq_config_options(config);
    uint64_t size = 0;
    char text[200];
    EXPECT_EQ(bnq_options_advice(options, text, sizeof text, &size), BNQ_OK);
    EXPECT_STREQ(text, row.advice);
    EXPECT_EQ(size, std::string(row.advice).size() + 1);
    bnq_config_destroy(config);
  }
  Expect(bnq_options_advice(nullptr, nullptr, 0, nullptr),
         BNQ_ERROR_INVALID_ARGUMENT, "options");
  bnq_calibrator* calibrator = nullptr;
  ASSERT_EQ(bnq_calibrator_create(&calibrator), BNQ_OK);
  for (const char* option : {"percentile", "outlier_percentile"}) {
    Expect(bnq_options_set_text(bnq_calibrator_settings(calibrator), option,
                                "0.999"),
           BNQ_ERROR_INVALID_ARGUMENT, "50 to 100, did you mean 99.9?");
  }
  bnq_calibrator_destroy(calibrator);
}

}  // namespace
