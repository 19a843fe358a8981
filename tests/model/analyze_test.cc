#include "core/model/analyze.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <random>

#include "core/model/convert.h"
#include "core/model/importance.h"
#include "core/model/plan_text.h"
#include "core/scheme/presets.h"
#include "tests/model/model_test_util.h"

namespace bnq {
namespace {

std::vector<float> Gaussian(size_t n, float deviation, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> values(0.0f, deviation);
  std::vector<float> result(n);
  for (float& x : result) x = values(random);
  return result;
}

std::vector<Config> Configs(std::initializer_list<const char*> texts) {
  std::vector<Config> configs;
  for (const char* text : texts) configs.push_back(Config::FromText(text));
  return configs;
}

class Analyze : public ModelTest {
 protected:
  Sensitivity Run(const TestModel& model, const std::vector<Config>& candidates,
                  const Plan& plan = Plan()) {
    Sensitivity sensitivity;
    AnalyzeFile(context_, plan, candidates, Write(model), "", nullptr,
                &sensitivity);
    return sensitivity;
  }

  TestModel model_ = {
      {"a.weight", {{8, 96}, Gaussian(8 * 96, 1.0f, 1)}},
      {"b.weight", {{16, 40}, Gaussian(16 * 40, 0.01f, 2)}},
      {"bias", {{16}, Gaussian(16, 1.0f, 3)}},
      {"ids", {DType::kI32, {2, 2}, std::vector<int32_t>{1, 2, 3, 4}}},
  };
};

// Errors and bytes are those of a conversion.
TEST_F(Analyze, MeasuresWhatAConversionLoses) {
  const auto candidates =
      Configs({"int8_per_channel", "int4_per_group_32", "nf4_double_quant",
               "ternary_base3", "none"});
  const Sensitivity measured = Run(model_, candidates);
  ASSERT_EQ(measured.tensors().size(), 2u);
  EXPECT_EQ(measured.elements(), 8u * 96 + 16 * 40 + 16 + 4);
  for (const Config& config : candidates) {
    Plan plan;
    plan.Add("*", 2, config);
    const Report report = QuantizeFile(context_, plan, Write(model_),
                                       Path("out.bnq"), Overwrite(), nullptr);
    uint64_t bytes = measured.fixed_bytes();
    for (const ReportRow& row : report) {
      const auto found = measured.tensors().find(row.name);
      if (found == measured.tensors().end()) continue;
      const SensitivityCell& cell = found->second.cells.at(config.ToText());
      bytes += cell.bytes;
      if (config.format() == 0) {
        EXPECT_EQ(cell.relative_error, 0.0);
        continue;
      }
      const TestArray& array = model_.at(row.name);
      double energy = 0.0;
      for (size_t i = 0; i < array.bytes.size() / 4; ++i) {
        float x;
        std::memcpy(&x, &array.bytes[4 * i], 4);
        energy += static_cast<double>(x) * x;
      }
      const double n = static_cast<double>(row.shape.elements());
      EXPECT_NEAR(
          cell.relative_error,
          row.metrics.values[static_cast<int>(Metric::kMse)] * n / energy,
          1e-12);
      EXPECT_EQ(cell.max_error,
                row.metrics.values[static_cast<int>(Metric::kMaxError)]);
      EXPECT_EQ(cell.cosine,
                row.metrics.values[static_cast<int>(Metric::kCosine)]);
    }
    // To the byte, but for an alignment at the end.
    const uint64_t size = std::filesystem::file_size(Path("out.bnq"));
    EXPECT_GE(bytes, size) << config.ToText();
    EXPECT_LT(bytes - size, 64u) << config.ToText();
  }
}

TEST_F(Analyze, FollowsThePlan) {
  Plan plan;
  AddPlanText("a.weight -> nf4\n bias -> int8\n", nullptr, &plan);
  const auto candidates = Configs({"int4", "fp8_per_tile_128"});
  const Sensitivity measured = Run(model_, candidates, plan);
  const auto texts = [&](const char* name) {
    std::string all;
    for (const auto& [text, cell] : measured.tensors().at(name).cells) {
      all += ShortText(cell.config) + ' ';
    }
    return all;
  };
  EXPECT_EQ(texts("a.weight"), "nf4 ");
  EXPECT_EQ(texts("bias"), "int8_per_group_128 ");
  EXPECT_EQ(texts("b.weight"), "fp8_per_tile_128 int4_per_group_128 ");
  EXPECT_EQ(measured.tensors().count("ids"), 0u);
}

// Weighted errors, by their definition.
TEST_F(Analyze, WeighsErrorsByImportance) {
  std::vector<float> weights(40);
  for (size_t i = 0; i < weights.size(); ++i) {
    weights[i] = static_cast<float>(i % 7);
  }
  Plan plan;
  plan.SetImportance("b", weights);
  const auto candidates = Configs({"int4,group_size=8"});
  const Sensitivity measured = Run(model_, candidates, plan);
  Plan all;
  all.Add("*", 2, candidates[0]);
  QuantizeFile(context_, all, Write(model_), Path("out.bnq"), Overwrite(),
               nullptr);
  const auto file = ModelFile::Open(context_, Path("out.bnq"));
  const auto tensor = LoadTensor(context_, file, *file->Find("b.weight"));
  std::vector<float> values(tensor->shape().elements());
  Dequantizer(context_, *tensor)
      .DecodeParallel(0, values.size(), DType::kF32,
                      reinterpret_cast<uint8_t*>(values.data()));
  double error = 0.0, energy = 0.0;
  const std::vector<float> original = Gaussian(16 * 40, 0.01f, 2);
  for (size_t i = 0; i < values.size(); ++i) {
    const double w = weights[i % 40], x = original[i], e = x - values[i];
    error += w * e * e;
    energy += w * x * x;
  }
  const SensitivityCell& cell =
      measured.tensors().at("b.weight").cells.begin()->second;
  EXPECT_NEAR(cell.relative_error, error / energy, 1e-12);
  EXPECT_NE(measured.tensors().at("b.weight").importance_crc32, 0u);
  EXPECT_EQ(measured.tensors().at("a.weight").importance_crc32, 0u);
}

// Important columns of zeros only, of which a codebook without one makes
// something: a share of nothing is none.
TEST_F(Analyze, ErrorsOfNothingAreAll) {
  std::vector<float> values = Gaussian(16 * 40, 0.01f, 2);
  for (size_t row = 0; row < 16; ++row) values[row * 40] = 0.0f;
  TestModel model = {{"b.weight", {{16, 40}, values}}};
  std::vector<float> weights(40, 0.0f);
  weights[0] = 1.0f;
  Plan plan;
  plan.SetImportance("b", weights);
  const Sensitivity measured =
      Run(model, Configs({"codebook2,group_size=20", "int8"}), plan);
  const auto& cells = measured.tensors().at("b.weight").cells;
  EXPECT_EQ(cells.at(Config::FromText("codebook2,group_size=20").ToText())
                .relative_error,
            1.0);
  EXPECT_EQ(cells.at(Config::FromText("int8").ToText()).relative_error, 0.0);
  EXPECT_EQ(Sensitivity::FromJson(measured.ToJson()).ToJson(),
            measured.ToJson());
}

TEST_F(Analyze, GoesOn) {
  const auto one = Configs({"int4"}), two = Configs({"int4", "int8"});
  const std::string input = Write(model_), save = Path("s.json");
  Sensitivity whole;
  AnalyzeFile(context_, Plan(), two, input, "", nullptr, &whole);
  // Cancelled in the second tensor: what there is is saved.
  Sensitivity first;
  const Progress stop = [](uint64_t, uint64_t, const std::string& item) {
    if (item == "b.weight") Fail(Status::kCancelled, "stopped");
  };
  EXPECT_TRUE(FailsWith(Status::kCancelled, "stopped", [&] {
    AnalyzeFile(context_, Plan(), two, input, save, stop, &first);
  }));
  Sensitivity again = Sensitivity::FromJson(ReadFile(save));
  EXPECT_EQ(again.tensors().size(), 1u);
  AnalyzeFile(context_, Plan(), two, input, save, nullptr, &again);
  EXPECT_EQ(again.ToJson(), whole.ToJson());
  EXPECT_EQ(ReadFile(save), whole.ToJson());
  // One candidate after the other, and merged from workers in either order.
  Sensitivity by_one, int8;
  AnalyzeFile(context_, Plan(), one, input, "", nullptr, &by_one);
  Sensitivity merged = by_one;
  AnalyzeFile(context_, Plan(), two, input, "", nullptr, &by_one);
  EXPECT_EQ(by_one.ToJson(), whole.ToJson());
  AnalyzeFile(context_, Plan(), Configs({"int8"}), input, "", nullptr, &int8);
  Sensitivity other = int8;
  other.Merge(merged);
  merged.Merge(int8);
  EXPECT_EQ(merged.ToJson(), whole.ToJson());
  EXPECT_EQ(other.ToJson(), whole.ToJson());
}

TEST_F(Analyze, RefusesAnotherModel) {
  const auto candidates = Configs({"int4"});
  Sensitivity measured = Run(model_, candidates);
  const auto refuses = [&](const TestModel& model, const char* why,
                           const Plan& plan = Plan()) {
    const std::string before = measured.ToJson();
    EXPECT_TRUE(FailsWith(Status::kInvalidArgument, why, [&] {
      AnalyzeFile(context_, plan, candidates, Write(model), "", nullptr,
                  &measured);
    }));
    EXPECT_EQ(measured.ToJson(), before);
  };
  TestModel other = model_;
  other.at("b.weight") = {{16, 40}, Gaussian(16 * 40, 0.01f, 9)};
  refuses(other,
          "tensor \"b.weight\": sensitivity is that of one of another "
          "content");
  other = model_;
  other.at("b.weight") = {{40, 16}, Gaussian(16 * 40, 0.01f, 2)};
  refuses(other, "another shape or type");
  other = model_;
  other.emplace("c", TestArray({3}, {1, 2, 3}));
  refuses(other, "of another model");
  Plan plan;
  plan.SetImportance("b", std::vector<float>(40, 2.0f));
  refuses(model_, "another importance", plan);
  Sensitivity changed = Run(other, candidates);
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "of another model",
                        [&] { changed.Merge(measured); }));
}

