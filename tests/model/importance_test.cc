#include "core/model/importance.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/calibration/calibration_set.h"
#include "core/model/convert.h"
#include "tests/model/model_test_util.h"

namespace bnq {
namespace {

class ImportanceTest : public ModelTest {
 protected:
  void Refused(const std::string& text, const std::function<void()>& f) {
    try {
      f();
      ADD_FAILURE() << "expected: " << text;
    } catch (const Error& error) {
      EXPECT_NE(error.message().find(text), std::string::npos)
          << error.message();
    }
  }
};

TEST_F(ImportanceTest, OfArraysAndOfCalibrations) {
  const std::vector<float> weights = {1.0f, 0.0f, 4.5f};
  Plan plan;
  LoadImportance(context_, Write({{"a", {{3}, weights}}}), &plan);
  ASSERT_NE(plan.ImportanceOf("a"), nullptr);
  EXPECT_EQ(*plan.ImportanceOf("a"), weights);
  EXPECT_EQ(*plan.ImportanceOf("a.weight"), weights);
  EXPECT_EQ(plan.ImportanceOf("b"), nullptr);
  EXPECT_EQ(plan.ImportanceOf("a.weight.weight"), nullptr);

  CalibrationOptions options;
  options.SetText("granularity", "channel");
  options.SetText("moments", "on");
  CalibrationSet set(options);
  const std::vector<float> x = {1.0f, -3.0f, 2.0f, 2.0f, 0.0f, -4.0f};
  const uint64_t dims[] = {3, 2};
  ArrayView batch;
  batch.data = reinterpret_cast<const uint8_t*>(x.data());
  batch.shape = Shape::Make(2, dims);
  set.Observe(context_, "fc", batch);
  set.Save(context_, Path("c.bnq"), Overwrite());
  options.SetText("moments", "off");
  CalibrationSet without(options);
  without.Observe(context_, "fc", batch);
  without.Save(context_, Path("d.bnq"), Overwrite());
  Refused("calibrator \"fc\" knows no mean of x^2",
          [&] { LoadImportance(context_, Path("d.bnq"), &plan); });
  LoadImportance(context_, Path("c.bnq"), &plan);
  ASSERT_NE(plan.ImportanceOf("fc.weight"), nullptr);
  const std::vector<float>& found = *plan.ImportanceOf("fc.weight");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_NEAR(found[0], (1.0 + 4.0 + 0.0) / 3.0, 1e-6);
  EXPECT_NEAR(found[1], (9.0 + 4.0 + 16.0) / 3.0, 1e-6);
}

TEST_F(ImportanceTest, MistakesAreNamed) {
  std::vector<float> x(4 * 32);
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
  const std::string input = Write({{"fc.weight", {{4, 32}, x}}});
  const auto quantize = [&](const std::string& name, std::vector<float> weights,
                            const char* config) {
    Plan plan;
    plan.Add("*", 2, Config::FromText(config));
    plan.SetImportance(name, std::move(weights));
    QuantizeFile(context_, plan, input, Path("out.bnq"), Overwrite(), nullptr);
  };
  const char* const mse = "format=int4,group_size=32,scale_rule=mse";
  std::vector<float> weights(32, 1.0f);
  weights[3] = 100.0f;
  quantize("fc", weights, mse);
  Refused("of no tensor", [&] { quantize("fd", weights, mse); });
  Refused("of no tensor", [&] { quantize("fc", weights, "format=int4"); });
  Refused("\"fc.weight\": importance has 31 weights, must be 32",
          [&] { quantize("fc", std::vector<float>(31, 1.0f), mse); });
  weights[5] = NAN;
  Refused("importance 5 = nan", [&] { quantize("fc", weights, mse); });
  weights[5] = -1.0f;
  Refused("importance 5 = -1", [&] { quantize("fc", weights, mse); });
  Refused("importance is 0 throughout",
          [&] { quantize("fc", std::vector<float>(32, 0.0f), mse); });
}

}  // namespace
}  // namespace bnq
