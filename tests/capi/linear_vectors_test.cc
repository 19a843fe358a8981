// The shared vectors of linear layers and convolutions through the C ABI, on
// every SIMD target.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/capi/matrix_vectors_util.h"

namespace bnq_test {
namespace {

class LayerVectors : public VectorsTest {
 protected:
  // create(context, options, weight, bias) of a case.
  template <class F>
  void MakeLayer(const json& c, F create) {
    bnq_config* config = nullptr;
    ASSERT_EQ(bnq_config_create(&config), BNQ_OK);
    config_.reset(config);
    ASSERT_EQ(Configure(c.at("config"), bnq_config_settings(config)), BNQ_OK);
    bnq_operator* options = nullptr;
    ASSERT_EQ(bnq_operator_create(&options), BNQ_OK);
    options_.reset(options);
    ASSERT_EQ(Configure(c.at("options"), bnq_operator_settings(options)),
              BNQ_OK)
        << bnq_last_error();
    const std::vector<float> values = Numbers(c.at("weight"));
    const auto shape = c.at("weight_shape").get<std::vector<uint64_t>>();
    const bnq_array array = {values.data(), shape.data(), BNQ_DTYPE_F32,
                             static_cast<int32_t>(shape.size())};
    bnq_tensor* tensor = nullptr;
    ASSERT_EQ(bnq_tensor_quantize(context_, config, &array, &tensor), BNQ_OK);
    Owned<bnq_tensor> weight(tensor);
    if (c.contains("input_scales")) {
      const Owned<bnq_tensor> plain = std::move(weight);
      const std::vector<float> scales = Numbers(c.at("input_scales"));
      bnq_part parts[BNQ_NUM_PARTS];
      for (int32_t id = 1; id <= BNQ_NUM_PARTS; ++id) {
        ASSERT_EQ(bnq_tensor_part(plain.get(), id, &parts[id - 1]), BNQ_OK);
      }
      bnq_part& part = parts[BNQ_PART_INPUT_SCALES - 1];
      part.data = scales.data();
      part.bytes = scales.size() * sizeof(float);
      part.dtype = BNQ_DTYPE_F32;
      ASSERT_EQ(bnq_tensor_create(context_, config, array.rank, shape.data(),
                                  parts, BNQ_NUM_PARTS, 0, &tensor),
                BNQ_OK)
          << bnq_last_error();
      weight.reset(tensor);
    }
    create(context_, options, tensor, BiasOf(c));
    if (shape.size() != 2 || !c.contains("integers")) return;
    int32_t integers = -1;
    EXPECT_EQ(bnq_operator_check(options, config, &integers), BNQ_OK);
    EXPECT_EQ(integers != 0, c.at("integers").get<bool>());
  }

  const bnq_array* BiasOf(const json& c) {
    if (!c.contains("bias")) return nullptr;
    bias_bytes_.clear();
    const bool integers = c.at("bias_dtype") == "I32";
    for (const json& b : c.at("bias")) {
      const float f = integers ? 0.0f : b.get<float>();
      const int32_t i = integers ? b.get<int32_t>() : 0;
      uint8_t bytes[4];
      std::memcpy(bytes, integers ? static_cast<const void*>(&i) : &f, 4);
      bias_bytes_.insert(bias_bytes_.end(), bytes, bytes + 4);
    }
    bias_shape_ = bias_bytes_.size() / 4;
    bias_ = {bias_bytes_.data(), &bias_shape_,
             integers ? BNQ_DTYPE_I32 : BNQ_DTYPE_F32, 1};
    return &bias_;
  }

