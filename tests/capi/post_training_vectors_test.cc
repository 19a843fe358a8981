// The shared vectors of post-training quantization through the C ABI, on every
// SIMD target.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/capi/vectors_test_util.h"

namespace bnq_test {
namespace {

class PostTrainingVectors : public VectorsTest {
 protected:
  Owned<bnq_config> MakeConfig(const json& options) {
    bnq_config* config = nullptr;
    EXPECT_EQ(bnq_config_create(&config), BNQ_OK);
    EXPECT_EQ(Configure(options, bnq_config_settings(config)), BNQ_OK)
        << bnq_last_error();
    return Owned<bnq_config>(config);
  }

  // The calibrator that the library chooses, with the case's method, which has
  // observed the batches.
  Owned<bnq_calibrator> Observed(const json& c, const bnq_config* config) {
    bnq_calibrator* calibrator = nullptr;
    EXPECT_EQ(bnq_calibrator_create_for(config, &calibrator), BNQ_OK)
        << bnq_last_error();
    const json method = {{"method", c.at("method")}};
    EXPECT_EQ(Configure(method, bnq_calibrator_settings(calibrator)), BNQ_OK)
        << bnq_last_error();
    for (const json& batch : c.at("batches")) {
      Observe(context_, calibrator, batch);
    }
    return Owned<bnq_calibrator>(calibrator);
  }

  void CheckTensor(const json& c, const bnq_tensor* tensor, uint64_t clamped) {
    const uint64_t count = c.at("input").size();
    std::vector<int8_t> codes(count);
    ASSERT_EQ(bnq_tensor_unpack(context_, tensor, codes.data(), count), BNQ_OK);
    EXPECT_EQ(codes, c.at("codes").get<std::vector<int8_t>>());
    std::vector<float> values(count);
    ASSERT_EQ(
        bnq_tensor_dequantize(context_, tensor, BNQ_DTYPE_F32,
                              BNQ_OVERFLOW_ERROR, values.data(), 4 * count),
        BNQ_OK);
    EXPECT_EQ(BitsOf(values), Bits(c.at("dequantized")));
    EXPECT_EQ(clamped, c.at("clamped").get<uint64_t>());
  }

  void Check(const json& c) {
    const Owned<bnq_config> config = MakeConfig(c.at("config"));
    const Owned<bnq_calibrator> calibrator = Observed(c, config.get());
    // What was chosen is what these texts are.
    for (const auto& option : c.at("calibrator").items()) {
      int32_t id = 0;
      ASSERT_EQ(
          bnq_option_id(BNQ_OPTIONS_CALIBRATOR, option.key().c_str(), &id),
          BNQ_OK);
      int64_t value = -1;
      ASSERT_EQ(bnq_options_get_int(bnq_calibrator_options(calibrator.get()),
                                    id, &value),
                BNQ_OK);
      const char* name =
          bnq_option_value_name(BNQ_OPTIONS_CALIBRATOR, id, value);
      EXPECT_EQ(option.value().get<std::string>(),
                name != nullptr ? name : std::to_string(value))
          << option.key();
    }
    const uint64_t channels = c.at("scales").size();
    std::vector<float> scales(channels);
    std::vector<int8_t> zeros(c.at("zero_points").size());
    std::vector<float> offsets(c.at("offsets").size());
    ASSERT_EQ(bnq_calibrator_params(context_, calibrator.get(), config.get(),
                                    scales.data(), zeros.data(), offsets.data(),
                                    channels),
              BNQ_OK)
        << bnq_last_error();
    EXPECT_EQ(BitsOf(scales), Bits(c.at("scales")));
    EXPECT_EQ(zeros, c.at("zero_points").get<std::vector<int8_t>>());
    EXPECT_EQ(BitsOf(offsets), Bits(c.at("offsets")));

    const InputArray array(c);
    const bnq_array view = array.view();
    bnq_tensor* tensor = nullptr;
    uint64_t clamped = 0;
    ASSERT_EQ(bnq_tensor_quantize_static(context_, config.get(), &view,
                                         scales.data(), channels, zeros.data(),
                                         zeros.size(), offsets.data(),
                                         offsets.size(), &clamped, &tensor),
              BNQ_OK)
        << bnq_last_error();
    const Owned<bnq_tensor> given(tensor);
    CheckTensor(c, tensor, clamped);
    ASSERT_EQ(
        bnq_tensor_quantize_calibrated(context_, config.get(), calibrator.get(),
                                       &view, &clamped, &tensor),
        BNQ_OK)
        << bnq_last_error();
    const Owned<bnq_tensor> calibrated(tensor);
    CheckTensor(c, tensor, clamped);
  }
};

TEST_F(PostTrainingVectors, OnEveryTarget) {
  VectorsTest::OnEveryTarget(Cases("post_training.json"),
                             [&](const json& c) { Check(c); });
}

}  // namespace
}  // namespace bnq_test
