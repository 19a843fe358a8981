// compressed-tensors, both ways.
#include <gtest/gtest.h>

#include "tests/interchange/interchange_test_util.h"

namespace bnq {
namespace {

constexpr char kLayout[] = "compressed-tensors";

TEST(CompressedTensors, Goldens) { ReadsGoldens(kLayout, 7); }

TEST(CompressedTensors, Bytes) {
  const struct {
    const char* config;
    std::vector<uint64_t> dims;
    std::vector<int> codes;
    std::vector<uint32_t> words;
  } cases[] = {
      {"int4,symmetric_range=full",
       {1, 8},
       {1, 2, 3, 4, 5, 6, 7, 0},
       {0x8FEDCBA9}},
      {"int4,symmetric_range=full",
       {1, 8},
       {-1, -2, -3, -4, -5, -6, -7, -8},
       {0x01234567}},
      {"int4", {2, 2}, {1, 2, 3, 4}, {169, 203}},
      {"int8", {1, 2}, {30, 40}, {43166}},
      {"int2", {1, 4}, {-1, 0, 1, 0}, {0xB9}},
      // In fields that vLLM loads.
      {"ternary", {1, 4}, {-1, 0, 1, 0}, {0x8987}},
      {"int3", {1, 4}, {-3, 0, 3, 1}, {0x9B85}},
      {"int6", {1, 2}, {-31, 31}, {0x9F61}},
  };
  for (const auto& of : cases) {
    SCOPED_TRACE(of.config);
    const auto tensor =
        TensorOf(std::string(of.config) + ",granularity=channel", of.dims,
                 of.codes, std::vector<float>(of.dims[0], 0.5f));
    const Exported exported = Export(kLayout, {{"a.weight", tensor.get()}});
    EXPECT_EQ(exported.verdicts.at("a.weight"), Verdict::kExact);
    EXPECT_EQ(exported.bytes("a.weight_packed"), BytesOfWords(of.words));
    EXPECT_EQ(exported.bytes("a.weight_shape"),
              TestArray(DType::kI64, {2}, of.dims).bytes);
    const Foreign foreign(exported.file, exported.config, kLayout);
    EXPECT_EQ(foreign.Values("a.weight"), ValuesOf(*tensor));
  }
}

using Dims = std::vector<uint64_t>;

// What is written is read as the same codes and parameters.
TEST(CompressedTensors, ThereAndBack) {
  const struct {
    const char* config;
    std::vector<Dims> dims;
  } cases[] = {
      {"granularity=channel", {{1, 32}, {5, 13}, {33, 160}}},
      {"granularity=tensor", {{5, 64}, {3, 7}}},
      {"granularity=token", {{9, 40}}},
      {"group_size=32", {{5, 64}, {33, 160}}},
      {"granularity=block,group_size=16", {{5, 64}, {7, 96}}},
      {"granularity=block,group_size=64", {{5, 64}, {8, 32}}},
      {"group_size=12", {{3, 36}}},
  };
  for (const auto& of : cases) {
    for (const Dims& dims : of.dims) {
      for (const char* format : {"int2", "int4", "int8"}) {
        for (const char* scheme : {"symmetric", "asymmetric"}) {
          for (const char* scales : {"f32", "f16", "bf16"}) {
            const std::string text =
                Message("format=", format, ',', of.config,
                        ",scale_dtype=", scales, ",scheme=", scheme);
            SCOPED_TRACE(text + " " + std::to_string(dims[1]));
            const auto tensor = RandomTensor(text, dims);
            const Exported exported =
                Export(kLayout, {{"a.b.weight", tensor.get()}});
            EXPECT_EQ(exported.verdicts.at("a.b.weight"), Verdict::kExact);
            EXPECT_EQ(exported.scale_change.at("a.b.weight"), 0.0);
            const Foreign foreign(exported.file, exported.config, kLayout);
            const auto back = foreign.Load("a.b.weight");
            EXPECT_EQ(ValuesOf(*back), ValuesOf(*tensor));
            EXPECT_EQ(back->config().scheme(), tensor->config().scheme());
            EXPECT_EQ(back->config().scale_dtype(),
                      tensor->config().scale_dtype());
            EXPECT_EQ(foreign.size(), 1u);
          }
        }
      }
    }
  }
}

TEST(CompressedTensors, SmallFloatsThereAndBack) {
  for (const char* sharing : {"granularity=tensor", "granularity=channel",
                              "granularity=tile,group_size=128"}) {
    for (const char* scales : {"f32", "f16", "bf16"}) {
      SCOPED_TRACE(sharing);
      const auto tensor = RandomTensor(
          Message("e4m3,", sharing, ",scale_dtype=", scales), {130, 200});
      const Exported exported = Export(kLayout, {{"a.weight", tensor.get()}});
      EXPECT_EQ(exported.verdicts.at("a.weight"), Verdict::kExact);
      const auto back =
          Foreign(exported.file, exported.config, kLayout).Load("a.weight");
      EXPECT_TRUE(SameTensor(*back, *tensor));
    }
  }
}

// Codes with a scale of their inputs are what W8A8 is.
TEST(CompressedTensors, StaticInputs) {
  const auto tensor = RandomTensor("int8,granularity=channel", {6, 40});
  const auto other = RandomTensor("int4,group_size=32", {6, 64});
  const TestModel plain = {{"a.input_scale", TestArray({1}, {0.5f})},
                           {"norm.weight", TestArray({4}, {1, 2, 3, 4})},
                           {"lm_head.weight", TestArray({2, 2}, {1, 2, 3, 4})}};
  const Exported exported = Export(
      kLayout, {{"a.weight", tensor.get()}, {"b.weight", other.get()}}, plain);
  EXPECT_EQ(exported.bytes("a.weight").size(), 240u);
  const JsonTree config = QuantizationOf(ParseJson(exported.config, "config"));
  EXPECT_EQ(config.Find("format")->string, "mixed-precision");
  ASSERT_EQ(config.Find("ignore")->items.size(), 1u);
  EXPECT_EQ(config.Find("ignore")->items[0].string, "lm_head");
  std::map<std::string, std::string> formats;
  for (const auto& group : config.Find("config_groups")->members) {
    formats[group.second.Find("targets")->items.at(0).string] =
        group.second.Find("format")->string;
    EXPECT_EQ(group.second.Find("input_activations")->is_object(),
              group.second.Find("format")->string == "int-quantized");
  }
  EXPECT_EQ(formats["a"], "int-quantized");
  EXPECT_EQ(formats["b"], "pack-quantized");
  const Foreign foreign(exported.file, exported.config, kLayout);
  EXPECT_EQ(foreign.Values("a.weight"), ValuesOf(*tensor));
  EXPECT_EQ(foreign.Values("b.weight"), ValuesOf(*other));
  EXPECT_NE(foreign.model().Find("a.input_scale"), nullptr);
  EXPECT_EQ(foreign.file().metadata(), (Metadata{{"format", "pt"}}));
}

// A head that is the embedding is no module to be quantized; one that is
// quantized is none to be ignored.
TEST(CompressedTensors, Heads) {
  for (const char* layout :
       {"compressed-tensors", "awq", "bitsandbytes", "bitnet"}) {
    const std::string name = layout;
    const auto weight =
        RandomTensor(name == "bitsandbytes" ? "int8_per_channel"
                     : name == "bitnet"     ? "ternary,granularity=tensor"
                                            : "int4,group_size=32",
                     {8, 64});
    const Exported tied = Export(layout, {{"a.weight", weight.get()}});
    EXPECT_NE(tied.config.find("[\"lm_head\"]"), std::string::npos)
        << tied.config;
    const Exported own = Export(layout, {{"lm_head.weight", weight.get()}});
    EXPECT_EQ(own.config.find("[\"lm_head\"]"), std::string::npos)
        << own.config;
  }
}

TEST(CompressedTensors, Verdicts) {
  const struct {
    const char *config, *why;
    Dims dims;
  } cases[] = {
      {"nf4,group_size=64", "nf4", {4, 64}},
      {"int4,group_size=32", "does not divide its 40", {4, 40}},
      {"int4,scheme=offset,group_size=32", "offset", {4, 64}},
      {"int4,granularity=tile,group_size=16", "tile", {32, 32}},
      {"e4m3,granularity=tile,group_size=16", "tiles of 16", {32, 32}},
      {"int8,granularity=channel,axis=1", "granularity", {4, 8}},
      {"int8,granularity=token,outlier_threshold=1", "outlier", {4, 8}},
      {"int4,granularity=tensor", "no matrix", {8}},
      {"int4,granularity=channel", "two dimensions", {2, 2, 8}},
      {"int4,granularity=channel", "no elements", {0, 8}},
      {"e4m3,group_size=32", "channels", {4, 64}},
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

TEST(CompressedTensors, ScalesRound) {
  const auto tensor = RandomTensor("int4,group_size=32", {4, 64});
  const Exported exported = Export(kLayout, {{"a.weight", tensor.get()}}, {},
                                   static_cast<int32_t>(DType::kBF16));
  EXPECT_EQ(exported.verdicts.at("a.weight"), Verdict::kScalesRounded);
  EXPECT_EQ(exported.why.at("a.weight"), "f32 scales become BF16");
  EXPECT_GT(exported.scale_change.at("a.weight"), 0.0);
  EXPECT_LT(exported.scale_change.at("a.weight"), 0x1p-8);
  const auto back =
      Foreign(exported.file, exported.config, kLayout).Load("a.weight");
  EXPECT_EQ(back->config().scale_dtype(), ScaleDType::kBF16);
  for (const float scale : {1e6f, 1e-9f}) {
    const auto bad =
        TensorOf("int4,granularity=channel", {1, 2}, {1, 2}, {scale});
    EXPECT_TRUE(FailsWith(Status::kUnsupported, "becomes", [&] {
      Export(kLayout, {{"a.weight", bad.get()}}, {},
             static_cast<int32_t>(DType::kF16));
    }));
  }
}

// Two rows of 16 4-bit codes in groups of 8, asymmetric, with one thing wrong.
TEST(CompressedTensors, Damaged) {
  const TestArray packed(DType::kI32, {2, 2}, std::vector<int>{1, 2, 3, 4});
  const TestArray shape(DType::kI64, {2}, std::vector<int64_t>{2, 16});
  const TestArray scale({2, 2}, {1, 2, 3, 4});
  const TestArray zero(DType::kI32, {1, 2}, std::vector<int>{0x87, 0x87});
  const TestArray index(
      DType::kI32, {16},
      std::vector<int>{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1});
  const TestModel whole = {{"a.weight_packed", packed},
                           {"a.weight_shape", shape},
                           {"a.weight_scale", scale},
                           {"a.weight_zero_point", zero},
                           {"a.weight_g_idx", index}};
  const auto shape_of = [](int64_t out, int64_t in) {
    return TestArray(DType::kI64, {2}, std::vector<int64_t>{out, in});
  };
  EXPECT_EQ(Foreign(FileOf(whole), "", kLayout).size(), 1u);
  const struct {
    const char *array, *what;
    TestArray value;
  } cases[] = {
      {"a.weight_packed", "two dimensions",
       TestArray(DType::kI32, {4}, std::vector<int>{1, 2, 3, 4})},
      {"a.weight_packed", "must be I32",
       TestArray({2, 2}, std::vector<float>{1, 2, 3, 4})},
      {"a.weight_shape", "cannot be", shape_of(2, INT64_MAX)},
      {"a.weight_shape", "cannot be", shape_of(3, 16)},
      {"a.weight_shape", "cannot be", shape_of(2, 0)},
      {"a.weight_shape", "number of bits", shape_of(2, 64)},
      {"a.weight_shape", "must be [2]",
       TestArray(DType::kI64, {1}, std::vector<int64_t>{2})},
      {"a.weight_scale", "must be [2, 3]", TestArray({1, 3}, {1, 2, 3})},
      {"a.weight_scale", "must divide", TestArray({2, 3}, {1, 2, 3, 4, 5, 6})},
      {"a.weight_scale", "must be F32 or F16 or BF16",
       TestArray(DType::kI32, {2, 2}, std::vector<int>{1, 2, 3, 4})},
      {"a.weight_zero_point", "must be [1, 2]",
       TestArray(DType::kI32, {2, 2}, std::vector<int>{1, 2, 3, 4})},
      {"a.weight_g_idx", "must be [16]",
       TestArray(DType::kI32, {2}, std::vector<int>{0, 1})},
      {"a.weight_g_idx", "group 2 of column 15",
       TestArray(
           DType::kI32, {16},
           std::vector<int>{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2})},
      {"a.weight_g_idx", "group -1",
       TestArray(
           DType::kI32, {16},
           std::vector<int>{-1, -1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1})},
  };
  for (const auto& of : cases) {
    TestModel model = whole;
    model.erase(of.array);

    model.emplace(of.array, of.value);
    EXPECT_TRUE(IsRefused(model, "", kLayout, of.what)) << of.array;
  }
  TestModel model = whole;
  model.erase("a.weight_shape");
  EXPECT_TRUE(IsRefused(model, "", kLayout, "a.weight_shape"));
  // Not one of its own.
  model.erase("a.weight_scale");
  EXPECT_EQ(Foreign(FileOf(model), "", kLayout).size(), 0u);
}

std::string Bits(int bits) {
  return Message(
      "{\"quantization_config\": {\"config_groups\": {\"group_0\": "
      "{\"weights\": {\"num_bits\": ",
      bits, "}}}}}");
}

// Fields of 3 bits lay otherwise in older files.
TEST(CompressedTensors, OddBitsAreReadWhereTheyAreDense) {
  const auto model = [](uint64_t columns, uint64_t words) {
    return FileOf(
        {{"a.weight_packed",
          TestArray(DType::kI32, {1, words}, std::vector<int>(words, 0x2C))},
         {"a.weight_shape",
          TestArray(DType::kI64, {2},
                    std::vector<int64_t>{1, static_cast<int64_t>(columns)})},
         {"a.weight_scale", TestArray({1, 1}, {2})}});
  };
  const std::string config = Bits(3);
  // 0x2C is 4, 5, 0, 0, ...: 0, 1, -4, -4, ...
  const std::vector<float> values =
      Foreign(model(64, 6), config, kLayout).Values("a.weight");
  EXPECT_EQ(values[0], 0.0f);
  EXPECT_EQ(values[1], 2.0f);
  EXPECT_EQ(values[2], -8.0f);
  EXPECT_TRUE(FailsWith(Status::kUnsupported, "do not lie densely",
                        [&] { Foreign(model(64, 7), config, kLayout); }));
  EXPECT_TRUE(FailsWith(Status::kUnsupported, "or are not",
                        [&] { Foreign(model(10, 1), config, kLayout); }));
}

TEST(CompressedTensors, ActOrderIsReadAsValues) {
  const TestModel model = {
      {"a.weight_packed",
       TestArray(DType::kI32, {2, 1},
                 std::vector<uint32_t>{0x8FEDCBA9, 0x88888879})},
      {"a.weight_shape",
       TestArray(DType::kI64, {2}, std::vector<int64_t>{2, 8})},
      {"a.weight_scale", TestArray({2, 2}, {1, 10, 2, 20})},
      {"a.weight_g_idx",
       TestArray(DType::kI32, {8}, std::vector<int>{0, 1, 0, 1, 1, 0, 0, 1})}};
  const Foreign foreign(FileOf(model), Bits(4), kLayout);
  EXPECT_FALSE(foreign.Get("a.weight").quantized);
  EXPECT_EQ(foreign.Get("a.weight").from.size(), 4u);
  EXPECT_EQ(foreign.Values("a.weight"),
            (std::vector<float>{1, 20, 3, 40, 50, 6, 7, 0,  //
                                2, -20, 0, 0, 0, 0, 0, 0}));
}

}  // namespace
}  // namespace bnq
