// The shared vectors of optimisation through the C ABI, on every SIMD target.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/capi/vectors_test_util.h"

namespace bnq_test {
namespace {

class OptimizationVectors : public VectorsTest {
 protected:
  void Check(const json& c) {
    bnq_config* config = nullptr;
    ASSERT_EQ(bnq_config_create(&config), BNQ_OK);
    const Owned<bnq_config> config_owner(config);
    ASSERT_EQ(Configure(c.at("config"), bnq_config_settings(config)), BNQ_OK)
        << bnq_last_error();
    bnq_optimizer* optimizer = nullptr;
    ASSERT_EQ(bnq_optimizer_create(&optimizer), BNQ_OK);
    const Owned<bnq_optimizer> optimizer_owner(optimizer);
    ASSERT_EQ(Configure(c.at("options"), bnq_optimizer_settings(optimizer)),
              BNQ_OK)
        << bnq_last_error();

    if (c.contains("importance")) {
      const std::vector<float> weights = Numbers(c.at("importance"));
      ASSERT_EQ(bnq_optimizer_set_importance(optimizer, weights.data(),
                                             weights.size()),
                BNQ_OK)
          << bnq_last_error();
    }
    const InputArray source(c);
    const bnq_array view = source.view();
    const json& given = c.at("activations");
    std::unique_ptr<InputArray> inputs;
    bnq_array inputs_view;
    if (!given.is_null()) {
      inputs = std::make_unique<InputArray>(given);
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
    std::vector<float> offsets(c.at("offsets").size());
    ASSERT_EQ(bnq_tensor_read_offsets(tensor, offsets.data(), offsets.size()),
              BNQ_OK);
    EXPECT_EQ(BitsOf(offsets), Bits(c.at("offsets")));
    bnq_part part;
    ASSERT_EQ(bnq_tensor_part(tensor, BNQ_PART_INPUT_SCALES, &part), BNQ_OK);
    const float* const attached = static_cast<const float*>(part.data);
    EXPECT_EQ(BitsOf({attached, attached + part.count}),
              Bits(c.at("attached")));
    bnq_part zeros;
    ASSERT_EQ(bnq_tensor_part(tensor, BNQ_PART_ZERO_POINTS, &zeros), BNQ_OK);
    const auto* const begin = static_cast<const int8_t*>(zeros.data);
    EXPECT_EQ(std::vector<int8_t>(begin, begin + zeros.bytes),
              c.at("zero_points").get<std::vector<int8_t>>());
  }
};

TEST_F(OptimizationVectors, OnEveryTarget) {
  VectorsTest::OnEveryTarget(Cases("optimization.json"),
                             [&](const json& c) { Check(c); });
}

}  // namespace
}  // namespace bnq_test
