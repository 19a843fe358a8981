// Initializers of ONNX Runtime, both ways.
#include <gtest/gtest.h>

#include "tests/interchange/interchange_test_util.h"

namespace bnq {
namespace {

constexpr char kLayout[] = "ort";
using Dims = std::vector<uint64_t>;

TEST(Ort, Goldens) { ReadsGoldens(kLayout, 4); }

TEST(Ort, Bytes) {
  std::vector<int> codes = {-8, -7, -6, -5, -4, -3, -2, -1};
  codes.resize(18, 0);
  const auto tensor = TensorOf("int4,group_size=16,scheme=asymmetric", {1, 18},
                               codes, {1, 2}, {-8, 7});
  const Exported exported = Export(kLayout, {{"a.weight", tensor.get()}});
  EXPECT_EQ(exported.verdicts.at("a.weight"), Verdict::kExact);
  EXPECT_EQ(exported.bytes("a.weight_Q4"),
            (std::vector<uint8_t>{0x10, 0x32, 0x54, 0x76, 0x88, 0x88, 0x88,
                                  0x88, 0x88, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(exported.bytes("a.weight_zero_points"),
            (std::vector<uint8_t>{0xF0}));
  const JsonTree manifest =
      ParseJson(exported.side_files.at("onnx_initializers.json"), "manifest");
  const JsonTree& node = *manifest.Find("a.weight");
  EXPECT_EQ(node.Find("op_type")->string, "MatMulNBits");
  EXPECT_EQ(node.Find("attributes")->Find("K")->whole, 18u);
  EXPECT_EQ(node.Find("attributes")->Find("block_size")->whole, 16u);
  EXPECT_EQ(node.Find("initializers")->items.size(), 3u);
}

TEST(Ort, ThereAndBack) {
  const struct {
    const char* config;
    Dims dims;
  } cases[] = {
      {"granularity=channel", {5, 64}},
      {"granularity=channel", {3, 17}},
      {"granularity=tensor", {3, 200}},
      {"group_size=32", {5, 96}},
      {"group_size=128", {3, 300}},
      {"group_size=48", {3, 96}},
      {"granularity=tile,group_size=16", {20, 40}},
  };
  for (const auto& of : cases) {
    for (const int bits : {2, 3, 4, 5, 6, 8}) {
      for (const char* scheme : {"symmetric", "asymmetric"}) {
        for (const char* scales : {"f32", "f16", "bf16"}) {
          const std::string text =
              Message("format=int", bits, ',', of.config,
                      ",scale_dtype=", scales, ",scheme=", scheme);
          SCOPED_TRACE(text);
          const auto tensor = RandomTensor(text, of.dims);
          const Exported exported =
              Export(kLayout, {{"a.b.weight", tensor.get()}});
          EXPECT_EQ(exported.verdicts.at("a.b.weight"), Verdict::kExact);
          const Foreign foreign(exported.file, "", kLayout);
          const auto back = foreign.Load("a.b.weight");
          EXPECT_EQ(ValuesOf(*back), ValuesOf(*tensor));
          EXPECT_EQ(back->config().scheme(), tensor->config().scheme());
        }
      }
    }
  }
  const auto ternary = RandomTensor("ternary,granularity=tensor", {5, 40});
  const Exported exported = Export(kLayout, {{"t", ternary.get()}});
  EXPECT_EQ(Foreign(exported.file, "", kLayout).Values("t"),
            ValuesOf(*ternary));
}

TEST(Ort, Verdicts) {
  const struct {
    const char *config, *why;
    Dims dims;
  } cases[] = {
      {"nf4,group_size=64", "nf4", {8, 64}},
      {"int4,group_size=24", "powers of two", {8, 96}},
      {"int4,group_size=32,scheme=offset", "offset", {8, 64}},
      {"int4,granularity=channel", "two dimensions", {8, 2, 4}},
  };
  for (const auto& of : cases) {
    const auto tensor = RandomTensor(of.config, of.dims);
    const Exported exported = Export(kLayout, {{"a", tensor.get()}});
    EXPECT_EQ(exported.verdicts.at("a"), Verdict::kNotRepresentable)
        << of.config;
    EXPECT_NE(exported.why.at("a").find(of.why), std::string::npos)
        << exported.why.at("a");
    EXPECT_TRUE(exported.side_files.empty());
  }
}

TEST(Ort, Damaged) {
  const TestArray codes(DType::kU8, {2, 2, 8}, std::vector<uint8_t>(32));
  const TestArray scales({2, 2}, {1, 2, 3, 4});
  const TestArray zeros(DType::kU8, {2, 1}, std::vector<uint8_t>{1, 2});
  const TestModel whole = {{"a.weight_Q4", codes},
                           {"a.weight_scales", scales},
                           {"a.weight_zero_points", zeros}};
  EXPECT_EQ(Foreign(FileOf(whole), "", kLayout).size(), 1u);
  const struct {
    const char *array, *what;
    TestArray value;
  } cases[] = {
      {"a.weight_Q4", "must be [N, blocks",
       TestArray(DType::kU8, {2, 16}, std::vector<uint8_t>(32))},
      {"a.weight_scales", "must be [2, 2]", TestArray({2, 1}, {1, 2})},
      {"a.weight_scales", "must be [4]", TestArray({2}, {1, 2})},
      {"a.weight_zero_points", "must be [2, 1]",
       TestArray(DType::kU8, {2, 2}, std::vector<uint8_t>(4))},
      {"a.weight_zero_points", "must be U8",
       TestArray({2, 1}, std::vector<float>{1, 2})},
  };
  for (const auto& of : cases) {
    TestModel model = whole;
    model.erase(of.array);
    model.emplace(of.array, of.value);
    EXPECT_TRUE(IsRefused(model, "", kLayout, of.what)) << of.array;
  }
  const TestModel qdq = {
      {"a.weight_quantized",
       TestArray(DType::kI8, {2, 2}, std::vector<uint8_t>(4))},
      {"a.weight_scale", TestArray({3}, {1, 2, 3})}};
  EXPECT_TRUE(IsRefused(qdq, "", kLayout, "must be [2]"));
  // K that cannot be.
  for (const char* k : {"0", "16", "33", "-1"}) {
    ModelWriter writer(Context(), FileKind::kSafetensors, {});
    for (const auto& item : whole) {
      writer.AddArray(item.first, item.second.view());
    }
    writer.SetMetadata(
        "onnx_initializers",
        Message("{\"a.weight\": {\"attributes\": {\"K\": ", k, "}}}"));
    writer.Finish();
    EXPECT_TRUE(FailsWith(Status::kCorruptFile, "K = ", [&] {
      Foreign(BytesOf(writer), "", kLayout);
    }));
  }
}

}  // namespace
}  // namespace bnq
