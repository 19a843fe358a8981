#include "core/model/expert_stacks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/cache/layers.h"
#include "core/model/analyze.h"
#include "core/model/convert.h"
#include "core/model/estimate.h"
#include "core/model/source_model.h"
#include "core/tensor/dequantize.h"
#include "core/tensor/quantize.h"
#include "tests/model/model_test_util.h"

namespace bnq {
namespace {

constexpr uint64_t kExperts = 3, kHidden = 40, kInner = 72;

struct Layout {
  const char* model_type;
  bool is_in_out;
  bool interleaved;
  const char* gate_up;
  const char* down;
  const char* prefix;
};
constexpr Layout kLayouts[] = {
    {"qwen3_moe", false, false, "l.0.mlp.experts.gate_up_proj",
     "l.0.mlp.experts.down_proj", "l.0.mlp.experts."},
    {"llama4_text", true, false, "l.0.mlp.experts.gate_up_proj",
     "l.0.mlp.experts.down_proj", "l.0.mlp.experts."},
    {"gpt_oss", true, true, "l.0.mlp.experts.gate_up_proj",
     "l.0.mlp.experts.down_proj", "l.0.mlp.experts."},
    {"granitemoe", false, false, "l.0.block_sparse_moe.input_linear.weight",
     "l.0.block_sparse_moe.output_linear.weight",
     "l.0.block_sparse_moe.experts."},
};

// A weight's value by what it is: no two are the same.
float Value(uint64_t expert, int piece, uint64_t row, uint64_t column) {
  const uint64_t n =
      ((expert * 3 + static_cast<uint64_t>(piece)) * 128 + row) * 128 + column;
  return static_cast<float>(n * 7919 % 65521) / 32768.0f - 1.0f;
}

class ExpertStacks : public ModelTest {
 protected:
  void SetUp() override {
    ModelTest::SetUp();
    std::filesystem::create_directory(Path("in"));
    plan_.Add("*experts*", 2, Config::FromText("int8,group_size=8"));
  }

  void WriteConfig(const std::string& model_type, uint64_t hidden = kHidden) {
    WriteFile(Path("in/config.json"),
              "{\"text_config\": {\"model_type\": \"" + model_type +
                  "\", \"hidden_size\": " + std::to_string(hidden) + "}}");
  }

  // The two arrays of a layer, from the definition of the layout.
  static TestModel ModelOf(const Layout& layout) {
    TestModel model;
    const uint64_t out = 2 * kInner;
    std::vector<float> gate_up, down;
    for (uint64_t e = 0; e < kExperts; ++e) {
      for (uint64_t i = 0; i < out * kHidden; ++i) {
        const uint64_t o = layout.is_in_out ? i % out : i / kHidden;
        const uint64_t c = layout.is_in_out ? i / out : i % kHidden;
        const bool up = layout.interleaved ? o % 2 == 1 : o >= kInner;
        const uint64_t row = layout.interleaved ? o / 2 : o % kInner;
        gate_up.push_back(Value(e, up ? 1 : 0, row, c));
      }
      for (uint64_t i = 0; i < kHidden * kInner; ++i) {
        const uint64_t o = layout.is_in_out ? i % kHidden : i / kInner;
        const uint64_t c = layout.is_in_out ? i / kHidden : i % kInner;
        down.push_back(Value(e, 2, o, c));
      }
    }
    const auto dims = [&](uint64_t o, uint64_t c) {
      return layout.is_in_out ? std::vector<uint64_t>{kExperts, c, o}
                              : std::vector<uint64_t>{kExperts, o, c};
    };
    model.insert({layout.gate_up, {dims(out, kHidden), gate_up}});
    model.insert({layout.down, {dims(kHidden, kInner), down}});
    model.insert({"l.0.attn.weight", {{8, 8}, std::vector<float>(64, 1.0f)}});
    return model;
  }
  void WriteModel(const Layout& layout) {
    Write(ModelOf(layout), "in/model.safetensors");
  }

  static std::vector<float> Matrix(uint64_t expert, int piece) {
    std::vector<float> values;
    const uint64_t rows = piece == 2 ? kHidden : kInner;
    for (uint64_t r = 0; r < rows; ++r) {
      for (uint64_t c = 0; c < (piece == 2 ? kInner : kHidden); ++c) {
        values.push_back(Value(expert, piece, r, c));
      }
    }
    return values;
  }
  static std::string NameOf(const Layout& layout, uint64_t expert, int piece) {
    const char* const names[] = {"gate_proj", "up_proj", "down_proj"};
    return layout.prefix + std::to_string(expert) + '.' + names[piece] +
           ".weight";
  }