TEST_F(Analyze, JsonIsChecked) {
  Sensitivity measured = Run(model_, Configs({"int4", "ternary"}));
  measured.SetMetric("a.weight", Config::FromText("int4"), -0.5);
  measured.SetWeight("b.weight", 7.0);
  const std::string json = measured.ToJson();
  EXPECT_EQ(Sensitivity::FromJson(json).ToJson(), json);
  EXPECT_TRUE(FailsWith(
      Status::kNotFound,
      "\"a.weight\" was not analyzed with "
      "nf4",
      [&] { measured.SetMetric("a.weight", Config::FromText("nf4"), 1.0); }));
  EXPECT_TRUE(FailsWith(Status::kNotFound, "\"x\" is none that was analyzed",
                        [&] { measured.SetWeight("x", 1.0); }));
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "must be finite", [&] {
    measured.SetMetric("a.weight", Config::FromText("int4"), INFINITY);
  }));
  // Whatever becomes of the text, it is refused, or is some sensitivity.
  std::mt19937 random(5);
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string bad = json;
    if (round % 3 == 0) bad.resize(random() % bad.size());
    if (round % 3 == 1) bad[random() % bad.size()] = "\"0-[{x,9e"[random() % 9];
    if (round % 3 == 2) bad.erase(random() % bad.size(), 1 + random() % 9);
    try {
      Sensitivity::FromJson(bad).ToJson();
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 1500);
  std::string later = json;
  later.replace(later.find("\"codec_revision\": 1"), 19,
                "\"codec_revision\": 9");
  EXPECT_TRUE(FailsWith(Status::kUnsupported, "analyze again",
                        [&] { Sensitivity::FromJson(later); }));
}

}  // namespace
}  // namespace bnq
