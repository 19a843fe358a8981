// The shared vectors of activation functions and norms through the C ABI, on
// every SIMD target.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/capi/vectors_test_util.h"

namespace bnq_test {
namespace {

int32_t DTypeOf(const json& name) {
  int32_t dtype = 0;
  EXPECT_EQ(bnq_dtype_id(name.get<std::string>().c_str(), &dtype), BNQ_OK);
  return dtype;
}

// The bytes of a list: numbers, codes, or bits in hexadecimal.
std::vector<uint8_t> BytesOf(const json& list, int32_t dtype) {
  const size_t size = bnq_dtype_bits(dtype) / 8;
  std::vector<uint8_t> bytes(list.size() * size);
  for (size_t i = 0; i < list.size(); ++i) {
    uint32_t bits = 0;
    if (size == 1) {
      bits = static_cast<uint32_t>(list[i].get<int>());
    } else if (dtype == BNQ_DTYPE_F32 && list[i].is_number()) {
      const float value = static_cast<float>(list[i].get<double>());
      std::memcpy(&bits, &value, sizeof bits);
    } else {
      const std::string text = list[i];
      bits = text == "nan"   ? 0x7FC00000u
             : text == "inf" ? 0x7F800000u
             : text == "-inf"
                 ? 0xFF800000u
                 : static_cast<uint32_t>(std::stoul(text, nullptr, 16));
    }
    for (size_t b = 0; b < size; ++b) {
      bytes[i * size + b] = static_cast<uint8_t>(bits >> 8 * b);
    }
  }
  return bytes;
}

// A matrix and what it points to.
struct Operand {
  Operand(const json& c, const std::string& prefix, std::vector<uint8_t> data)
      : bytes(std::move(data)) {
    matrix.rows = c.at("shape")[0];
    matrix.columns = c.at("shape")[1];
    matrix.dtype = DTypeOf(c.at(prefix + "dtype"));
    matrix.data = bytes.data();
    if (c.contains(prefix + "scales")) {
      scales = Numbers(c.at(prefix + "scales"));
      zero_points = c.at(prefix + "zero_points").get<std::vector<int32_t>>();
      matrix.scales = scales.data();
      matrix.zero_points = zero_points.data();
    }
  }
  std::vector<uint8_t> bytes;
  std::vector<float> scales;
  std::vector<int32_t> zero_points;
  bnq_matrix matrix = {};
};

bnq_status Operate(const json& c, bnq_context* context, const bnq_matrix* x,
                   const bnq_matrix* y) {
  const std::string op = c.at("operator");
  if (op == "softmax") return bnq_softmax(context, x, y);
  if (op == "activate") {
    int32_t function = -1;
    const std::string name = c.at("function");
    EXPECT_EQ(bnq_function_id(name.c_str(), &function), BNQ_OK);
    return bnq_activate(context, function, c.at("slope").get<float>(), x, y);
  }
  const std::vector<float> weight = Numbers(c.value("weight", json::array()));
  const std::vector<float> bias = Numbers(c.value("bias", json::array()));
  const float* w = weight.empty() ? nullptr : weight.data();
  if (op == "rms_norm") return bnq_rms_norm(context, x, w, c.at("eps"), y);
  return bnq_layer_norm(context, x, w, bias.empty() ? nullptr : bias.data(),
                        c.at("eps"), y);
}

class ActivationVectors : public VectorsTest {
 protected:
  void Check(const json& c) {
    Operand x(c, "", BytesOf(c.at("input"), DTypeOf(c.at("dtype"))));
    const std::vector<uint8_t> expected =
        BytesOf(c.at("output"), DTypeOf(c.at("output_dtype")));
    Operand y(c, "output_", std::vector<uint8_t>(expected.size()));
    ASSERT_EQ(Operate(c, context_, &x.matrix, &y.matrix), BNQ_OK)
        << bnq_last_error();
    EXPECT_EQ(y.bytes, expected);
  }
};

TEST_F(ActivationVectors, AreReproduced) {
  OnEveryTarget(Cases("activations.json"), [this](const json& c) { Check(c); });
}

}  // namespace
}  // namespace bnq_test
