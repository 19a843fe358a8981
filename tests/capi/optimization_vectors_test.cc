// The shared vectors of optimisation through the C ABI, on every SIMD target.
#include <gtest/gtest.h>

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
  void operator()(bnq_optimizer* o) const { bnq_optimizer_destroy(o); }
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

void Set(bnq_options* settings, const json& options) {
  for (const auto& option : options.items()) {
    const std::string value = option.value();
    EXPECT_EQ(
        bnq_options_set_text(settings, option.key().c_str(), value.c_str()),
        BNQ_OK)
        << bnq_last_error();
  }
}

class OptimizationVectors : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(bnq_context_create(nullptr, &context_), BNQ_OK);
    std::ifstream in(std::string(BNQ_TEST_VECTORS) + "/optimization.json");
    cases_ = json::parse(in).at("cases");
    ASSERT_GT(cases_.size(), 0u);
  }
  void TearDown() override {
    EXPECT_EQ(bnq_x_force_target(nullptr), BNQ_OK);
    bnq_context_destroy(context_);
  }

  void Check(const json& c) {
    bnq_config* config = nullptr;
    ASSERT_EQ(bnq_config_create(&config), BNQ_OK);
    const Owned<bnq_config> config_owner(config);
    Set(bnq_config_settings(config), c.at("config"));
    bnq_optimizer* optimizer = nullptr;
    ASSERT_EQ(bnq_optimizer_create(&optimizer), BNQ_OK);
    const Owned<bnq_optimizer> optimizer_owner(optimizer);
    Set(bnq_optimizer_settings(optimizer), c.at("options"));

    const Array source(c);
    const bnq_array view = source.view();
    const json& given = c.at("activations");
    std::unique_ptr<Array> inputs;
    bnq_array inputs_view;
    if (!given.is_null()) {
      inputs = std::make_unique<Array>(given);
      inputs_view = inputs->view();
    }
    std::vector<float> input_scales(c.at("input_scales").size());
    double figures[BNQ_NUM_FIGURES];
    bnq_tensor* tensor = nullptr;
    ASSERT_EQ(
        bnq_optimize(context_, optimizer, config, &view,
                     inputs ? &inputs_view : nullptr, nullptr, nullptr, &tensor,
                     input_scales.empty() ? nullptr : input_scales.data(),
                     input_scales.size(), figures, BNQ_NUM_FIGURES),
        BNQ_OK)
        << bnq_last_error();
    const Owned<bnq_tensor> owner(tensor);
    CheckTensor(c, tensor);
    EXPECT_EQ(BitsOf(input_scales), Bits(c.at("input_scales")));
    size_t seen = 0;
    for (uint32_t f = 0; f < bnq_figure_count(); ++f) {
      if (!c.at("figures").contains(bnq_figure_name(f))) continue;
      ++seen;
      const double expected = c.at("figures").at(bnq_figure_name(f));
      EXPECT_NEAR(figures[f], expected, 1e-9 * expected) << bnq_figure_name(f);
    }
    EXPECT_EQ(seen, c.at("figures").size());
  }

  void CheckTensor(const json& c, const bnq_tensor* tensor) {
    std::vector<int8_t> codes(c.at("codes").size());
    ASSERT_EQ(bnq_tensor_unpack(context_, tensor, codes.data(), codes.size()),
              BNQ_OK);
    EXPECT_EQ(codes, c.at("codes").get<std::vector<int8_t>>());
    std::vector<float> scales(c.at("scales").size());
    ASSERT_EQ(bnq_tensor_read_scales(tensor, scales.data(), scales.size()),
              BNQ_OK);
    EXPECT_EQ(BitsOf(scales), Bits(c.at("scales")));
    bnq_part zeros;
    ASSERT_EQ(bnq_tensor_part(tensor, BNQ_PART_ZERO_POINTS, &zeros), BNQ_OK);
    const auto* const begin = static_cast<const int8_t*>(zeros.data);
    EXPECT_EQ(std::vector<int8_t>(begin, begin + zeros.bytes),
              c.at("zero_points").get<std::vector<int8_t>>());
  }

  bnq_context* context_ = nullptr;
  json cases_;
};

TEST_F(OptimizationVectors, OnEveryTarget) {
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
