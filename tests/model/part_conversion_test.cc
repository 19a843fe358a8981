#include "core/model/part_conversion.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/model/analyze.h"
#include "core/model/convert.h"
#include "tests/model/model_test_util.h"

namespace bnq {
namespace {

namespace fs = std::filesystem;

class PartConversionTest : public ModelTest {
 protected:
  // A folder of three shards, a tensor that dwarfs the rest among them.
  void SetUp() override {
    ModelTest::SetUp();
    fs::create_directory(Path("in"));
    std::ofstream(Path("in/config.json")) << R"({"model_type": "llama"})";
    std::ofstream(Path("in/tokenizer.json")) << "{}";
    std::mt19937 random(1);
    WriteOptions options = Overwrite();
    options.max_shard_bytes = 40000;
    ModelWriter writer(context_, Path("in/model.safetensors"),
                       FileKind::kSafetensors, options);
    std::deque<TestArray> arrays;  // which the writer borrows
    const auto add = [&](const std::string& name,
                         const std::vector<uint64_t>& dims) {
      std::vector<float> values(std::accumulate(
          dims.begin(), dims.end(), size_t{1}, std::multiplies<>()));
      for (float& value : values) {
        value = static_cast<float>(random() % 2001) / 1000.0f - 1.0f;
      }
      arrays.emplace_back(dims, values);
      writer.AddArray(name, arrays.back().view());
    };
    for (int layer = 0; layer < 4; ++layer) {
      const std::string prefix = Message("model.layers.", layer, '.');
      add(prefix + "mlp.up_proj.weight", {24, 64});
      add(prefix + "input_layernorm.weight", {64});
      add(prefix + "self_attn.q_proj.weight", {16, 64});
    }
    add("model.embed_tokens.weight", {128, 64});
    writer.Finish();
    plan_.Add("*", 2, Config::FromText("int4,group_size=32"));
  }

  Report Part(uint64_t index, uint64_t count, const Plan& plan,
              const ConversionOptions& options = {}) {
    return QuantizePart(context_, plan, Path("in"), Path("out"),
                        ModelPart{index, count}, options, nullptr);
  }
  Report Join(uint64_t count, const ConversionOptions& options = {}) {
    return JoinParts(context_, plan_, Path("in"), Path("out"), count, options,
                     nullptr);
  }
  std::map<std::string, std::string> Files(const std::string& folder) {
    std::map<std::string, std::string> files;
    for (const auto& file : fs::directory_iterator(Path(folder))) {
      files[file.path().filename().string()] = ReadFile(file.path().string());
    }
    return files;
  }

  Plan plan_;
};

TEST_F(PartConversionTest, AnyOrderMakesTheSameBytes) {
  const Report whole = QuantizeFile(context_, plan_, Path("in"), Path("whole"),
                                    ConversionOptions(), nullptr);
  for (const uint64_t count : {1u, 2u, 5u, 40u}) {
    SCOPED_TRACE(count);
    std::map<std::string, std::string> first;
    for (uint32_t seed = 0; seed < 3; ++seed) {
      std::vector<uint64_t> order(count);
      std::iota(order.begin(), order.end(), uint64_t{0});
      std::shuffle(order.begin(), order.end(), std::mt19937(seed));
      order.push_back(order[0]);  // a task that runs twice
      for (const uint64_t part : order) Part(part, count, plan_);
      EXPECT_FALSE(fs::exists(Path("out")));
      const Report report = Join(count);
      EXPECT_FALSE(fs::exists(Path("out.parts")));
      EXPECT_EQ(report.output, Path("out"));
      ASSERT_EQ(report.size(), whole.size());
      for (size_t i = 0; i < whole.size(); ++i) {
        EXPECT_EQ(report[i].name, whole[i].name);
        EXPECT_EQ(report[i].shape, whole[i].shape);
        EXPECT_EQ(report[i].bytes_after, whole[i].bytes_after);
        EXPECT_EQ(report[i].format, whole[i].format);
      }
      for (const ReportRow& row :
           CompareFiles(context_, Path("whole"), Path("out"), nullptr)) {
        EXPECT_EQ(row.note, row.metrics.values[0] == 0.0 ? row.note : "");
        EXPECT_EQ(row.metrics.values[static_cast<int>(Metric::kMaxError)], 0.0)
            << row.name;
      }
      const auto files = Files("out");
      EXPECT_EQ(files.count("tokenizer.json"), 1u);
      EXPECT_EQ(files.count("config.json"), 1u);
      if (count == 1) {
        EXPECT_EQ(files, Files("whole"));
      }
      if (seed == 0) first = files;
      EXPECT_EQ(files, first);
      VerifyFile(context_, ModelFile::Open(context_, Path("out")), nullptr);
      fs::remove_all(Path("out"));
    }
  }
}

TEST_F(PartConversionTest, WhatIsMissingOrOfAnotherPlanIsNamed) {
  Part(0, 3, plan_);
  Part(2, 3, plan_);
  EXPECT_TRUE(FailsWith(Status::kNotFound, "part 1 of 3 is not finished",
                        [&] { Join(3); }));
  Plan other;
  other.Add("*", 2, Config::FromText("int8"));
  Part(1, 3, other);
  EXPECT_TRUE(FailsWith(Status::kExists, "part 1 of 3", [&] { Join(3); }));
  Part(1, 3, plan_);
  // A file that was cut off is made again, or missed.
  const std::string file = Path("out.parts/files/model-00002-of-00003.bnq");
  ASSERT_TRUE(fs::exists(file));
  fs::resize_file(file, fs::file_size(file) - 1);
  EXPECT_TRUE(FailsWith(Status::kNotFound, "part 1 of 3", [&] { Join(3); }));
  Part(1, 3, plan_);
  Join(3);
  EXPECT_TRUE(FailsWith(Status::kExists, "exists and overwriting",
                        [&] { Part(0, 3, plan_); }));
  ConversionOptions overwrite(Overwrite());
  for (uint64_t part = 0; part < 3; ++part) Part(part, 3, plan_, overwrite);
  Join(3, overwrite);
  VerifyFile(context_, ModelFile::Open(context_, Path("out")), nullptr);
}

// A process that is killed when it has replaced a file leaves no record of the
// one before.
TEST_F(PartConversionTest, ARecordIsOfTheFileThatIsThere) {
  Part(0, 2, plan_);
  const std::string record = Path("out.parts/records/1-of-2");
  ASSERT_TRUE(fs::exists(record));
  Plan other;  // of files of the same sizes
  other.Add("*", 2, Config::FromText("int4,group_size=32,scale_rule=mse"));
  int calls = 0;
  QuantizePart(context_, other, Path("in"), Path("out"), ModelPart{0, 2},
               ConversionOptions(),
               [&](uint64_t, uint64_t total, const std::string&) {
                 if (total == 0) return;  // the model is opened
                 EXPECT_FALSE(fs::exists(record));
                 ++calls;
               });
  EXPECT_GT(calls, 0);
  EXPECT_TRUE(fs::exists(record));
}

TEST_F(PartConversionTest, ADryRunWritesNothing) {
  ConversionOptions options;
  options.dry_run = true;
  const Report planned = QuantizePart(context_, plan_, Path("in"), "",
                                      ModelPart{1, 2}, options, nullptr);
  EXPECT_FALSE(fs::exists(Path("out.parts")));
  const Report report = Part(1, 2, plan_);
  ASSERT_EQ(planned.size(), report.size());
  for (size_t i = 0; i < report.size(); ++i) {
    EXPECT_EQ(planned[i].bytes_after, report[i].bytes_after);
  }
}

// A process that is killed between the folder's place and the end of what was
// beside it.
TEST_F(PartConversionTest, JoiningIsGoneOnWith) {
  for (uint64_t part = 0; part < 2; ++part) Part(part, 2, plan_);
  fs::copy(Path("out.parts"), Path("kept"), fs::copy_options::recursive);
  const Report report = Join(2);
  fs::remove_all(Path("kept/files"));
  fs::rename(Path("kept"), Path("out.parts"));
  const Report again = Join(2);
  EXPECT_EQ(again.size(), report.size());
  EXPECT_FALSE(fs::exists(Path("out.parts")));
}

TEST_F(PartConversionTest, NumbersAreChecked) {
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "part = 3",
                        [&] { Part(3, 3, plan_); }));
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "parts = 0",
                        [&] { Part(0, 0, plan_); }));
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "parts = 100000",
                        [&] { Join(100000); }));
  ConversionOptions options;
  options.max_shard_bytes = 1000;
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "max_shard_bytes = 1000",
                        [&] { Part(0, 2, plan_, options); }));
  EXPECT_FALSE(fs::exists(Path("out.parts")));
}

