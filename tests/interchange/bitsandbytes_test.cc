// bitsandbytes, both ways.
#include <gtest/gtest.h>

#include "tests/interchange/interchange_test_util.h"

namespace bnq {
namespace {

constexpr char kLayout[] = "bitsandbytes";
using Dims = std::vector<uint64_t>;

TEST(Bitsandbytes, Goldens) { ReadsGoldens(kLayout, 4); }

TEST(Bitsandbytes, Bytes) {
  std::vector<float> values = {1, -1, 0, 0.5f};
  values.resize(64);
  const TestArray array({8, 8}, values);
  for (const bool nf4 : {true, false}) {
    const auto tensor =
        Quantize(Context(),
                 Config::FromText(Message(nf4 ? "nf4" : "fp4",
                                          ",granularity=block,group_size=64")),
                 array.view());
    const Exported exported = Export(kLayout, {{"a.weight", tensor.get()}}, {},
                                     -1, R"({"torch_dtype": "bfloat16"})");
    std::vector<uint8_t> expected(32, nf4 ? 0x77 : 0x00);
    expected[0] = nf4 ? 0xF0 : 0x3B;
    expected[1] = nf4 ? 0x7C : 0x05;
    EXPECT_EQ(exported.verdicts.at("a.weight"), Verdict::kExact);
    EXPECT_EQ(exported.bytes("a.weight"), expected);
    EXPECT_EQ(exported.shapes.at("a.weight").ToString(), "[32, 1]");
    EXPECT_EQ(exported.bytes("a.weight.absmax"), TestArray({1}, {1}).bytes);
    const std::string state = Message(
        "{\"quant_type\": \"", nf4 ? "nf4" : "fp4",
        "\", \"blocksize\": 64, \"dtype\": \"bfloat16\", \"shape\": [8, "
        "8]}");
    EXPECT_EQ(exported.arrays.at(Message("a.weight.quant_state.bitsandbytes__",
                                         nf4 ? "nf4" : "fp4")),
              state);
  }
}

TEST(Bitsandbytes, FourBitsThereAndBack) {
  const struct {
    const char* config;
    std::vector<Dims> dims;
    bool same;  // not only the values
  } cases[] = {
      {"granularity=block,group_size=64", {{5, 45}, {64, 600}, {7}, {1}}, true},
      {"granularity=block,group_size=4096", {{5, 45}, {64, 200}}, true},
      {"granularity=block,group_size=96", {{5, 45}}, false},
      {"group_size=64", {{5, 128}, {3, 96}}, false},
      {"granularity=channel", {{5, 96}}, false},
      {"granularity=tensor", {{5, 45}, {3, 33}, {5000}}, false},
      {"granularity=block,group_size=64,scale_dtype=f16", {{9, 50}}, false},
  };
  for (const auto& of : cases) {
    for (const Dims& dims : of.dims) {
      for (const char* format : {"nf4", "fp4"}) {
        for (const bool nested : {false, true}) {
          if (nested && std::string(of.config).find("f16") != std::string::npos)
            continue;
          const std::string text =
              Message(format, ',', of.config, nested ? ",double_quant=on" : "");
          SCOPED_TRACE(text + " " + std::to_string(dims[0]));
          const auto tensor = RandomTensor(text, dims);
          const Exported exported =
              Export(kLayout, {{"a.weight", tensor.get()}});
          EXPECT_EQ(exported.verdicts.at("a.weight"), Verdict::kExact);
          const Foreign foreign(exported.file, exported.config, kLayout);
          const auto back = foreign.Load("a.weight");
          EXPECT_EQ(ValuesOf(*back), ValuesOf(*tensor));
          EXPECT_TRUE(!of.same || SameTensor(*back, *tensor));
          EXPECT_EQ(foreign.size(), 1u);
          EXPECT_EQ(foreign.Get("a.weight").from.size(),
                    foreign.file().entries().size());
        }
      }
    }
  }
}

TEST(Bitsandbytes, EightBitsThereAndBack) {
  for (const char* sharing : {"channel", "token", "tensor"}) {
    for (const char* scales : {"f32", "f16"}) {
      const auto tensor = RandomTensor(
          Message("int8,granularity=", sharing, ",scale_dtype=", scales),
          {5, 37});
      const Exported exported = Export(kLayout, {{"a.weight", tensor.get()}});
      EXPECT_EQ(exported.verdicts.at("a.weight"), Verdict::kScalesRounded);
      EXPECT_LE(exported.scale_change.at("a.weight"), 0x1p-23);
      EXPECT_EQ(exported.shapes.at("a.weight_format").rank, 0);
      const auto back =
          Foreign(exported.file, exported.config, kLayout).Load("a.weight");
      const std::vector<float> is = ValuesOf(*back), was = ValuesOf(*tensor);
      for (size_t i = 0; i < is.size(); ++i) {
        EXPECT_LE(std::fabs(is[i] - was[i]), std::fabs(was[i]) * 0x1p-22f);
      }
    }
  }
}

TEST(Bitsandbytes, Verdicts) {
  const auto nf4 = RandomTensor("nf4,granularity=block,group_size=64", {8, 64});
  const struct {
    const char *config, *why;
    Dims dims;
  } cases[] = {
      {"fp4,granularity=block,group_size=64", "which is nf4", {8, 64}},
      {"int8,granularity=channel", "which is nf4", {8, 64}},
      {"int4,group_size=32", "nf4, fp4 and int8", {8, 64}},
      {"format=nf4,group_size=48", "blocks of 32, 64", {8, 96}},
      {"format=nf4,group_size=64", "blocks of 32, 64", {8, 80}},
      {"nf4,granularity=channel,axis=1", "blocks of 32, 64", {8, 96}},
  };
  for (const auto& of : cases) {
    const auto tensor = RandomTensor(of.config, of.dims);
    const Exported exported =
        Export(kLayout, {{"a", nf4.get()}, {"b", tensor.get()}});
    EXPECT_EQ(exported.verdicts.at("b"), Verdict::kNotRepresentable)
        << of.config;
    EXPECT_NE(exported.why.at("b").find(of.why), std::string::npos)
        << exported.why.at("b");
    EXPECT_NE(exported.config.find("\"load_in_4bit\": true"),
              std::string::npos);
  }
  for (const char* config :
       {"int8,granularity=channel,scheme=asymmetric", "int8,group_size=32"}) {
    const auto tensor = RandomTensor(config, {8, 64});
    EXPECT_EQ(Export(kLayout, {{"a", tensor.get()}}).verdicts.at("a"),
              Verdict::kNotRepresentable);
  }
}

TEST(Bitsandbytes, Damaged) {
  const auto tensor = RandomTensor(
      "nf4,granularity=block,group_size=64,double_quant=on", {4, 64});
  const Exported exported = Export(kLayout, {{"a.weight", tensor.get()}});
  const Foreign good(exported.file, exported.config, kLayout);
  TestModel whole;
  for (const ModelEntry& entry : good.file().entries()) {
    const uint8_t* const data = good.file().Mapped(entry);
    whole.emplace(
        entry.name,
        TestArray(static_cast<DType>(entry.dtype),
                  Dims(entry.shape.dims, entry.shape.dims + entry.shape.rank),
                  std::vector<uint8_t>(data, data + entry.raw_bytes)));
  }
  EXPECT_EQ(Foreign(FileOf(whole), "", kLayout).size(), 1u);
  const std::string state_name = "a.weight.quant_state.bitsandbytes__nf4";
  const auto state = [](const std::string& from, const std::string& to) {
    std::string text =
        R"({"quant_type": "nf4", "blocksize": 64, "dtype": "float32", )"
        R"("shape": [4, 64], "nested_blocksize": 256, )"
        R"("nested_offset": 0.5})";
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos);
    text.replace(at, from.size(), to);
    return TestArray(DType::kU8, {text.size()},
                     std::vector<char>(text.begin(), text.end()));
  };
  const struct {
    std::string array, what;
    TestArray value;
  } cases[] = {
      {state_name, "quant_type \"fp4\"", state("nf4", "fp4")},
      {state_name, "blocksize 0", state("64,", "0,")},
      {state_name, "must be 1 to 8 dimensions", state("[4, 64]", "null")},
      {state_name, "shape [4, 66]", state("[4, 64]", "[4, 66]")},
      {state_name, "too many elements",
       state("[4, 64]", "[4294967296, 4294967296]")},
      {state_name, "shape [0, 64]", state("[4, 64]", "[0, 64]")},
      {state_name, "nested_offset", state("nested_offset", "offset")},
      {state_name, "quant_state", state("\"nf4\",", "")},
      {state_name, "must be [2]", state("256", "2")},
      {"a.weight.absmax", "must be [4]",
       TestArray(DType::kU8, {3}, std::vector<uint8_t>(3))},
      {"a.weight.absmax", "must be F32 or U8",
       TestArray(DType::kF16, {4}, std::vector<uint16_t>(4))},
      {"a.weight.quant_map", "not that of nf4",
       TestArray({16}, std::vector<float>(16))},
      {"a.weight.quant_map", "must be [16]",
       TestArray({15}, std::vector<float>(15))},
      {"a.weight.nested_absmax", "must be [1]",
       TestArray({2}, std::vector<float>(2))},
      {"a.weight", "127 bytes",
       TestArray(DType::kU8, {127}, std::vector<uint8_t>(127))},
  };
  for (const auto& of : cases) {
    TestModel model = whole;
    model.erase(of.array);
    model.emplace(of.array, of.value);
    EXPECT_TRUE(IsRefused(model, "", kLayout, of.what)) << of.array;
  }
  for (const std::string& array :
       {state_name, std::string("a.weight.quant_map"),
        std::string("a.weight.nested_absmax"),
        std::string("a.weight.nested_quant_map")}) {
    TestModel model = whole;
    model.erase(array);
    EXPECT_TRUE(IsRefused(model, "", kLayout, array.substr(0, 40)));
  }
  const TestModel eight = {
      {"a.weight", TestArray(DType::kI8, {2, 2}, std::vector<uint8_t>(4))},
      {"a.SCB", TestArray({3}, {1, 2, 3})}};
  EXPECT_TRUE(IsRefused(eight, "", kLayout, "must be [2]"));
  const TestModel other = {
      {"a.weight", TestArray(DType::kI8, {2, 2}, std::vector<uint8_t>(4))},
      {"a.SCB", TestArray({2}, {1, 2})},
      {"a.weight_format", TestArray(DType::kU8, {}, std::vector<uint8_t>{1})}};
  EXPECT_TRUE(IsRefused(other, "", kLayout, "weight_format"));
}

}  // namespace
}  // namespace bnq
