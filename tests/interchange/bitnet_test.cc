// BitNet of transformers, both ways.
#include <gtest/gtest.h>

#include "tests/interchange/interchange_test_util.h"

namespace bnq {
namespace {

constexpr char kLayout[] = "bitnet";
using Dims = std::vector<uint64_t>;

TEST(Bitnet, Goldens) { ReadsGoldens(kLayout, 2); }

std::string Config(const std::string& members) {
  return "{\"quantization_config\": {\"quant_method\": \"bitnet\"" + members +
         "}}";
}
const std::string kAuto = Config(", \"linear_class\": \"autobitlinear\"");

TEST(Bitnet, Bytes) {
  // The example of transformers' pack_weights.
  const auto tensor =
      TensorOf("ternary,granularity=tensor,scale_dtype=bf16", {8, 2},
               {0, -1, -1, 1, -1, 1, -1, 1, 1, 0, 0, -1, 1, -1, 1, -1}, {0.5f});
  const Exported exported = Export(kLayout, {{"a.weight", tensor.get()}});
  EXPECT_EQ(exported.verdicts.at("a.weight"), Verdict::kExact);
  EXPECT_EQ(exported.bytes("a.weight"),
            (std::vector<uint8_t>{0xA1, 0x18, 0x90, 0x0A}));
  EXPECT_EQ(exported.bytes("a.weight_scale"),
            (std::vector<uint8_t>{0x00, 0x3F}));
  const auto column =
      TensorOf("ternary,granularity=tensor", {4, 1}, {-1, 0, 1, 1}, {1});
  EXPECT_EQ(Export(kLayout, {{"a", column.get()}}).bytes("a.weight"),
            (std::vector<uint8_t>{0xA4}));
}

TEST(Bitnet, ThereAndBack) {
  for (const Dims& dims :
       std::vector<Dims>{{4, 1}, {8, 33}, {64, 128}, {12, 31}, {4, 7}}) {
    for (const char* options :
         {"", ",packing=base3", ",scale_dtype=f16", ",scale_dtype=bf16"}) {
      const auto tensor =
          RandomTensor(Message("ternary,granularity=tensor", options), dims);
      const Exported exported = Export(kLayout, {{"a.weight", tensor.get()}});
      EXPECT_EQ(exported.verdicts.at("a.weight"), Verdict::kExact);
      const auto back =
          Foreign(exported.file, exported.config, kLayout).Load("a.weight");
      EXPECT_EQ(ValuesOf(*back), ValuesOf(*tensor));
      EXPECT_TRUE(options == std::string(",packing=base3") ||
                  SameTensor(*back, *tensor));
    }
  }
}

// Codes that are not packed, and what the scale does to them.
TEST(Bitnet, Numbers) {
  const auto values = [](const std::string& config,
                         ImportOptions::WeightScale direction) {
    ImportOptions options;
    options.weight_scale = direction;
    return Foreign(FileOf({{"a.weight", TestArray({4, 1}, {1, 0, -1, 1})},
                           {"a.weight_scale", TestArray({1}, {4})}}),
                   config, kLayout, options)
        .Values("a.weight");
  };
  using Direction = ImportOptions::WeightScale;
  const std::vector<float> times = {4, 0, -4, 4}, over = {.25f, 0, -.25f, .25f};
  EXPECT_EQ(values(kAuto, Direction::kByConfig), times);
  EXPECT_EQ(values(Config(""), Direction::kByConfig), over);
  EXPECT_EQ(
      values(Config(", \"linear_class\": \"bitlinear\""), Direction::kByConfig),
      over);
  EXPECT_EQ(values(kAuto, Direction::kDivide), over);
  EXPECT_EQ(values(Config(""), Direction::kMultiply), times);
}

TEST(Bitnet, Verdicts) {
  const struct {
    const char *config, *why;
    Dims dims;
  } cases[] = {
      {"ternary,granularity=tensor", "its 6 rows", {6, 8}},
      {"ternary,granularity=channel", "it has 8 scales", {8, 8}},
      {"int2,granularity=tensor", "int2", {8, 8}},
      {"ternary,granularity=tensor", "two dimensions", {8, 2, 4}},
  };
  for (const auto& of : cases) {
    const auto tensor = RandomTensor(of.config, of.dims);
    const Exported exported = Export(kLayout, {{"a", tensor.get()}});
    EXPECT_EQ(exported.verdicts.at("a"), Verdict::kNotRepresentable)
        << of.config;
    EXPECT_NE(exported.why.at("a").find(of.why), std::string::npos)
        << exported.why.at("a");
    EXPECT_EQ(exported.config, "{}");
  }
}

TEST(Bitnet, Damaged) {
  const TestArray codes(DType::kU8, {1, 4}, std::vector<uint8_t>(4, 0x55));
  TestModel model = {{"a.weight", codes},
                     {"a.weight_scale", TestArray({1}, {2})}};
  EXPECT_EQ(Foreign(FileOf(model), kAuto, kLayout).Values("a.weight"),
            std::vector<float>(16, 0.0f));
  EXPECT_TRUE(IsRefused(model, "", kLayout, "multiplies"));
  // A scale of 0 that divides, a code of 3, a number that is no code.
  const auto load = [](const TestModel& from, const std::string& config) {
    Foreign(FileOf(from), config, kLayout).Load("a.weight");
  };
  model.at("a.weight_scale") = TestArray({1}, {0});
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "scale 0 = inf",
                        [&] { load(model, Config("")); }));
  model.at("a.weight_scale") = TestArray({1}, {1});
  model.at("a.weight") =
      TestArray(DType::kU8, {1, 4}, std::vector<uint8_t>(4, 0xFF));
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "stored code of element 0",
                        [&] { load(model, kAuto); }));
  model.at("a.weight") = TestArray({1, 2}, {1, 0.5f});
  EXPECT_TRUE(FailsWith(Status::kCorruptFile, "element 1 = 0.5",
                        [&] { load(model, kAuto); }));
}

}  // namespace
}  // namespace bnq
