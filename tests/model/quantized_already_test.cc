#include "core/model/quantized_already.h"

#include <gtest/gtest.h>

#include "core/model/convert.h"
#include "tests/model/model_test_util.h"

namespace bnq {
namespace {

class QuantizedAlready : public ModelTest {
 protected:
  Report Quantize(const std::string& input, bool requantize = false) {
    Plan plan;
    plan.Add("*", 2, Config::FromText("nf4"));
    ConversionOptions options = Overwrite();
    options.requantize = requantize;
    return QuantizeFile(context_, plan, input, Path("out.bnq"), options,
                        nullptr);
  }
};

const TestArray kScales({2, 2}, {1, 2, 3, 4});

TEST_F(QuantizedAlready, KnownByTheirTensors) {
  const std::vector<int> words(8, 0x77777777);
  const std::vector<uint8_t> bytes(16, 0x38);
  const TestArray one({1, 1}, {2});
  const struct {
    const char *codes, *what;
    // With what is beside the codes.
    TestModel model;
  } cases[] = {
      {"a.weight",
       "LLM.int8",
       {{"a.weight", TestArray(DType::kI8, {2, 8}, bytes)},
        {"a.SCB", TestArray({2}, {1, 2})}}},
      {"a.qweight",
       "GPTQ",
       {{"a.qweight", TestArray(DType::kI32, {1, 8}, words)},
        {"a.qzeros",
         TestArray(DType::kI32, {1, 1}, std::vector<int>{words[0]})},
        {"a.scales", TestArray({1, 8}, std::vector<float>(8, 1))}}},
      {"a.weight_packed",
       "compressed-tensors",
       {{"a.weight_packed", TestArray(DType::kI32, {2, 4}, words)},
        {"a.weight_shape",
         TestArray(DType::kI64, {2}, std::vector<int64_t>{2, 32})},
        {"a.weight_scale", TestArray({2, 1}, {1, 2})}}},
      {"a.weight",
       "FP8 in tiles",
       {{"a.weight", TestArray(DType::kF8E4M3, {2, 8}, bytes)},
        {"a.weight_scale_inv", one}}},
      {"a.weight",
       "MLX",
       {{"a.weight",
         TestArray(DType::kU32, {1, 3}, std::vector<int>(3, words[0]))},
        {"a.scales", one},
        {"a.biases", one}}},
      {"mlp.experts.down_proj_blocks",
       "MXFP4",
       {{"mlp.experts.down_proj_blocks",
         TestArray(DType::kU8, {1, 1, 16}, bytes)},
        {"mlp.experts.down_proj_scales",
         TestArray(DType::kU8, {1, 1}, std::vector<uint8_t>{127})}}},
      // What no layout reads.
      {"a.weight",
       "codes with a scale",
       {{"a.weight", TestArray(DType::kU8, {4, 4}, bytes)},
        {"a.weight_scale", TestArray({4, 1}, {1, 2, 3, 4})}}},
  };
  for (const auto& of : cases) {
    SCOPED_TRACE(of.what);
    EXPECT_TRUE(FailsWith(Status::kUnsupported, of.what,
                          [&] { Quantize(Write(of.model)); }));
    EXPECT_TRUE(FailsWith(Status::kUnsupported, "quantized already",
                          [&] { Quantize(Write(of.model)); }));
    EXPECT_EQ(List(), std::vector<std::string>{"in.safetensors"});
    EXPECT_GE(Quantize(Write(of.model), /*requantize=*/true).size(), 1u);
    std::filesystem::remove(Path("out.bnq"));
    // The codes without the others.
    Quantize(Write({{of.codes, of.model.at(of.codes)}}));
    std::filesystem::remove(Path("out.bnq"));
  }
}

TEST_F(QuantizedAlready, KnownByTheConfig) {
  Write({{"a.weight", kScales}});
  Quantize(directory_);
  WriteFile(Path("config.json"),
            R"({"quantization_config": {"quant_method": "hqq"}})");
  std::filesystem::remove(Path("out.bnq"));
  EXPECT_TRUE(FailsWith(Status::kUnsupported, "config.json says \"hqq\"",
                        [&] { Quantize(directory_); }));
  EXPECT_EQ(Quantize(directory_, /*requantize=*/true).size(), 1u);
  std::filesystem::remove(Path("out.bnq"));
  WriteFile(Path("config.json"), "{");
  EXPECT_TRUE(FailsWith(Status::kCorruptFile, "config.json",
                        [&] { Quantize(directory_); }));
}

}  // namespace
}  // namespace bnq
