// The shared vectors of activation functions and norms through the C ABI, on
// every SIMD target.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/capi/matrix_vectors_util.h"

namespace bnq_test {
namespace {

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
