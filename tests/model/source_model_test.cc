#include "core/model/source_model.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "core/cache/layers.h"
#include "core/model/analyze.h"
#include "core/model/convert.h"
#include "core/model/estimate.h"
#include "tests/model/model_test_util.h"

namespace bnq {
namespace {

class SourceModel : public ModelTest {
 protected:
  // A T5's names: one embedding under three, and a head that is another.
  void SetUp() override {
    ModelTest::SetUp();
    std::vector<float> embedding(16 * 24), other;
    for (size_t i = 0; i < embedding.size(); ++i) {
      embedding[i] = static_cast<float>(i * 7919 % 1009) / 512.0f - 1.0f;
    }
    other = embedding;
    other.back() += 1.0f;
    for (const char* name : kSame) {
      model_.insert({name, {{16, 24}, embedding}});
    }
    model_.insert({"score.weight", {{16, 24}, other}});
    model_.insert({"l.0.mlp.weight", {{16, 24}, embedding}});
    Write(model_);
    plan_.Add("*", 2, Config::FromText("int8,group_size=8"));
  }
  static constexpr const char* kSame[] = {"decoder.embed_tokens.weight",
                                          "encoder.embed_tokens.weight",
                                          "lm_head.weight"};

  TestModel model_;
  Plan plan_;
};

TEST_F(SourceModel, ATensorOfThreeNamesIsStoredOnce) {
  for (const bool sharded : {false, true}) {
    ConversionOptions options(Overwrite());
    if (sharded) options.max_shard_bytes = 800;
    const Report report = QuantizeFile(context_, plan_, Path("in.safetensors"),
                                       Path("out.bnq"), options, nullptr);
    ASSERT_EQ(report.size(), 5u);
    const auto file = ModelFile::Open(context_, report.output);
    ASSERT_EQ(file->entries().size(), 5u);
    for (const ReportRow& row : report) {
      const bool tied = row.name == kSame[1] || row.name == kSame[2];
      EXPECT_EQ(row.same_as, tied ? kSame[0] : "") << row.name;
      EXPECT_EQ(row.bytes_after == 0, tied);
      EXPECT_NE(row.format, 0);
      const ModelEntry& entry = *file->Find(row.name);
      EXPECT_EQ(entry.same_as, row.same_as);
      EXPECT_EQ(entry.stored_bytes == 0, tied);
      const auto tensor = LoadTensor(context_, file, entry);
      EXPECT_EQ(tensor->shape(), row.shape);
    }
    VerifyFile(context_, file, nullptr);

    const Estimate estimate = EstimateFile(
        context_, plan_, Path("in.safetensors"), options.max_shard_bytes);
    ASSERT_EQ(estimate.rows.size(), 5u);
    for (size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(estimate.rows[i].bytes_after, report[i].bytes_after);
      EXPECT_EQ(estimate.rows[i].note, report[i].note);
    }
    for (const ReportRow& row : CompareFiles(context_, Path("in.safetensors"),
                                             report.output, nullptr)) {
      EXPECT_EQ(row.same_as, file->Find(row.name)->same_as);
      EXPECT_LT(row.metrics.values[static_cast<int>(Metric::kMse)], 1e-4);
    }
    // All names come back as tensors.
    DequantizeFile(context_, report.output, Path("back.safetensors"),
                   DType::kF32, Overflow::kError, Overwrite(), nullptr);
    const auto back = ModelFile::Open(context_, Path("back.safetensors"));
    EXPECT_TRUE(back->metadata().empty());
    ASSERT_EQ(back->entries().size(), 5u);
    for (const char* name : kSame) {
      EXPECT_EQ(std::memcmp(back->Mapped(*back->Find(name)),
                            back->Mapped(*back->Find(kSame[0])),
                            16 * 24 * sizeof(float)),
                0);
    }
  }
}

// The plan is asked for the first name.
TEST_F(SourceModel, ATensorOfThreeNamesHasOneConfig) {
  Plan plan;
  plan.Add(kSame[0], 2, std::nullopt);
  plan.Add("*", 2, Config::FromText("int8,group_size=8"));
  const Report report = QuantizeFile(context_, plan, Path("in.safetensors"),
                                     Path("out.bnq"), Overwrite(), nullptr);
  for (const ReportRow& row : report) {
    const bool kept = row.name == kSame[0] || !row.same_as.empty();
    EXPECT_EQ(row.format == 0, kept) << row.name;
  }
  // Of 3 tensors one is dense.
  EXPECT_DOUBLE_EQ(report.dense_share(), 1.0 / 3);
  Layers layers(context_, Path("in.safetensors"), plan, nullptr, 0);
  for (size_t i = 0; i < layers.groups().size(); ++i) {
    const auto layer = layers.Load(context_, i, nullptr);
    for (const LayerTensor& tensor : layer->tensors()) {
      const ModelEntry& entry = *layers.file().Find(tensor.name);
      const bool kept = tensor.name == kSame[0] || !entry.same_as.empty();
      EXPECT_EQ(tensor.tensor == nullptr, kept) << tensor.name;
    }
  }
}

TEST_F(SourceModel, IsAnalyzedOnce) {
  Sensitivity sensitivity;
  AnalyzeFile(context_, Plan(), {Config::FromText("int8,group_size=8")},
              Path("in.safetensors"), "", nullptr, &sensitivity);
  EXPECT_EQ(sensitivity.tensors().size(), 3u);
  EXPECT_EQ(sensitivity.tensors().count(kSame[1]), 0u);
  EXPECT_EQ(sensitivity.elements(), 3u * 16 * 24);
}

// Metadata of others that look like another name.
TEST_F(SourceModel, OnlyNamesOfTensorsAreTied) {
  ModelWriter writer(context_, Path("m.bnq"), FileKind::kBnq, Overwrite());
  writer.AddArray("a", model_.begin()->second.view());
  writer.AddArray("b", model_.begin()->second.view());
  writer.SetMetadata("a", "b");
  writer.SetMetadata("c", "a");
  writer.SetMetadata("d", "c");
  writer.AddArray("pt", model_.begin()->second.view());
  writer.SetMetadata("format", "pt");
  writer.Finish();
  const auto file = ModelFile::Open(context_, Path("m.bnq"));
  ASSERT_EQ(file->entries().size(), 4u);
  EXPECT_EQ(file->Find("format"), nullptr);
  EXPECT_EQ(file->Find("a")->same_as, "");
  EXPECT_EQ(file->Find("c")->same_as, "a");
}

// What the input says already, and what a plan says of another name in vain.
TEST_F(SourceModel, SaysWhatIsNotDone) {
  ModelWriter writer(context_, Path("in.safetensors"), FileKind::kSafetensors,
                     Overwrite());
  for (const auto& [name, array] : model_) writer.AddArray(name, array.view());
  writer.SetMetadata(kSame[2], "something");
  writer.Finish();
  std::string warning;
  Context context;
  context.log = [&](LogLevel level, const char* text) {
    if (level == LogLevel::kWarning) warning = text;
  };
  QuantizeFile(context, plan_, Path("in.safetensors"), Path("out.bnq"),
               Overwrite(), nullptr);
  EXPECT_EQ(warning, "");
  EXPECT_EQ(ModelFile::Open(context_, Path("out.bnq"))->Find(kSame[2])->same_as,
            kSame[0]);
  Plan plan;
  plan.Add("lm_head*", 2, std::nullopt);
  plan.Add("*", 2, Config::FromText("int8,group_size=8"));
  QuantizeFile(context, plan, Path("in.safetensors"), Path("out.bnq"),
               Overwrite(), nullptr);
  EXPECT_NE(warning.find("of tensor \"lm_head.weight\" is not done"),
            std::string::npos)
      << warning;
}

}  // namespace
}  // namespace bnq
