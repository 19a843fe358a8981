// MLX, both ways.
#include <gtest/gtest.h>

#include "tests/interchange/interchange_test_util.h"

namespace bnq {
namespace {

constexpr char kLayout[] = "mlx";
using Dims = std::vector<uint64_t>;

TEST(Mlx, Goldens) { ReadsGoldens(kLayout, 5); }

std::string Mode(int group_size, int bits, const char* mode = "affine") {
  return Message("{\"quantization\": {\"group_size\": ", group_size,
                 ", \"bits\": ", bits, ", \"mode\": \"", mode, "\"}}");
}

TEST(Mlx, Bytes) {
  for (const int code : {1, 0}) {
    const auto tensor = TensorOf("ternary,granularity=channel", {1, 32},
                                 std::vector<int>(32, code), {0.25f});
    const Exported exported = Export(kLayout, {{"a.weight", tensor.get()}});
    EXPECT_EQ(exported.verdicts.at("a.weight"), Verdict::kExact);
    const uint32_t word = code == 1 ? 0xAAAAAAAA : 0x55555555;
    EXPECT_EQ(exported.bytes("a.weight"), BytesOfWords({word, word}));
    EXPECT_EQ(exported.bytes("a.scales"), TestArray({1}, {0.25f}).bytes);
    EXPECT_EQ(exported.bytes("a.biases"), TestArray({1}, {-0.25f}).bytes);
    EXPECT_EQ(
        Foreign(exported.file, exported.config, kLayout).Values("a.weight"),
        ValuesOf(*tensor));
  }
  std::vector<int> codes = {1, 2, 3, 4, 5, 6, 7, 0};
  codes.resize(32);
  const auto tensor =
      TensorOf("int4,group_size=32,scale_dtype=bf16", {1, 32}, codes, {3});
  const Exported exported = Export(kLayout, {{"a.weight", tensor.get()}});
  EXPECT_EQ(exported.bytes("a.weight"),
            BytesOfWords({0x8FEDCBA9, 0x88888888, 0x88888888, 0x88888888}));
  EXPECT_EQ(exported.bytes("a.biases"), (std::vector<uint8_t>{0xC0, 0xC1}));
}

// What the reference makes of 0 to 31.
TEST(Mlx, ScalesMayBeNegative) {
  std::vector<uint32_t> words(4);
  for (int i = 0; i < 32; ++i) {
    words[i / 8] |= static_cast<uint32_t>(15 - i * 15 / 31) << i % 8 * 4;
  }
  const TestModel model = {{"a.weight", TestArray(DType::kU32, {1, 4}, words)},
                           {"a.scales", TestArray({1, 1}, {-31.0f / 15.0f})},
                           {"a.biases", TestArray({1, 1}, {31.0f})}};
  const std::vector<float> values =
      Foreign(FileOf(model), Mode(32, 4), kLayout).Values("a.weight");
  EXPECT_EQ(values[31], 31.0f);
  for (int i = 0; i < 32; ++i) {
    EXPECT_NEAR(values[i], static_cast<float>(i), 2.07f) << i;
  }
}

TEST(Mlx, ThereAndBack) {
  const struct {
    const char* config;
    std::vector<Dims> dims;
  } cases[] = {
      {"granularity=channel", {{3, 32}, {5, 192}}},
      {"granularity=tensor", {{5, 64}}},
      {"group_size=32", {{5, 64}, {2, 3, 96}}},
      {"group_size=256", {{3, 512}, {2, 128}}},
      {"granularity=block,group_size=64", {{5, 64}, {8, 32}}},
      {"granularity=tile,group_size=32", {{40, 64}}},
  };
  for (const auto& of : cases) {
    for (const Dims& dims : of.dims) {
      for (const int bits : {2, 3, 4, 5, 6, 8}) {
        for (const char* scheme : {"symmetric", "offset", "asymmetric"}) {
          for (const char* scales : {"f32", "f16", "bf16"}) {
            const std::string text =
                Message("format=int", bits, ',', of.config,
                        ",scale_dtype=", scales, ",scheme=", scheme);
            SCOPED_TRACE(text + " " + std::to_string(dims[1]));
            const auto tensor = RandomTensor(text, dims);
            const Exported exported =
                Export(kLayout, {{"a.b.weight", tensor.get()}});
            const Foreign foreign(exported.file, exported.config, kLayout);
            const auto back = foreign.Load("a.b.weight");
            EXPECT_EQ(back->config().scale_dtype(),
                      tensor->config().scale_dtype());
            EXPECT_EQ(foreign.file().metadata(), (Metadata{{"format", "mlx"}}));
            if (scheme[0] == 'a') {
              EXPECT_EQ(exported.verdicts.at("a.b.weight"),
                        Verdict::kScalesRounded);
              EXPECT_LT(exported.scale_change.at("a.b.weight"), 0x1p-8);
              std::vector<int8_t> codes(tensor->shape().elements());
              std::vector<int8_t> again(codes.size());
              UnpackCodes({}, *tensor, 0, codes.size(), codes.data());
              UnpackCodes({}, *back, 0, again.size(), again.data());
              EXPECT_EQ(codes, again);
              continue;
            }
            EXPECT_EQ(exported.verdicts.at("a.b.weight"), Verdict::kExact);
            EXPECT_EQ(exported.scale_change.at("a.b.weight"), 0.0);
            EXPECT_EQ(ValuesOf(*back), ValuesOf(*tensor));
            EXPECT_EQ(back->config().scheme(), tensor->config().scheme());
          }
        }
      }
    }
  }
}

TEST(Mlx, Mxfp4ThereAndBack) {
  const auto tensor =
      RandomTensor("e2m1,scale_dtype=e8m0,group_size=32", {3, 96});
  const auto other = RandomTensor("int4,group_size=64", {3, 64});
  const Exported exported =
      Export(kLayout, {{"a.weight", tensor.get()}, {"b.weight", other.get()}});
  EXPECT_EQ(exported.verdicts.at("a.weight"), Verdict::kExact);
  const Foreign foreign(exported.file, exported.config, kLayout);
  EXPECT_TRUE(SameTensor(*foreign.Load("a.weight"), *tensor));
  EXPECT_EQ(foreign.Values("b.weight"), ValuesOf(*other));
  EXPECT_EQ(foreign.Get("b.weight").from.size(), 3u);
}

TEST(Mlx, Verdicts) {
  const struct {
    const char *config, *why;
    Dims dims;
  } cases[] = {
      {"nf4,group_size=64", "nf4", {4, 64}},
      {"int4,group_size=16", "32, 64 or 128", {4, 64}},
      {"int4,granularity=channel", "its 40 columns", {4, 40}},
      {"e2m1,group_size=32", "e8m0", {4, 32}},
      {"e2m1,scale_dtype=e8m0,group_size=64", "groups of 32", {4, 64}},
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

TEST(Mlx, Damaged) {
  const std::vector<int> words(8, 0x12345678);
  const TestModel whole = {{"a.weight", TestArray(DType::kU32, {2, 4}, words)},
                           {"a.scales", TestArray({2, 1}, {1, 2})},
                           {"a.biases", TestArray({2, 1}, {1, 2})}};
  EXPECT_EQ(Foreign(FileOf(whole), Mode(32, 4), kLayout).size(), 1u);
  const struct {
    const char *array, *what;
    TestArray value;
    std::string config;
  } cases[] = {
      {"a.scales", "scales of shape [2]", TestArray({2}, {1, 2}), Mode(32, 4)},
      {"a.scales", "scales of shape [1, 2]", TestArray({1, 2}, {1, 2}),
       Mode(32, 4)},
      {"a.scales", "2 groups", TestArray({2, 2}, {1, 2, 3, 4}), Mode(32, 4)},
      {"a.scales", "scales are I32",
       TestArray(DType::kI32, {2, 1}, std::vector<int>{1, 2}), Mode(32, 4)},
      {"a.biases", "biases are of another", TestArray({2, 2}, {1, 2, 3, 4}),
       Mode(32, 4)},
      {"a.biases", "must be 8 bits in groups of 32", TestArray({2, 1}, {1, 2}),
       Mode(32, 8)},
      {"a.biases", "must be 7 bits", TestArray({2, 1}, {1, 2}), Mode(32, 7)},
      {"a.biases", "mode = \"nf9\"", TestArray({2, 1}, {1, 2}),
       Mode(32, 4, "nf9")},
      {"a.biases", "scales are F32", TestArray({2, 1}, {1, 2}),
       Mode(32, 4, "mxfp4")},
      // 2 bits in groups of 64 are as many words.
      {"a.biases", "several", TestArray({2, 1}, {1, 2}), ""},
  };
  for (const auto& of : cases) {
    TestModel model = whole;
    model.erase(of.array);
    model.emplace(of.array, of.value);
    EXPECT_TRUE(IsRefused(model, of.config, kLayout, of.what)) << of.array;
  }
  TestModel model = whole;
  model.erase("a.biases");
  EXPECT_TRUE(IsRefused(model, Mode(32, 4), kLayout, "biases are missing"));
  // Not one of its own.
  model.erase("a.scales");
  EXPECT_EQ(Foreign(FileOf(model), Mode(32, 4), kLayout).size(), 0u);
}

// Where only one thing is possible, nothing need say it.
TEST(Mlx, WithoutConfig) {
  const TestModel model = {
      {"a.weight", TestArray(DType::kU32, {1, 3}, std::vector<int>{0, 0, 0})},
      {"a.scales", TestArray({1, 1}, {1})},
      {"a.biases", TestArray({1, 1}, {5})}};
  const Foreign foreign(FileOf(model), "", kLayout);
  EXPECT_EQ(foreign.Values("a.weight"), std::vector<float>(32, 5.0f));
}

}  // namespace
}  // namespace bnq
