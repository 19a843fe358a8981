// GPTQ, both ways.
#include <gtest/gtest.h>

#include "tests/interchange/interchange_test_util.h"

namespace bnq {
namespace {

constexpr char kLayout[] = "gptq";
using Dims = std::vector<uint64_t>;

TEST(GptqLayout, Goldens) { ReadsGoldens(kLayout, 5); }

std::string Said(const std::string& members) {
  return "{\"quantization_config\": {\"quant_method\": \"gptq\"" + members +
         "}}";
}
const std::string kV2 = ", \"checkpoint_format\": \"gptq_v2\"";

TEST(GptqLayout, Bytes) {
  std::vector<int> codes(64);
  for (int i = 0; i < 64; ++i) codes[i] = i % 8 - 8;
  const auto tensor =
      TensorOf("int4,group_size=4,scale_dtype=f16,symmetric_range=full", {8, 8},
               codes, std::vector<float>(16, 0.5f));
  const Exported exported = Export(kLayout, {{"a.weight", tensor.get()}});
  EXPECT_EQ(exported.verdicts.at("a.weight"), Verdict::kExact);
  EXPECT_EQ(exported.bytes("a.qweight"),
            BytesOfWords(std::vector<uint32_t>(8, 0x76543210)));
  EXPECT_EQ(exported.bytes("a.qzeros"), BytesOfWords({0x77777777, 0x77777777}));
  EXPECT_EQ(exported.bytes("a.g_idx"), BytesOfWords({0, 0, 0, 0, 1, 1, 1, 1}));
  EXPECT_EQ(exported.bytes("a.scales").size(), 32u);
  EXPECT_EQ(exported.side_files.at("quantize_config.json") + "}",
            exported.config.substr(exported.config.find(": {") + 2, SIZE_MAX)
                    .substr(0, exported.config.size() -
                                   exported.config.find(": {") - 3) +
                "\n}");
  // Ternary codes have the zero point 1; with one that is not the middle, all
  // of the file is of version 2.
  const auto ternary =
      TensorOf("ternary,granularity=channel,scale_dtype=f16", {16, 16},
               std::vector<int>(256, 0), std::vector<float>(16, 0.5f));
  EXPECT_EQ(Export(kLayout, {{"t.weight", ternary.get()}}).bytes("t.qzeros"),
            BytesOfWords({0x00000000}));
  const auto eight =
      TensorOf("int8,granularity=channel,scale_dtype=f16", {4, 4},
               std::vector<int>(16, 0), std::vector<float>(4, 0.5f));
  EXPECT_EQ(Export(kLayout, {{"e.weight", eight.get()}}).bytes("e.qzeros"),
            BytesOfWords({0x7F7F7F7F}));
  const auto shifted =
      RandomTensor("int4,group_size=8,scheme=asymmetric", {8, 16});
  const Exported second = Export(kLayout, {{"a.weight", tensor.get()},
                                           {"e.weight", eight.get()},
                                           {"s.weight", shifted.get()},
                                           {"t.weight", ternary.get()}});
  EXPECT_EQ(second.bytes("a.qzeros"), BytesOfWords({0x88888888, 0x88888888}));
  EXPECT_EQ(second.bytes("t.qzeros"), BytesOfWords({0x55555555}));
  EXPECT_EQ(second.bytes("e.qzeros"), BytesOfWords({0x80808080}));
  EXPECT_NE(second.config.find("\"checkpoint_format\": \"gptq_v2\""),
            std::string::npos);
  EXPECT_NE(second.config.find("\"+:^e$\": {\"bits\": 8, \"group_size\": -1}"),
            std::string::npos);
}

TEST(GptqLayout, ThereAndBack) {
  const struct {
    const char* config;
    Dims dims;
  } cases[] = {
      {"granularity=channel", {32, 64}},
      {"granularity=tensor", {64, 96}},
      {"group_size=32", {96, 64}},
      {"group_size=96", {32, 128}},
      {"group_size=128", {160, 288}},
      {"granularity=tile,group_size=32", {64, 64}},
  };
  for (const auto& of : cases) {
    for (const char* format : {"int2", "int3", "int4", "int8"}) {
      for (const char* scheme : {"symmetric", "asymmetric"}) {
        const std::string text = Message("format=", format, ',', of.config,
                                         ",scale_dtype=f16,scheme=", scheme);
        SCOPED_TRACE(text);
        const auto tensor = RandomTensor(text, of.dims);
        const TestModel plain = {{"head.weight", TestArray({1, 1}, {1})}};
        const Exported exported =
            Export(kLayout, {{"a.b.weight", tensor.get()}}, plain);
        EXPECT_EQ(exported.verdicts.at("a.b.weight"), Verdict::kExact);
        const Foreign foreign(exported.file, exported.config, kLayout);
        for (const uint64_t rows : {1, 7, 1000}) {
          const auto back = foreign.Load("a.b.weight", rows);
          EXPECT_EQ(ValuesOf(*back), ValuesOf(*tensor));
          EXPECT_EQ(back->config().scheme(), tensor->config().scheme());
        }
        EXPECT_EQ(foreign.log(), "");
        EXPECT_NE(exported.config.find("\"-:^head$\": {}"), std::string::npos);
      }
    }
  }
  // Others in fields that are wide enough, or with scales that round.
  for (const char* config : {"ternary,group_size=32,scale_dtype=f16",
                             "ternary,group_size=32,packing=base3",
                             "int6,group_size=32", "int4,double_quant=on"}) {
    SCOPED_TRACE(config);
    const auto tensor = RandomTensor(config, {32, 128});
    const Exported exported = Export(kLayout, {{"a.weight", tensor.get()}});
    const bool exact = std::string(config).find("f16") != std::string::npos;
    EXPECT_EQ(exported.verdicts.at("a.weight"),
              exact ? Verdict::kExact : Verdict::kScalesRounded);
    EXPECT_LE(exported.scale_change.at("a.weight"), 0x1p-11);
    const auto back =
        Foreign(exported.file, exported.config, kLayout).Values("a.weight");
    const std::vector<float> values = ValuesOf(*tensor);
    for (size_t i = 0; i < values.size(); ++i) {
      EXPECT_NEAR(back[i], values[i], std::fabs(values[i]) * 0x1p-10);
    }
  }
}

TEST(GptqLayout, Verdicts) {
  const struct {
    const char *config, *why;
    Dims dims;
  } cases[] = {
      {"nf4,group_size=64", "nf4", {8, 64}},
      {"int4,group_size=32,scheme=offset", "offset", {8, 64}},
      {"int4,group_size=32", "that 8 divides", {9, 64}},
      {"int2,group_size=32", "that 16 divides", {16, 40}},
      {"int3,group_size=32", "that 32 divides", {16, 64}},
  };
  for (const auto& of : cases) {
    const auto tensor = RandomTensor(of.config, of.dims);
    const Exported exported = Export(kLayout, {{"a", tensor.get()}});
    EXPECT_EQ(exported.verdicts.at("a"), Verdict::kNotRepresentable)
        << of.config;
    EXPECT_NE(exported.why.at("a").find(of.why), std::string::npos)
        << exported.why.at("a");
  }
}

// Eight outputs of eight inputs, whose codes are all 9, with these zero points.
TestModel WithZeros(uint32_t word) {
  return {
      {"a.qweight",
       TestArray(DType::kI32, {1, 8}, std::vector<uint32_t>(8, 0x99999999))},
      {"a.qzeros", TestArray(DType::kI32, {1, 1}, std::vector<uint32_t>{word})},
      {"a.scales", TestArray({1, 8}, std::vector<float>(8, 1))}};
}
// The first input's value of each output.
std::vector<float> Outputs(const std::vector<float>& values) {
  std::vector<float> outputs;
  for (size_t i = 0; i < values.size(); i += 8) outputs.push_back(values[i]);
  return outputs;
}

// A zero point of 0 less one, and what stands above it.
TEST(GptqLayout, ZerosOfVersionOne) {
  const auto outputs = [](uint32_t word, const std::string& config,
                          std::string* log) {
    const Foreign foreign(FileOf(WithZeros(word)), config, kLayout);
    *log = foreign.log();
    return Outputs(foreign.Values("a.weight"));
  };
  std::string log;
  const std::vector<float> nine(8, 9.0f);
  const std::string by_words =
      Said(", \"meta\": {\"quantizer\": [\"gptqmodel:1.4\"]}");
  EXPECT_EQ(outputs(0xEEEEEEEF, by_words, &log), nine);
  EXPECT_EQ(log, "");
  EXPECT_EQ(outputs(0xFFFFFFFF, Said(""), &log), nine);
  EXPECT_NE(log.find("tensor \"a.weight\""), std::string::npos);
  EXPECT_EQ(outputs(0x00000000, Said(""), &log), (std::vector<float>(8, 8.0f)));
  EXPECT_EQ(log, "");
  EXPECT_EQ(outputs(0x00000000, Said(kV2), &log), nine);
  EXPECT_EQ(outputs(0x76543210, Said(""), &log),
            (std::vector<float>{8, 7, 6, 5, 4, 3, 2, 1}));
  // All in the middle: whatever it says, and without a word.
  const std::vector<float> one(8, 1.0f);
  EXPECT_EQ(outputs(0x88888888, Said(kV2), &log), one);
  EXPECT_EQ(outputs(0x77777777, Said(""), &log), one);
  EXPECT_EQ(outputs(0x77777777, "", &log), one);
  EXPECT_EQ(outputs(0x88888888, "", &log), one);
  EXPECT_EQ(log, "");
  EXPECT_EQ(outputs(0x88888888, Said(""), &log), one);
  EXPECT_NE(log.find("those of gptq_v2"), std::string::npos);
}

TEST(GptqLayout, Damaged) {
  const std::vector<int> words(8, 0x12345678);
  TestModel whole = WithZeros(0x12345678);
  whole.emplace("a.g_idx", TestArray(DType::kI32, {8}, std::vector<int>(8)));
  EXPECT_EQ(Foreign(FileOf(whole), Said(kV2), kLayout).size(), 1u);
  const struct {
    const char *array, *what;
    TestArray value;
  } cases[] = {
      {"a.qweight", "neither", TestArray(DType::kI32, {8}, words)},
      {"a.qweight", "must be I32", TestArray({1, 8}, std::vector<float>(8, 1))},
      {"a.qzeros", "2, 3, 4 or 8 bits",
       TestArray(DType::kI32, {1}, std::vector<int>{1})},
      {"a.qzeros", "2, 3, 4 or 8 bits", TestArray(DType::kI32, {1, 8}, words)},
      {"a.qzeros", "must be [1, 1]",
       TestArray(DType::kI32, {2, 1}, std::vector<int>{1, 2})},
      {"a.scales", "neither", TestArray({1, 4}, {1, 2, 3, 4})},
      {"a.scales", "must be F32 or F16 or BF16",
       TestArray(DType::kI32, {1, 8}, words)},
      {"a.g_idx", "must be [8]",
       TestArray(DType::kI32, {7}, std::vector<int>(7))},
      {"a.g_idx", "group 1 of column 7",
       TestArray(DType::kI32, {8}, std::vector<int>{0, 0, 0, 0, 0, 0, 0, 1})},
      {"a.g_idx", "group -2 of column 0",
       TestArray(DType::kI32, {8}, std::vector<int>(8, -2))},
  };
  for (const auto& of : cases) {
    TestModel model = whole;
    model.erase(of.array);
    model.emplace(of.array, of.value);
    EXPECT_TRUE(IsRefused(model, Said(kV2), kLayout, of.what)) << of.array;
  }
  EXPECT_TRUE(IsRefused(whole, "", kLayout, "stored less one is not known"));
  EXPECT_TRUE(IsRefused(whole, Said(", \"checkpoint_format\": \"gptq_p\""),
                        kLayout, "gptq_p"));
  TestModel model = whole;
  model.erase("a.qzeros");
  EXPECT_TRUE(IsRefused(model, Said(kV2), kLayout, "qzeros of shape nothing"));
}

}  // namespace
}  // namespace bnq