TEST_F(PartConversionTest, SensitivitiesOfPartsMergeIntoThatOfAll) {
  const std::vector<Config> candidates = {Config::FromText("int8"),
                                          Config::FromText("int4")};
  Sensitivity whole;
  AnalyzeFile(context_, plan_, {}, Path("in"), "", nullptr, &whole);
  for (const bool pinned : {true, false}) {
    const Plan none;
    const Plan& plan = pinned ? plan_ : none;
    Sensitivity all;
    AnalyzeFile(context_, plan, candidates, Path("in"), "", nullptr, &all);
    Sensitivity merged;
    for (const uint64_t part : {2u, 0u, 3u, 1u}) {
      Sensitivity one;
      AnalyzeFile(context_, plan, candidates, Path("in"), "", nullptr, &one,
                  ModelPart{part, 4});
      merged.Merge(one);
    }
    EXPECT_EQ(merged.ToJson(), all.ToJson());
  }
}

TEST_F(PartConversionTest, VerifyingAPartFindsWhatIsWrongInIt) {
  QuantizeFile(context_, plan_, Path("in"), Path("out.bnq"),
               ConversionOptions(), nullptr);
  const auto good = ModelFile::Open(context_, Path("out.bnq"));
  for (uint64_t part = 0; part < 3; ++part) {
    VerifyFile(context_, good, nullptr, 4096, ModelPart{part, 3});
  }
  std::fstream file(Path("out.bnq"),
                    std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(70);
  file.put('\x55');
  file.close();
  const auto bad = ModelFile::Open(context_, Path("out.bnq"));
  int failures = 0;
  for (uint64_t part = 0; part < 3; ++part) {
    try {
      VerifyFile(context_, bad, nullptr, 4096, ModelPart{part, 3});
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Status::kCorruptFile);
      ++failures;
    }
  }
  EXPECT_EQ(failures, 1);
}

TEST_F(PartConversionTest, PartsAreAboutAsLarge) {
  const auto file = ModelFile::Open(context_, Path("in"));
  EXPECT_EQ(SuitingPartCount(*file), file->files().size() - 1);
  const std::vector<uint64_t> parts = PartsOf(*file, 3);
  EXPECT_TRUE(std::is_sorted(parts.begin(), parts.end()));
  std::vector<uint64_t> bytes(3);
  for (size_t i = 0; i < parts.size(); ++i) {
    bytes[parts[i]] += file->entries()[i].raw_bytes;
  }
  const uint64_t total = bytes[0] + bytes[1] + bytes[2];
  for (const uint64_t each : bytes) EXPECT_GT(each, total / 6);
}

}  // namespace
}  // namespace bnq
