#include "core/model/export.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/model/convert.h"
#include "tests/model/interchange_test_util.h"
#include "tests/model/model_test_util.h"

namespace bnq {
namespace {

namespace fs = std::filesystem;

std::vector<float> ValuesOf(const Context& context, const ModelFile& values,
                            const std::string& name) {
  const ModelEntry& entry = *values.Find(name);
  std::vector<float> x(static_cast<size_t>(entry.raw_bytes / sizeof(float)));
  PlainReader(context, values, entry).Read(x.data(), entry.raw_bytes);
  return x;
}

// The layouts that are read and written.
std::vector<const ForeignLayout*> BothWays() {
  std::vector<const ForeignLayout*> rows;
  for (const ForeignLayout* row : ForeignLayouts()) {
    if (row->find != nullptr && row->exporter != nullptr) rows.push_back(row);
  }
  return rows;
}

class ExportTest : public ModelTest {
 protected:
  Report Export(const std::string& layout, const std::string& input,
                const std::string& output, const ConversionOptions& options) {
    return ExportFile(context_, layout, input, output, InterchangeOptions(),
                      options, nullptr);
  }
  // The values of a file of any kind.
  std::shared_ptr<const ModelFile> Values(
      const std::string& path,
      const InterchangeOptions& options = InterchangeOptions()) {
    return DequantizedView(ForeignView(
        context_, ModelFile::Open(context_, path), options.import()));
  }
  // Of rows with a verdict: the same values, or those of scales that have
  // moved by at most their types' half steps.
  void ExpectVerdictsHold(const Report& report, const ModelFile& before,
                          const ModelFile& after, size_t* exact) {
    for (const ReportRow& row : report) {
      SCOPED_TRACE(row.name + ": " + row.note);
      const auto verdict = static_cast<Verdict>(row.verdict);
      if (verdict != Verdict::kExact && verdict != Verdict::kScalesRounded) {
        continue;
      }
      ASSERT_NE(after.Find(row.name), nullptr);
      const std::vector<float> x = ValuesOf(context_, before, row.name);
      const std::vector<float> y = ValuesOf(context_, after, row.name);
      ASSERT_EQ(x.size(), y.size());
      float greatest = 0.0f;
      for (const float value : x)
        greatest = std::max(greatest, std::fabs(value));
      for (size_t i = 0; i < x.size(); ++i) {
        if (verdict == Verdict::kExact) {
          ASSERT_EQ(x[i], y[i]) << i;
        } else {
          ASSERT_NEAR(x[i], y[i], greatest / 64) << i;
        }
      }
      *exact += verdict == Verdict::kExact;
    }
  }
};

// Every pair of ecosystems, through .bnq: what is said to be exact is.
TEST_F(ExportTest, EveryLayoutGoesIntoEveryOtherAsItsVerdictsSay) {
  std::map<std::string, size_t> exact;
  for (const InterchangeCase& golden : InterchangeCases()) {
    SCOPED_TRACE(golden.name);
    const std::string ours = Path("ours.bnq");
    const Report imported =
        ImportFile(context_, golden.path, ours, golden.options,
                   ConversionOptions(Overwrite()), nullptr);
    const auto before = Values(ours);
    for (const ModelEntry& entry : before->entries()) {
      const auto expected = ModelFile::Open(context_, golden.expected);
      EXPECT_EQ(BytesOf(context_, *before, entry),
                BytesOf(context_, *expected, *expected->Find(entry.name)))
          << entry.name;
    }
    for (const ForeignLayout* layout : BothWays()) {
      SCOPED_TRACE(layout->name);
      ConversionOptions options(Overwrite());
      options.dry_run = true;
      const Report planned = Export(layout->name, ours, "", options);
      ASSERT_EQ(planned.size(), imported.size());
      bool possible = true;
      for (const ReportRow& row : planned) {
        if (row.verdict != static_cast<int32_t>(Verdict::kNotRepresentable)) {
          continue;
        }
        possible = false;
        EXPECT_NE(row.note, "") << row.name;
      }
      options.dry_run = false;
      const std::string output = Path(std::string("theirs") +
                                      FindContainer(layout->container)->ending);
      if (!possible) {
        EXPECT_TRUE(
            FailsWith(Status::kUnsupported, "cannot be written as",
                      [&] { Export(layout->name, ours, output, options); }));
        continue;
      }
      const Report report = Export(layout->name, ours, output, options);
      uint64_t bytes = 0, planned_bytes = 0;
      for (const ReportRow& row : report) bytes += row.bytes_after;
      for (const ReportRow& row : planned) planned_bytes += row.bytes_after;
      EXPECT_EQ(bytes, planned_bytes);
    }
  }
}

// A folder's loaders are told by its config.json; all else stays as it is.
TEST_F(ExportTest, AFolderSaysHowItIsQuantized) {
  size_t exact = 0;
  for (const InterchangeCase& golden : InterchangeCases()) {
    if (!fs::is_directory(golden.path)) continue;
    if (FindForeignLayout(golden.layout).exporter == nullptr) continue;
    SCOPED_TRACE(golden.name);
    const auto before = Values(golden.path, golden.options);
    ConversionOptions options(Overwrite());
    options.dry_run = true;
    bool possible = true;
    for (const ReportRow& row :
         Export(golden.layout, golden.path, "", options)) {
      possible = possible && row.verdict != static_cast<int32_t>(
                                                Verdict::kNotRepresentable);
    }
    if (!possible) continue;
    options.dry_run = false;
    const std::string output = Path("again");
    const Report report = Export(golden.layout, golden.path, output, options);
    ASSERT_EQ(report.output, output);
    const auto after = Values(output);
    ExpectVerdictsHold(report, *before, *after, &exact);
    const std::string config = ReadFile(output + "/config.json");
    EXPECT_TRUE(nlohmann::json::accept(config)) << config;
    fs::remove_all(output);
  }
  EXPECT_GE(exact, BothWays().empty() ? 0u : 8u);
}

// What cannot be is refused whole, before anything is written, or made anew.
TEST_F(ExportTest, WhatALayoutCannotHoldIsRefusedOrQuantizedAnew) {
  std::vector<float> w(64 * 128);
  for (size_t i = 0; i < w.size(); ++i) {
    w[i] = static_cast<float>(i * 7919 % 1009) / 512.0f - 1.0f;
  }
  fs::create_directory(Path("in"));
  std::ofstream(Path("in/config.json")) << R"({"model_type": "none"})";
  Write({{"a.weight", {{64, 128}, w}},
         {"norm.weight", {{128}, {w.begin(), w.begin() + 128}}}},
        "in/model.safetensors");
  Plan plan;
  plan.Add("*.weight", 2, Config::FromText("codebook3"));
  QuantizeFile(context_, plan, Path("in"), Path("ours"),
               ConversionOptions(Overwrite()), nullptr);
  for (const ForeignLayout* layout : BothWays()) {
    SCOPED_TRACE(layout->name);
    const std::string output = Path(layout->name);
    ConversionOptions options;
    EXPECT_TRUE(FailsWith(Status::kUnsupported, "\"a.weight\"", [&] {
      Export(layout->name, Path("ours"), output, options);
    }));
    EXPECT_FALSE(fs::exists(output));
    options.requantize = true;
    const Report report = Export(layout->name, Path("ours"), output, options);
    ASSERT_EQ(report.size(), 2u);
    EXPECT_EQ(report[0].verdict, static_cast<int32_t>(Verdict::kRequantized));
    EXPECT_EQ(report[1].verdict, 0);
    const auto after = Values(output);
    ASSERT_NE(after->Find("a.weight"), nullptr);
    const std::vector<float> x = ValuesOf(context_, *after, "a.weight");
    double error = 0, energy = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      error += (x[i] - w[i]) * (x[i] - w[i]);
      energy += w[i] * w[i];
    }
    EXPECT_LT(error / energy, 0.35);
    EXPECT_EQ(ValuesOf(context_, *after, "norm.weight").size(), 128u);
    EXPECT_TRUE(FailsWith(Status::kExists, "", [&] {
      Export(layout->name, Path("ours"), output, options);
    }));
  }
}

// A name that a layout has no place for is not changed without a word, nor into
// that of another tensor.
TEST_F(ExportTest, NamesAreKeptOrTheReportSaysHowTheyAreRead) {
  const TestArray array{{64, 128}, std::vector<float>(64 * 128, 0.5f)};
  const std::vector<std::string> names = {
      "a.weight", "embed_table",     "b.bias",    ".weight",
      "weight",   "c.weight.weight", "experts.3", "d.Weight"};
  TestModel model;
  for (const std::string& name : names) model.emplace(name, array);
  Plan plan;
  plan.Add("*", 2, Config::FromText("int8,granularity=channel"));
  const auto quantized = [&](const TestModel& arrays) {
    Write(arrays, "in.safetensors");
    QuantizeFile(context_, plan, Path("in.safetensors"), Path("ours.bnq"),
                 ConversionOptions(Overwrite()), nullptr);
  };
  ConversionOptions options(Overwrite());
  options.requantize = true;
  size_t renamed = 0, refused = 0;
  InterchangeOptions
      told;  // what a BitNet file without a config.json does not say
  told.SetText("weight_scale", "multiply");
  for (const ForeignLayout* layout : BothWays()) {
    SCOPED_TRACE(layout->name);
    const std::string output =
        Path(std::string("theirs") + FindContainer(layout->container)->ending);
    quantized(model);
    const Report report =
        Export(layout->name, Path("ours.bnq"), output, options);
    const auto after = Values(output, told);
    EXPECT_EQ(after->entries().size(), names.size());
    for (const ReportRow& row : report) {
      SCOPED_TRACE(row.name + ": " + row.note);
      const size_t at = row.note.find("named \"");
      if (at == std::string::npos) {
        EXPECT_NE(after->Find(row.name), nullptr);
        continue;
      }
      const size_t begin = at + 7, end = row.note.find("\" there", begin);
      EXPECT_NE(after->Find(row.note.substr(begin, end - begin)), nullptr);
      ++renamed;
    }
    quantized({{"w", array}, {"w.weight", array}});
    // Both, under their names, or neither.
    const std::string other = Path("other" + output.substr(output.rfind('.')));
    try {
      Export(layout->name, Path("ours.bnq"), other, options);
      const auto both = Values(other, told);
      EXPECT_NE(both->Find("w"), nullptr);
      EXPECT_NE(both->Find("w.weight"), nullptr);
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("would be named \"w.weight\""),
                std::string::npos)
          << error.what();
      EXPECT_FALSE(fs::exists(other));
      ++refused;
    }
  }
  EXPECT_GT(refused, 0u);
  EXPECT_GT(renamed, 0u);
}

// Nor anew: the shape is what it cannot hold, and that is what is said.
TEST_F(ExportTest, AShapeThatNoConfigHelpsIsNamed) {
  fs::create_directory(Path("in"));
  std::ofstream(Path("in/config.json")) << R"({"model_type": "none"})";
  Write({{"a.weight", {{6, 7}, std::vector<float>(42, 0.5f)}}},
        "in/model.safetensors");
  Plan plan;
  plan.Add("*.weight", 2, Config::FromText("codebook3"));
  QuantizeFile(context_, plan, Path("in"), Path("ours"),
               ConversionOptions(Overwrite()), nullptr);
  ConversionOptions options;
  options.requantize = true;
  for (const char* layout : {"gptq", "awq", "mlx", "bitnet"}) {
    SCOPED_TRACE(layout);
    EXPECT_TRUE(FailsWith(Status::kUnsupported, "; nor as format=", [&] {
      Export(layout, Path("ours"), Path("out"), options);
    }));
    EXPECT_FALSE(fs::exists(Path("out")));
  }
}

}  // namespace
}  // namespace bnq
