// Parameter optimisation through the C ABI: options, a caller's metric and its
// errors, figures, misuse.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "bnq/bnq.h"
#include "capi_test_util.h"

namespace {

using bnq_test::Expect;

class OptimizeAbi : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(bnq_optimizer_create(&optimizer_), BNQ_OK);
    ASSERT_EQ(bnq_config_from_text("int4_per_group_32", &config_), BNQ_OK);
    for (size_t i = 0; i < values_.size(); ++i) {
      values_[i] = std::sin(static_cast<float>(i * i));
    }
    array_ = {values_.data(), shape_, BNQ_DTYPE_F32, 2};
  }
  void TearDown() override {
    bnq_optimizer_destroy(optimizer_);
    bnq_config_destroy(config_);
  }
  bnq_status Run(const bnq_array* activations = nullptr,
                 float* scales = nullptr, uint64_t scale_count = 0) {
    bnq_tensor* tensor = reinterpret_cast<bnq_tensor*>(this);
    const bnq_status status = bnq_optimize(
        nullptr, optimizer_, config_, &array_, activations, nullptr, nullptr,
        &tensor, scales, scale_count, figures_, BNQ_NUM_FIGURES);
    EXPECT_EQ(tensor == nullptr, status != BNQ_OK);
    bnq_tensor_destroy(tensor);
    return status;
  }

  bnq_optimizer* optimizer_ = nullptr;
  bnq_config* config_ = nullptr;
  std::vector<float> values_ = std::vector<float>(8 * 64);
  uint64_t shape_[2] = {8, 64};
  bnq_array array_;
  double figures_[BNQ_NUM_FIGURES] = {};
};

// What the metric below does.
struct Caller {
  uint64_t calls = 0, stop_at = UINT64_MAX, count = 0;
  bool nan = false;
};

// The greatest error.
int32_t GreatestError(void* opaque, const float* original,
                      const float* dequantized, uint64_t count,
                      double* out_error) {
  Caller& caller = *static_cast<Caller*>(opaque);
  if (caller.calls++ == caller.stop_at) return 17;
  caller.count = count;
  double greatest = 0.0;
  for (uint64_t i = 0; i < count; ++i) {
    greatest =
        std::fmax(greatest, std::fabs(double{original[i]} - dequantized[i]));
  }
  *out_error = caller.nan ? std::nan("") : greatest;
  return 0;
}

TEST_F(OptimizeAbi, NamesOfOptionsAndFigures) {
  Expect(bnq_options_set_text(bnq_optimizer_settings(optimizer_), "method",
                              "magic"),
         BNQ_ERROR_INVALID_ARGUMENT, "grid, gradient, hqq, gptq, awq");
  Expect(bnq_options_set_text(bnq_optimizer_settings(optimizer_), "speed", "1"),
         BNQ_ERROR_NOT_FOUND, "min_ratio");
  EXPECT_STREQ(bnq_option_value_name(BNQ_OPTIONS_OPTIMIZER,
                                     BNQ_OPTIMIZATION_METHOD, BNQ_OPTIMIZE_HQQ),
               "hqq");
  EXPECT_EQ(bnq_figure_count(), uint32_t{BNQ_NUM_FIGURES});
  EXPECT_STREQ(bnq_figure_name(BNQ_FIGURE_MSE_AFTER), "mse_after");
  EXPECT_EQ(bnq_figure_name(BNQ_NUM_FIGURES), nullptr);
}

TEST_F(OptimizeAbi, CallersMetricIsMadeSmall) {
  for (const char* scope : {"segment", "tensor"}) {
    Caller caller;
    ASSERT_EQ(bnq_options_set_text(bnq_optimizer_settings(optimizer_), "scope",
                                   scope),
              BNQ_OK);
    ASSERT_EQ(bnq_optimizer_set_metric(optimizer_, GreatestError, &caller),
              BNQ_OK);
    ASSERT_EQ(Run(), BNQ_OK) << bnq_last_error();
    EXPECT_LE(figures_[BNQ_FIGURE_OBJECTIVE_AFTER],
              figures_[BNQ_FIGURE_OBJECTIVE_BEFORE]);
    EXPECT_GT(caller.calls, 30u);
    EXPECT_EQ(caller.count, std::string(scope) == "tensor" ? 512u : 32u);
    if (std::string(scope) == "segment") {
      // Half a step of the narrower range is less than half a step of absmax,
      // as long as it is not more than what is clipped.
      EXPECT_LT(figures_[BNQ_FIGURE_OBJECTIVE_AFTER],
                0.99 * figures_[BNQ_FIGURE_OBJECTIVE_BEFORE]);
    }
  }
}

