#include "core/model/estimate.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/scheme/presets.h"
#include "tests/model/model_test_util.h"

namespace bnq {
namespace {

using EstimateTest = ModelTest;

// Every preset's file, to the byte.
TEST_F(EstimateTest, IsWhatIsWritten) {
  const TestModel model = {
      {"a", {{3, 256}, std::vector<float>(3 * 256, 0.5f)}},
      {"b", {{7, 33}, std::vector<float>(7 * 33, -1.0f)}},
      {"bias", {{5}, {1, 2, 3, 4, 5}}},
      {"empty", {{0, 4}, std::vector<float>()}},
      {"ids", {DType::kI32, {2, 2}, std::vector<int32_t>{1, 2, 3, 4}}},
  };
  const std::string input = Write(model);
  for (int i = 0; i < NumPresets(); ++i) {
    SCOPED_TRACE(PresetAt(i).name);
    Plan plan;
    plan.Add("*", 1, Config::FromText(PresetAt(i).text));
    for (const uint64_t shard : {uint64_t{0}, uint64_t{300}}) {
      WriteOptions options = Overwrite();
      options.max_shard_bytes = shard;
      const std::string folder =
          Path("out" + std::to_string(i) + (shard != 0 ? "s" : ""));
      std::filesystem::create_directory(folder);
      const Report report = QuantizeFile(
          context_, plan, input, folder + "/model.bnq", options, nullptr);
      uint64_t bytes = 0;
      for (const auto& file : std::filesystem::directory_iterator(folder)) {
        bytes += file.file_size();
      }
      const Estimate estimate = EstimateFile(context_, plan, input, shard);
      EXPECT_EQ(estimate.file_bytes, bytes);
      ASSERT_EQ(estimate.rows.size(), report.size());
      for (size_t r = 0; r < report.size(); ++r) {
        EXPECT_EQ(estimate.rows[r].name, report[r].name);
        EXPECT_EQ(estimate.rows[r].bytes_after, report[r].bytes_after);
        EXPECT_EQ(estimate.rows[r].format, report[r].format);
      }
    }
  }
}

TEST_F(EstimateTest, SaysWhatCannotBe) {
  const std::string input = Write({{"a", {{3, 4}, std::vector<float>(12)}}});
  Plan plan;
  plan.Add("*", 1, Config::FromText("binary,scheme=asymmetric"));
  EXPECT_TRUE(FailsWith(Status::kUnsupported, "tensor \"a\"",
                        [&] { EstimateFile(context_, plan, input, 0); }));
  Plan outliers;
  outliers.Add("*", 1, Config::FromText("int8_outliers"));
  const Estimate estimate = EstimateFile(context_, outliers, input, 0);
  EXPECT_NE(estimate.rows[0].note.find("outlier columns"), std::string::npos);
}

}  // namespace
}  // namespace bnq
