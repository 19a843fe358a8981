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
  const struct {
    const char *codes, *scales, *what;
    DType type;
  } cases[] = {
      {"a.weight", "a.weight.absmax", "bitsandbytes 4-bit", DType::kU8},
      {"a.weight", "a.SCB", "LLM.int8", DType::kI8},
      {"a.qweight", "a.scales", "GPTQ", DType::kI32},
      {"a.weight_packed", "a.weight_scale", "compressed-tensors", DType::kI32},
      {"a.weight", "a.weight_scale", "BitNet", DType::kU8},
      {"a.weight", "a.weight_scale_inv", "FP8 in blocks", DType::kF8E4M3},
      {"a.weight", "a.scales", "MLX", DType::kU32},
      {"mlp.experts.down_proj_blocks", "mlp.experts.down_proj_scales", "MXFP4",
       DType::kU8},
  };
  for (const auto& of : cases) {
    SCOPED_TRACE(of.what);
    const std::vector<uint8_t> bytes(16);
    const TestArray codes(of.type, {16 / (Info(of.type).bits / 8)}, bytes);
    const TestModel model = {{of.codes, codes}, {of.scales, kScales}};
    EXPECT_TRUE(FailsWith(Status::kUnsupported, of.what,
                          [&] { Quantize(Write(model)); }));
    EXPECT_EQ(List(), std::vector<std::string>{"in.safetensors"});
    EXPECT_EQ(Quantize(Write(model), /*requantize=*/true).size(), 2u);
    std::filesystem::remove(Path("out.bnq"));
    // One without the other, or a weight that is none of codes.
    Quantize(Write({{of.codes, codes}}));
    Quantize(Write({{of.codes, kScales}, {of.scales, kScales}}));
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
