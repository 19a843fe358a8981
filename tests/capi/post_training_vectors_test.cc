// The shared vectors of post-training quantization through the C ABI, on every
// SIMD target.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bnq/bnq.h"
#include "bnq/bnq_x.h"

namespace {

using nlohmann::json;

struct Destroy {
  void operator()(bnq_config* c) const { bnq_config_destroy(c); }
  void operator()(bnq_calibrator* c) const { bnq_calibrator_destroy(c); }
  void operator()(bnq_tensor* t) const { bnq_tensor_destroy(t); }
};
template <class T>
using Owned = std::unique_ptr<T, Destroy>;

// An array of the file, and its view.
struct Array {
  explicit Array(const json& from)
      : values(from.at("input").get<std::vector<float>>()),
        shape(from.at("shape").get<std::vector<uint64_t>>()) {}
  bnq_array view() const {
    return {values.data(), shape.data(), BNQ_DTYPE_F32,
            static_cast<int32_t>(shape.size())};
  }
  std::vector<float> values;
  std::vector<uint64_t> shape;
};

std::vector<uint32_t> BitsOf(const std::vector<float>& values) {
  std::vector<uint32_t> bits(values.size());
  if (!bits.empty()) std::memcpy(bits.data(), values.data(), 4 * bits.size());
  return bits;
}

std::vector<uint32_t> Bits(const json& texts) {
  std::vector<uint32_t> bits;
  for (const std::string text : texts) {
    bits.push_back(static_cast<uint32_t>(std::stoul(text, nullptr, 16)));
  }
  return bits;
}

class PostTrainingVectors : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(bnq_context_create(nullptr, &context_), BNQ_OK);
    std::ifstream in(std::string(BNQ_TEST_VECTORS) + "/post_training.json");
    cases_ = json::parse(in).at("cases");
    ASSERT_GT(cases_.size(), 0u);
  }
  void TearDown() override {
    EXPECT_EQ(bnq_x_force_target(nullptr), BNQ_OK);
    bnq_context_destroy(context_);
  }

  Owned<bnq_config> MakeConfig(const json& options) {
    bnq_config* config = nullptr;
    EXPECT_EQ(bnq_config_create(&config), BNQ_OK);
    for (const auto& option : options.items()) {
      const std::string value = option.value();
      EXPECT_EQ(bnq_options_set_text(bnq_config_settings(config),
                                     option.key().c_str(), value.c_str()),
                BNQ_OK)
          << bnq_last_error();
    }
    return Owned<bnq_config>(config);
  }

  // The calibrator that the library chooses, with the case's method, which has
  // observed the batches.
  Owned<bnq_calibrator> Observed(const json& c, const bnq_config* config) {
    bnq_calibrator* calibrator = nullptr;
    EXPECT_EQ(bnq_calibrator_create_for(config, &calibrator), BNQ_OK)
        << bnq_last_error();
    Owned<bnq_calibrator> owned(calibrator);
    const std::string method = c.at("method");
    EXPECT_EQ(bnq_options_set_text(bnq_calibrator_settings(calibrator),
                                   "method", method.c_str()),
              BNQ_OK);
    for (const json& batch : c.at("batches")) {
      const Array array(batch);
      const bnq_array view = array.view();
      EXPECT_EQ(bnq_calibrator_observe(context_, calibrator, &view), BNQ_OK)
          << bnq_last_error();
    }
    return owned;
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
    ASSERT_EQ(bnq_calibrator_params(context_, calibrator.get(), config.get(),
                                    scales.data(), zeros.data(), channels),
              BNQ_OK)
        << bnq_last_error();
    EXPECT_EQ(BitsOf(scales), Bits(c.at("scales")));
    EXPECT_EQ(zeros, c.at("zero_points").get<std::vector<int8_t>>());

    const Array array(c);
    const bnq_array view = array.view();
    bnq_tensor* tensor = nullptr;
    uint64_t clamped = 0;
    ASSERT_EQ(bnq_tensor_quantize_static(context_, config.get(), &view,
                                         scales.data(), channels, zeros.data(),
                                         zeros.size(), &clamped, &tensor),
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

  bnq_context* context_ = nullptr;
  json cases_;
};

TEST_F(PostTrainingVectors, OnEveryTarget) {
  for (uint32_t t = 0; t < bnq_target_count(); ++t) {
    if (!bnq_target_supported(t)) continue;
    SCOPED_TRACE(bnq_target_name(t));
    ASSERT_EQ(bnq_x_force_target(bnq_target_name(t)), BNQ_OK);
    ASSERT_EQ(bnq_context_set_threads(context_, t % 2 == 0 ? 1 : 3), BNQ_OK);
    for (const json& c : cases_) {
      SCOPED_TRACE(c.at("name").get<std::string>());
      Check(c);
    }
  }
}

}  // namespace