  Plan plan_;
};

// Every layout: what is quantized are the matrices by their definition, and
// what comes back is the array.
TEST_F(ExpertStacks, AreCutAndPutTogether) {
  for (const Layout& layout : kLayouts) {
    SCOPED_TRACE(layout.model_type);
    WriteModel(layout);
    WriteConfig(layout.model_type);
    const std::string out = Path("out.bnq"), back = Path("back.safetensors");
    ConversionOptions options(Overwrite());
    const Report report =
        QuantizeFile(context_, plan_, Path("in"), out, options, nullptr);
    EXPECT_EQ(report.size(), 3 * kExperts + 1);
    const auto file = ModelFile::Open(context_, out);
    for (uint64_t e = 0; e < kExperts; ++e) {
      for (int piece = 0; piece < 3; ++piece) {
        const std::vector<float> values = Matrix(e, piece);
        const TestArray array(
            {piece == 2 ? kHidden : kInner, piece == 2 ? kInner : kHidden},
            values);
        const QuantizeJob job{Config::FromText("int8,group_size=8"),
                              array.view()};
        const auto expected = Quantize(context_, job);
        const ModelEntry* entry = file->Find(NameOf(layout, e, piece));
        ASSERT_NE(entry, nullptr);
        EXPECT_EQ(entry->shape, array.view().shape);
        const auto tensor = LoadTensor(context_, file, *entry);
        for (const Part part : {Part::kCodes, Part::kScales}) {
          const PartData& a = tensor->part(part);
          const PartData& b = expected->part(part);
          ASSERT_EQ(a.bytes, b.bytes);
          EXPECT_EQ(std::memcmp(a.data, b.data, a.bytes), 0);
        }
      }
    }
    DequantizeFile(context_, out, back, DType::kF32, Overflow::kError, options,
                   nullptr);
    const auto restored = ModelFile::Open(context_, back);
    EXPECT_EQ(restored->entries().size(), 3u);
    EXPECT_TRUE(ExpertStacksOf(restored->metadata()).empty());
    for (const Report& rows : {CompareFiles(context_, out, back, nullptr),
                               CompareFiles(context_, back, out, nullptr)}) {
      EXPECT_EQ(rows.size(), 3 * kExperts + 1);
      for (const ReportRow& row : rows) {
        EXPECT_EQ(row.metrics.values[static_cast<int>(Metric::kMse)], 0.0)
            << row.name << row.note;
      }
    }
    for (const ReportRow& row :
         CompareFiles(context_, Path("in/model.safetensors"), out, nullptr)) {
      EXPECT_LT(row.metrics.values[static_cast<int>(Metric::kMse)], 1e-4);
    }
  }
}

// Matrices of several types become an array of one; without quantized ones it
// is the array that was, byte for byte.
TEST_F(ExpertStacks, OfSeveralTypes) {
  for (const Layout& layout : kLayouts) {
    SCOPED_TRACE(layout.model_type);
    WriteModel(layout);
    WriteConfig(layout.model_type);
    const std::string out = Path("out.bnq"), back = Path("back.safetensors");
    ConversionOptions options(Overwrite());
    const auto run = [&](const Plan& plan, DType dtype) {
      QuantizeFile(context_, plan, Path("in"), out, options, nullptr);
      DequantizeFile(context_, out, back, dtype, Overflow::kError, options,
                     nullptr);
      return ModelFile::Open(context_, back);
    };
    const auto original = ModelFile::Open(context_, Path("in"));
    auto file = run(Plan(), DType::kF16);
    for (const ModelEntry& entry : original->entries()) {
      const ModelEntry* same = file->Find(entry.name);
      ASSERT_NE(same, nullptr);
      ASSERT_EQ(same->shape, entry.shape);
      ASSERT_EQ(same->raw_bytes, entry.raw_bytes);
      EXPECT_EQ(std::memcmp(file->Mapped(*same), original->Mapped(entry),
                            entry.raw_bytes),
                0);
    }
    Plan second;
    second.Add("*experts.1.*", 2, Config::FromText("int8,group_size=8"));
    file = run(second, DType::kF16);
    for (const char* name : {layout.gate_up, layout.down}) {
      const ModelEntry* entry = file->Find(name);
      ASSERT_NE(entry, nullptr);
      EXPECT_EQ(static_cast<DType>(entry->dtype), DType::kF16);
    }
    for (const ReportRow& row :
         CompareFiles(context_, Path("in"), back, nullptr)) {
      EXPECT_LT(row.metrics.values[static_cast<int>(Metric::kMse)], 1e-4);
    }
  }
}

// What knows a model by its headers, by its errors and layer by layer sees the
// same matrices.
TEST_F(ExpertStacks, AreTheSameForAll) {
  for (const Layout& layout : kLayouts) {
    SCOPED_TRACE(layout.model_type);
    WriteModel(layout);
    WriteConfig(layout.model_type);
    ConversionOptions options(Overwrite());
    const Report report = QuantizeFile(context_, plan_, Path("in"),
                                       Path("out.bnq"), options, nullptr);
    const Estimate estimate = EstimateFile(context_, plan_, Path("in"), 0);
    EXPECT_EQ(estimate.file_bytes, ReadFile(Path("out.bnq")).size());
    ASSERT_EQ(estimate.rows.size(), report.size());
    Sensitivity sensitivity;
    AnalyzeFile(context_, Plan(), {Config::FromText("int8,group_size=8")},
                Path("in"), "", nullptr, &sensitivity);
    Layers layers(context_, Path("in"), plan_, nullptr, 0);
    const auto layer = layers.Load(context_, 0, nullptr);
    ASSERT_EQ(layer->tensors().size(), report.size());
    for (size_t i = 0; i < report.size(); ++i) {
      EXPECT_EQ(estimate.rows[i].name, report[i].name);
      EXPECT_EQ(estimate.rows[i].bytes_after, report[i].bytes_after);
      EXPECT_EQ(layer->tensors()[i].name, report[i].name);
      EXPECT_EQ(sensitivity.tensors().count(report[i].name), 1u);
    }
  }
}

// Where the table does not tell, experts stay as they are, and it is said.
TEST_F(ExpertStacks, AreNotGuessed) {
  std::string warning;
  Context context;
  context.log = [&](LogLevel level, const char* text) {
    if (level == LogLevel::kWarning) warning = text;
  };
  const auto expect_uncut = [&](const std::string& why) {
    warning.clear();
    const Report report =
        QuantizeFile(context, plan_, Path("in"), Path("out.bnq"),
                     ConversionOptions(Overwrite()), nullptr);
    ASSERT_EQ(report.size(), 3u);
    EXPECT_EQ(report[1].format, 0);
    EXPECT_EQ(report[1].note, "of all experts in one array");
    EXPECT_NE(warning.find(why), std::string::npos) << warning;
    EXPECT_GT(report.dense_share(), 0.99);
  };
  WriteModel(kLayouts[0]);
  expect_uncut("no config.json");
  WriteConfig("another");
  expect_uncut("not known for model_type \"another\"");
  // [out, in] where the table says [in, out].
  WriteConfig("llama4");
  expect_uncut("not of the shape");
  // Of one of two versions, which the hidden size tells.
  WriteConfig("qwen3_vl_moe", kHidden + 1);
  expect_uncut("not of the shape");
  for (const bool is_in_out : {false, true}) {
    WriteModel(kLayouts[is_in_out ? 1 : 0]);
    WriteConfig("qwen3_vl_moe");
    const auto stacks =
        FindExpertStacks(context_, *ModelFile::Open(context_, Path("in")));
    ASSERT_EQ(stacks.size(), 2u);
    EXPECT_EQ(stacks[0].is_in_out, is_in_out);
    EXPECT_EQ(stacks[1].is_in_out, is_in_out);
  }
  EXPECT_TRUE(HoldsExperts("a.experts.down_proj_bias", 2));
  EXPECT_FALSE(HoldsExperts("a.experts.0.down_proj.bias", 2));
  EXPECT_FALSE(HoldsExperts("a.experts.0.down_proj.weight", 3));
}

TEST_F(ExpertStacks, RefusesWhatCannotBe) {
  const Layout& layout = kLayouts[0];
  TestModel model = ModelOf(layout);
  model.insert({NameOf(layout, 1, 2), {{2, 2}, {1, 2, 3, 4}}});
  Write(model, "in/model.safetensors");
  WriteConfig(layout.model_type);
  EXPECT_TRUE(FailsWith(Status::kUnsupported, NameOf(layout, 1, 2),
                        [&] { OpenSourceModel(context_, Path("in")); }));
  // Metadata that a file brings.
  const std::string good =
      R"({"a": {"shape": [2, 4, 3], "prefix": "p.", "pieces": ["x", "y"],)"
      R"( "layout": "in_out, interleaved"}})";
  ASSERT_TRUE(FailsWith(Status::kCorruptFile, "divide", [&] {
    ExpertStacksOf({{kExpertStacks, good}});
  }));
  for (const char* bad :
       {"", "[]", "{\"a\": 1}",
        R"({"a": {"shape": [2, 4], "prefix": "p", "pieces": ["x"],)"
        R"( "layout": ""}})",
        R"({"a": {"shape": [4294967296, 4294967296, 2], "prefix": "p",)"
        R"( "pieces": ["x"], "layout": ""}})",
        R"({"a": {"shape": [2, 4, 2], "prefix": "p", "pieces": [],)"
        R"( "layout": ""}})",
        R"({"a": {"shape": [9000000, 4, 2], "prefix": "p", "pieces": ["x"],)"
        R"( "layout": ""}})"}) {
    EXPECT_TRUE(FailsWith(Status::kCorruptFile, kExpertStacks, [&] {
      ExpertStacksOf({{kExpertStacks, bad}});
    })) << bad;
  }
  // A shard has some of the matrices: they come as they are.
  const auto write = [&](const std::string& metadata, const char* extra) {
    ModelWriter writer(context_, Path("m.bnq"), FileKind::kBnq, Overwrite());
    const TestArray array({4, 3}, std::vector<float>(12, 1.0f));
    writer.AddArray("p.0.x.weight", array.view());
    if (extra != nullptr) writer.AddArray(extra, array.view());
    writer.SetMetadata(kExpertStacks, metadata);
    writer.Finish();
    return ModelFile::Open(context_, Path("m.bnq"));
  };
  const auto of = [](const char* shape) {
    return std::string(R"({"a": {"shape": [)") + shape +
           R"(], "prefix": "p.", "pieces": ["x"], "layout": ""}})";
  };
  EXPECT_TRUE(WholeExpertStacks(*write(of("2, 4, 3"), nullptr)).empty());
  DequantizeFile(context_, Path("m.bnq"), Path("o.safetensors"), DType::kF32,
                 Overflow::kError, {}, nullptr);
  EXPECT_EQ(WholeExpertStacks(*write(of("1, 4, 3"), nullptr)).size(), 1u);
  // Files that say what cannot be; verifying them says so, too.
  for (const auto& [metadata, extra] :
       {std::pair(of("1, 3, 4"), static_cast<const char*>(nullptr)),
        std::pair(of("1, 4, 3"), "a")}) {
    const auto file = write(metadata, extra);
    EXPECT_TRUE(FailsWith(Status::kCorruptFile, "tensor \"a\"",
                          [&] { VerifyFile(context_, file, nullptr); }));
    EXPECT_TRUE(FailsWith(Status::kCorruptFile, "tensor \"a\"", [&] {
      DequantizeFile(context_, Path("m.bnq"), Path("p.safetensors"),
                     DType::kF32, Overflow::kError, {}, nullptr);
    }));
  }
}

// float64 that float32 does not hold, beside matrices that are quantized.
TEST_F(ExpertStacks, OverflowIsSaid) {
  TestModel model;
  std::vector<double> values(kExperts * kHidden * kInner, 0.5);
  values[1] = 1e300;
  model.insert({kLayouts[0].down,
                TestArray(DType::kF64, {kExperts, kHidden, kInner}, values)});
  Write(model, "in/model.safetensors");
  WriteConfig("qwen3_moe");
  Plan second;
  second.Add("*experts.1.*", 2, Config::FromText("int8,group_size=8"));
  ConversionOptions options(Overwrite());
  QuantizeFile(context_, second, Path("in"), Path("out.bnq"), options, nullptr);
  const auto run = [&](DType dtype, Overflow overflow) {
    DequantizeFile(context_, Path("out.bnq"), Path("back.safetensors"), dtype,
                   overflow, options, nullptr);
    const auto file = ModelFile::Open(context_, Path("back.safetensors"));
    float value;
    std::memcpy(&value, file->Mapped(file->entries()[0]) + 4, 4);
    return value;
  };
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    EXPECT_TRUE(FailsWith(Status::kNonFinite, "element 1 is 1e+300",
                          [&] { run(dtype, Overflow::kError); }));
  }
  EXPECT_EQ(run(DType::kF32, Overflow::kSaturate), 3.40282346638528859812e38f);
  EXPECT_TRUE(std::isinf(run(DType::kF32, Overflow::kKeep)));
}

}  // namespace
}  // namespace bnq