TEST_F(OptimizeAbi, CallersMetricStopsAnywhere) {
  Caller counting;
  ASSERT_EQ(bnq_optimizer_set_metric(optimizer_, GreatestError, &counting),
            BNQ_OK);
  ASSERT_EQ(Run(), BNQ_OK);
  for (uint64_t stop = 0; stop < counting.calls; stop += 41) {
    Caller caller;
    caller.stop_at = stop;
    ASSERT_EQ(bnq_optimizer_set_metric(optimizer_, GreatestError, &caller),
              BNQ_OK);
    Expect(Run(), BNQ_ERROR_CANCELLED, "metric");
    EXPECT_EQ(caller.calls, stop + 1) << "it was called again";
  }
  Caller caller;
  caller.nan = true;
  ASSERT_EQ(bnq_optimizer_set_metric(optimizer_, GreatestError, &caller),
            BNQ_OK);
  Expect(Run(), BNQ_ERROR_INVALID_ARGUMENT, "NaN");
  // And without it.
  ASSERT_EQ(bnq_optimizer_set_metric(optimizer_, nullptr, nullptr), BNQ_OK);
  EXPECT_EQ(Run(), BNQ_OK);
  ASSERT_EQ(bnq_options_set_text(bnq_optimizer_settings(optimizer_),
                                 "objective", "custom"),
            BNQ_OK);
  Expect(Run(), BNQ_ERROR_INVALID_ARGUMENT, "no metric");
}

TEST_F(OptimizeAbi, ClonesAndTensorsStandAlone) {
  ASSERT_EQ(
      bnq_options_set_text(bnq_optimizer_settings(optimizer_), "steps", "7"),
      BNQ_OK);
  bnq_optimizer* clone = nullptr;
  ASSERT_EQ(bnq_optimizer_clone(optimizer_, &clone), BNQ_OK);
  ASSERT_EQ(
      bnq_options_set_text(bnq_optimizer_settings(optimizer_), "steps", "9"),
      BNQ_OK);
  int64_t steps = 0;
  ASSERT_EQ(bnq_options_get_int(bnq_optimizer_options(clone),
                                BNQ_OPTIMIZATION_STEPS, &steps),
            BNQ_OK);
  EXPECT_EQ(steps, 7);
  bnq_tensor* tensor = nullptr;
  ASSERT_EQ(bnq_optimize(nullptr, clone, config_, &array_, nullptr, nullptr,
                         nullptr, &tensor, nullptr, 0, figures_, 4),
            BNQ_OK);
  bnq_optimizer_destroy(clone);
  // The figures are those of the tensor that came out.
  double metrics[BNQ_NUM_METRICS];
  ASSERT_EQ(bnq_tensor_compare(nullptr, &array_, tensor, metrics, 1), BNQ_OK);
  EXPECT_EQ(metrics[BNQ_METRIC_MSE], figures_[BNQ_FIGURE_MSE_AFTER]);
  bnq_tensor_destroy(tensor);
}

