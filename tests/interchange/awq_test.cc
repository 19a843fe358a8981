// AWQ, both ways.
#include <gtest/gtest.h>

#include "tests/interchange/interchange_test_util.h"

namespace bnq {
namespace {

constexpr char kLayout[] = "awq";
using Dims = std::vector<uint64_t>;

TEST(AwqLayout, Goldens) { ReadsGoldens(kLayout, 1); }

TEST(AwqLayout, Bytes) {
  std::vector<int> codes(64);
  for (int i = 0; i < 64; ++i) codes[i] = i / 8 - 8;  // that of the output
  const auto tensor =
      TensorOf("int4,granularity=channel,scale_dtype=f16,symmetric_range=full",
               {8, 8}, codes, std::vector<float>(8, 0.5f));
  const Exported exported = Export(kLayout, {{"a.weight", tensor.get()}});
  EXPECT_EQ(exported.verdicts.at("a.weight"), Verdict::kExact);
  EXPECT_EQ(exported.bytes("a.qweight"),
            BytesOfWords(std::vector<uint32_t>(8, 0x75316420)));
  EXPECT_EQ(exported.bytes("a.qzeros"), BytesOfWords({0x88888888}));
}

TEST(AwqLayout, ThereAndBack) {
  const struct {
    const char* config;
    Dims dims;
  } cases[] = {
      {"granularity=channel", {32, 64}},
      {"granularity=tensor", {8, 24}},
      {"group_size=32", {96, 64}},
      {"group_size=8", {136, 200}},
      {"group_size=128", {136, 384}},
      {"granularity=tile,group_size=32", {64, 64}},
  };
  for (const auto& of : cases) {
    for (const char* scheme : {"symmetric", "asymmetric"}) {
      const std::string text =
          Message("int4,", of.config, ",scale_dtype=f16,scheme=", scheme);
      SCOPED_TRACE(text);
      const auto tensor = RandomTensor(text, of.dims);
      const Exported exported = Export(kLayout, {{"a.b.weight", tensor.get()}});
      EXPECT_EQ(exported.verdicts.at("a.b.weight"), Verdict::kExact);
      const Foreign foreign(exported.file, exported.config, kLayout);
      for (const uint64_t rows : {1, 13, 1000}) {
        const auto back = foreign.Load("a.b.weight", rows);
        EXPECT_EQ(ValuesOf(*back), ValuesOf(*tensor));
        EXPECT_EQ(back->config().scheme(), tensor->config().scheme());
      }
    }
  }
  for (const char* config :
       {"ternary,group_size=32", "int3,group_size=32", "int2,group_size=64"}) {
    const auto tensor =
        RandomTensor(std::string(config) + ",scale_dtype=f16", {16, 64});
    const Exported exported = Export(kLayout, {{"a.weight", tensor.get()}});
    EXPECT_EQ(
        Foreign(exported.file, exported.config, kLayout).Values("a.weight"),
        ValuesOf(*tensor));
  }
}

// All tensors of a file have groups of one size.
TEST(AwqLayout, Verdicts) {
  const auto first = RandomTensor("int4,group_size=32", {8, 64});
  const struct {
    const char *config, *why;
    Dims dims;
  } cases[] = {
      {"int4,group_size=16", "which is 32", {8, 64}},
      {"int4,group_size=48", "which is 32", {8, 96}},
      {"int8,group_size=32", "4 bits", {8, 64}},
      {"int4,group_size=32", "that 8 divides", {4, 64}},
      {"int4,group_size=32,scheme=offset", "offset", {8, 64}},
      {"int4,group_size=64", "", {8, 64}},
      {"int4,granularity=tensor", "", {8, 64}},
  };
  for (const auto& of : cases) {
    const auto tensor = RandomTensor(of.config, of.dims);
    const Exported exported =
        Export(kLayout, {{"a", first.get()}, {"b", tensor.get()}});
    EXPECT_EQ(exported.verdicts.at("b"), of.why[0] == 0
                                             ? Verdict::kScalesRounded
                                             : Verdict::kNotRepresentable)
        << of.config;
    EXPECT_NE(exported.why.at("b").find(of.why), std::string::npos)
        << exported.why.at("b");
    EXPECT_NE(exported.config.find("\"group_size\": 32"), std::string::npos);
  }
}

TEST(AwqLayout, Damaged) {
  const std::vector<int> words(8, 0x12345678);
  const TestModel whole = {
      {"a.qweight", TestArray(DType::kI32, {8, 1}, words)},
      {"a.qzeros", TestArray(DType::kI32, {1, 1}, std::vector<int>{7})},
      {"a.scales", TestArray({1, 8}, std::vector<float>(8, 1))}};
  EXPECT_EQ(Foreign(FileOf(whole), "", kLayout).size(), 1u);
  const struct {
    const char *array, *what;
    TestArray value;
  } cases[] = {
      {"a.qweight", "must be I32", TestArray({8, 1}, std::vector<float>(8, 1))},
      {"a.qweight", "multiple of 8",
       TestArray(DType::kI32, {4, 1}, std::vector<int>{1, 2, 3, 4})},
      {"a.qzeros", "must be [1, 1]",
       TestArray(DType::kI32, {2, 1}, std::vector<int>{1, 2})},
      {"a.scales", "must be F32 or F16 or BF16",
       TestArray(DType::kI32, {1, 8}, words)},
  };
  for (const auto& of : cases) {
    TestModel model = whole;
    model.erase(of.array);
    model.emplace(of.array, of.value);
    EXPECT_TRUE(IsRefused(model, "", kLayout, of.what)) << of.array;
  }
  for (const char* version : {"gemv", "gemv_fast", "marlin"}) {
    EXPECT_TRUE(IsRefused(
        whole,
        Message("{\"quantization_config\": {\"quant_method\": \"awq\", "
                "\"version\": \"",
                version, "\"}}"),
        kLayout, version));
  }
}

}  // namespace
}  // namespace bnq