  Owned<bnq_config> config_;
  Owned<bnq_operator> options_;
  std::vector<uint8_t> bias_bytes_;
  uint64_t bias_shape_ = 0;
  bnq_array bias_ = {};
};

class LinearVectors : public LayerVectors {
 protected:
  void Check(const json& c) {
    Owned<bnq_linear> linear;
    MakeLayer(c, [&](auto... parts) {
      bnq_linear* made = nullptr;
      EXPECT_EQ(bnq_linear_create(parts..., &made), BNQ_OK) << bnq_last_error();
      linear.reset(made);
    });
    if (HasFatalFailure()) return;
    Operand x(c, "", BytesOf(c.at("input"), DTypeOf(c.at("dtype"))));
    const int32_t dtype = DTypeOf(c.at("output_dtype"));
    const std::vector<uint8_t> expected = BytesOf(c.at("output"), dtype);
    std::vector<uint8_t> y(expected.size());
    bnq_matrix output = {};
    output.data = y.data();
    output.rows = x.matrix.rows;
    output.columns = bnq_linear_outputs(linear.get());
    output.dtype = dtype;
    ASSERT_EQ(
        bnq_linear_run(linear.get(), context_, &x.matrix, &output, nullptr, 0),
        BNQ_OK)
        << bnq_last_error();
    EXPECT_EQ(y, expected);
    const size_t row = y.size() / output.rows;
    output.rows = 1;
    for (uint64_t m = 0; m < x.matrix.rows; ++m) {
      bnq_matrix one = x.matrix;
      one.rows = 1;
      one.data = x.bytes.data() + m * x.bytes.size() / x.matrix.rows;
      if (one.scales != nullptr) one.scales += m;
      if (one.zero_points != nullptr) one.zero_points += m;
      std::vector<uint8_t> alone(row);
      output.data = alone.data();
      ASSERT_EQ(
          bnq_linear_run(linear.get(), context_, &one, &output, nullptr, 0),
          BNQ_OK);
      EXPECT_TRUE(std::equal(alone.begin(), alone.end(),
                             expected.begin() + static_cast<long>(m * row)))
          << "row " << m;
    }
  }
};

TEST_F(LinearVectors, AreReproduced) {
  OnEveryTarget(Cases("linear.json"), [this](const json& c) { Check(c); });
}

class ConvolutionVectors : public LayerVectors {
 protected:
  void Check(const json& c) {
    Owned<bnq_convolution> convolution;
    MakeLayer(c, [&](auto... parts) {
      bnq_convolution* made = nullptr;
      EXPECT_EQ(bnq_convolution_create(parts..., &made), BNQ_OK)
          << bnq_last_error();
      convolution.reset(made);
    });
    if (HasFatalFailure() || convolution == nullptr) return;
    const bool last = c.at("options").value("layout", "nchw") == "nhwc";
    auto images = c.at("shape").get<std::vector<uint64_t>>();
    if (images.size() == 3) images.insert(images.begin() + (last ? 1 : 2), 1);
    const uint64_t height = images[last ? 1 : 2], width = images[last ? 2 : 3];
    uint64_t sizes[3];
    ASSERT_EQ(bnq_convolution_output(convolution.get(), height, width, sizes,
                                     sizes + 1, sizes + 2),
              BNQ_OK);
    Operand x(c, "", BytesOf(c.at("input"), DTypeOf(c.at("dtype"))));
    x.matrix.columns = images[1] * images[2] * images[3];
    const int32_t dtype = DTypeOf(c.at("output_dtype"));
    const std::vector<uint8_t> expected = BytesOf(c.at("output"), dtype);
    std::vector<uint8_t> y(expected.size());
    bnq_matrix output = {};
    output.data = y.data();
    output.rows = images[0];
    output.columns = sizes[0] * sizes[1] * sizes[2];
    output.dtype = dtype;
    ASSERT_EQ(y.size() * 8,
              output.rows * output.columns * bnq_dtype_bits(dtype));
    ASSERT_EQ(bnq_convolution_run(convolution.get(), context_, &x.matrix,
                                  height, width, &output, nullptr, 0),
              BNQ_OK)
        << bnq_last_error();
    EXPECT_EQ(y, expected);
  }
};

TEST_F(ConvolutionVectors, AreReproduced) {
  OnEveryTarget(Cases("convolution.json"), [this](const json& c) { Check(c); });
}

}  // namespace
}  // namespace bnq_test