TEST_F(OptimizeAbi, InputScales) {
  std::vector<float> x(16 * 64, 1.0f), scales(64, -1.0f);
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = std::cos(static_cast<float>(i * i % 977)) * (i % 64 == 5 ? 50 : 1);
  }
  const uint64_t shape[2] = {16, 64};
  const bnq_array inputs = {x.data(), shape, BNQ_DTYPE_F32, 2};
  ASSERT_EQ(
      bnq_options_set_text(bnq_optimizer_settings(optimizer_), "method", "awq"),
      BNQ_OK);
  Expect(Run(&inputs), BNQ_ERROR_INVALID_ARGUMENT,
         "input_scale_count = 0, must be 64");
  Expect(Run(&inputs, nullptr, 64), BNQ_ERROR_INVALID_ARGUMENT,
         "input_scales is NULL");
  ASSERT_EQ(Run(&inputs, scales.data(), 64), BNQ_OK) << bnq_last_error();
  EXPECT_LT(figures_[BNQ_FIGURE_OBJECTIVE_AFTER],
            figures_[BNQ_FIGURE_OBJECTIVE_BEFORE]);
  EXPECT_GT(scales[5], scales[6]);
  ASSERT_EQ(bnq_options_set_text(bnq_optimizer_settings(optimizer_), "method",
                                 "gptq"),
            BNQ_OK);
  ASSERT_EQ(Run(&inputs, scales.data(), 64), BNQ_OK);
  for (float s : scales) EXPECT_EQ(s, 1.0f);
}

TEST_F(OptimizeAbi, ProgressCancels) {
  bnq_tensor* tensor = nullptr;
  const bnq_status status = bnq_optimize(
      nullptr, optimizer_, config_, &array_, nullptr,
      [](void*, uint64_t, uint64_t, const char*) { return 1; }, nullptr,
      &tensor, nullptr, 0, nullptr, 0);
  Expect(status, BNQ_ERROR_CANCELLED, "cancelled");
  EXPECT_EQ(tensor, nullptr);
}

TEST_F(OptimizeAbi, NullArguments) {
  const bnq_status bad = BNQ_ERROR_INVALID_ARGUMENT;
  bnq_optimizer_destroy(nullptr);
  bnq_tensor* tensor = nullptr;
  bnq_optimizer* clone = nullptr;
  int64_t i = 0;
  double f = 0;
  Expect(bnq_optimizer_create(nullptr), bad, "out_optimizer is NULL");
  Expect(bnq_optimizer_clone(nullptr, &clone), bad, "optimizer is NULL");
  Expect(bnq_options_set_int(bnq_optimizer_settings(nullptr), 1, 1), bad,
         "options is NULL");
  Expect(bnq_options_set_float(bnq_optimizer_settings(nullptr), 5, 1), bad,
         "options is NULL");
  Expect(bnq_options_set_text(bnq_optimizer_settings(optimizer_), nullptr, "x"),
         bad, "option");
  Expect(bnq_options_set_text(bnq_optimizer_settings(optimizer_), "steps",
                              nullptr),
         bad, "value");
  Expect(bnq_options_get_int(bnq_optimizer_options(optimizer_), 1, nullptr),
         bad, "out_value");
  Expect(bnq_options_get_int(bnq_optimizer_options(nullptr), 1, &i), bad,
         "options is NULL");
  Expect(bnq_options_get_float(bnq_optimizer_options(nullptr), 5, &f), bad,
         "options is NULL");
  Expect(bnq_optimizer_set_metric(nullptr, nullptr, nullptr), bad, "optimizer");
  const auto run = [&](const bnq_optimizer* o, const bnq_config* c,
                       const bnq_array* a, bnq_tensor** out, uint32_t figures) {
    return bnq_optimize(nullptr, o, c, a, nullptr, nullptr, nullptr, out,
                        nullptr, 0, nullptr, figures);
  };
  Expect(run(nullptr, config_, &array_, &tensor, 0), bad, "optimizer is NULL");
  Expect(run(optimizer_, nullptr, &array_, &tensor, 0), bad, "config is NULL");
  Expect(run(optimizer_, config_, nullptr, &tensor, 0), bad, "source is NULL");
  Expect(run(optimizer_, config_, &array_, nullptr, 0), bad, "out_tensor");
  Expect(run(optimizer_, config_, &array_, &tensor, 1), bad, "figures is NULL");
  Expect(run(optimizer_, config_, &array_, &tensor, 7), bad,
         "figure_count = 7");
}

}  // namespace
