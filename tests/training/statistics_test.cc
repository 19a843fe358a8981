#include "core/training/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/parallel/runner.h"
#include "core/tensor/dequantize.h"
#include "core/tensor/metrics.h"
#include "core/tensor/quantize.h"
#include "core/training/fake_quantize.h"
#include "tests/support/values.h"

namespace bnq {
namespace {

ArrayView View(const std::vector<float>& values, const Shape& shape) {
  ArrayView view;
  view.data = reinterpret_cast<const uint8_t*>(values.data());
  view.shape = shape;
  return view;
}

double ValueOf(const TrainingStatistics& statistics,
               TrainingStatistic statistic) {
  double values[kNumTrainingStatistics];
  statistics.Values(values);
  return values[static_cast<int>(statistic)];
}

void FakeStep(const Context& context, const char* text,
              const std::vector<float>& x, const Shape& shape,
              TrainingStatistics* statistics, bool in_place = false) {
  const Config config = Config::FromText(text);
  const TrainingOptions training;
  std::vector<float> own = x, out(x.size());
  const ArrayView array = View(own, shape);
  FakeQuantizeJob job{config, training, array};
  job.out = reinterpret_cast<uint8_t*>(in_place ? own.data() : out.data());
  job.statistics = statistics;
  FakeQuantize(context, job);
}

// What a tensor, its metrics and its scales say, step by step; the same in
// place, with threads, and whatever the order of steps and merges.
TEST(TrainingStatistics, AreThoseOfTensors) {
  const uint64_t dims[] = {3, 40000};
  const Shape shape = Shape::Make(2, dims);
  Context threads;
  threads.runner = MakePool(3);
  for (const char* text :
       {"int4,granularity=group,group_size=128", "ternary,granularity=channel",
        "int8,granularity=tensor,scheme=asymmetric", "nf4", "f16",
        "int2,granularity=channel,axis=1,scale_rule=mse"}) {
    SCOPED_TRACE(text);
    TrainingStatistics all, backwards, merged;
    const Config config = Config::FromText(text);
    double error = 0.0, energy = 0.0, most = 0.0;
    Bounds scales, relative;
    std::vector<std::vector<float>> steps;
    for (int step = 0; step < 3; ++step) {
      steps.push_back(bnq_test::HardValues(shape.elements(), 4 + 3 * step));
      const std::vector<float>& x = steps.back();
      FakeStep(Context(), text, x, shape, &all, step == 1);
      const auto tensor = Quantize(Context(), config, View(x, shape));
      std::vector<float> y(x.size());
      const Context context;
      Dequantizer(context, *tensor)
          .DecodeParallel(0, y.size(), DType::kF32,
                          reinterpret_cast<uint8_t*>(y.data()));
      double own_error = 0.0, own_energy = 0.0;
      for (size_t i = 0; i < x.size(); ++i) {
        const double e = static_cast<double>(x[i]) - y[i];
        own_error += e * e;
        own_energy += static_cast<double>(x[i]) * x[i];
        most = std::max(most, std::fabs(e));
      }
      error += own_error;
      energy += own_energy;
      relative.Add(own_error / own_energy);
      std::vector<float> read(tensor->scales().count);
      tensor->scales().Read(0, read.size(), read.data());
      for (float scale : read) scales.Add(scale);
    }
    for (int step = 2; step >= 0; --step) {
      FakeStep(threads, text, steps[step], shape, &backwards);
      TrainingStatistics one;
      FakeStep(Context(), text, steps[step], shape, &one);
      one.Merge(merged);
      merged = one;
    }
    EXPECT_EQ(backwards.Serialize(), all.Serialize());
    EXPECT_EQ(merged.Serialize(), all.Serialize());
    const double n = 3.0 * static_cast<double>(shape.elements());
    using S = TrainingStatistic;
    EXPECT_EQ(ValueOf(all, S::kSteps), 3.0);
    EXPECT_EQ(ValueOf(all, S::kElements), n);
    EXPECT_EQ(ValueOf(all, S::kClippedShare), ValueOf(all, S::kClipped) / n);
    EXPECT_NEAR(ValueOf(all, S::kMse), error / n, 1e-9 * error / n);
    EXPECT_NEAR(ValueOf(all, S::kRelativeMse), error / energy,
                1e-9 * error / energy);
    EXPECT_NEAR(ValueOf(all, S::kSqnrDb), 10.0 * std::log10(energy / error),
                1e-7);
    EXPECT_NEAR(ValueOf(all, S::kMaxError), most, 1e-6 * most);
    EXPECT_NEAR(ValueOf(all, S::kWorstRelativeMse), relative.max,
                1e-9 * relative.max);
    if (scales.min != scales.min) {
      EXPECT_TRUE(std::isnan(ValueOf(all, S::kScaleMin)));
    } else {
      EXPECT_EQ(ValueOf(all, S::kScaleMin), scales.min);
      EXPECT_EQ(ValueOf(all, S::kScaleMax), scales.max);
    }
  }
}

TEST(TrainingStatistics, CountWhatIsClipped) {
  const uint64_t dims[] = {1, 4};
  const Shape shape = Shape::Make(2, dims);
  const Config config = Config::FromText("int8,granularity=tensor");
  const TrainingOptions training;
  ParamSet params(1, Scheme::kSymmetric, {});
  params.scales[0] = 1.0f;
  TrainingStatistics statistics;
  for (float beyond : {200.0f, 3.0f, -300.0f}) {
    const std::vector<float> x = {1.0f, beyond, -2.0f, beyond};
    std::vector<float> out(4);
    const ArrayView array = View(x, shape);
    FakeQuantizeJob job{config, training, array};
    job.given = &params;
    job.out = reinterpret_cast<uint8_t*>(out.data());
    job.statistics = &statistics;
    FakeQuantize(Context(), job);
  }
  using S = TrainingStatistic;
  EXPECT_EQ(ValueOf(statistics, S::kClipped), 4.0);
  EXPECT_EQ(ValueOf(statistics, S::kClippedShare), 4.0 / 12.0);
  EXPECT_EQ(ValueOf(statistics, S::kWorstClippedShare), 0.5);
  EXPECT_EQ(ValueOf(statistics, S::kMaxError), 173.0);
}

TEST(TrainingStatistics, OfNothing) {
  TrainingStatistics none;
  double values[kNumTrainingStatistics];
  none.Values(values);
  for (int i = 0; i < kNumTrainingStatistics; ++i) {
    const bool count = i <= static_cast<int>(TrainingStatistic::kClipped);
    EXPECT_TRUE(count ? values[i] == 0.0 : std::isnan(values[i])) << i;
  }
  const uint64_t dims[] = {0, 4};
  FakeStep(Context(), "int8", {}, Shape::Make(2, dims), &none);
  EXPECT_EQ(ValueOf(none, TrainingStatistic::kSteps), 1.0);
  EXPECT_TRUE(std::isnan(ValueOf(none, TrainingStatistic::kMse)));
}

// A step that fails is none.
TEST(TrainingStatistics, RefuseWhatIsNotFinite) {
  const uint64_t dims[] = {2, 3};
  const Shape shape = Shape::Make(2, dims);
  TrainingStatistics statistics;
  const std::string before = statistics.Serialize();
  const std::vector<float> x = {1, 2, 3, NAN, 5, 6};
  EXPECT_THROW(FakeStep(Context(), "int8", x, shape, &statistics), Error);
  try {
    FakeStep(Context(), "f16,non_finite=keep", x, shape, &statistics);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kNonFinite);
    EXPECT_NE(std::string(error.what()).find("[1, 0]"), std::string::npos)
        << error.what();
  }
  EXPECT_EQ(statistics.Serialize(), before);
}

TEST(TrainingStatistics, AreSerialized) {
  const uint64_t dims[] = {3, 40};
  const Shape shape = Shape::Make(2, dims);
  TrainingStatistics statistics;
  for (int step = 0; step < 2; ++step) {
    const std::string bytes = statistics.Serialize();
    const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
    TrainingStatistics copy =
        TrainingStatistics::Deserialize(data, bytes.size());
    const std::vector<float> x = bnq_test::HardValues(120, 5 + step);
    FakeStep(Context(), "int4", x, shape, &statistics);
    FakeStep(Context(), "int4", x, shape, &copy);
    EXPECT_EQ(copy.Serialize(), statistics.Serialize());
  }
  TrainingStatistics twice = statistics;
  twice.Merge(twice);
  EXPECT_EQ(ValueOf(twice, TrainingStatistic::kSteps), 4.0);
  EXPECT_EQ(ValueOf(twice, TrainingStatistic::kMse),
            ValueOf(statistics, TrainingStatistic::kMse));
  const std::string bytes = statistics.Serialize();
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    const auto* data = reinterpret_cast<const uint8_t*>(damaged.data());
    EXPECT_THROW(TrainingStatistics::Deserialize(data, damaged.size()), Error);
    const auto* good = reinterpret_cast<const uint8_t*>(bytes.data());
    EXPECT_THROW(TrainingStatistics::Deserialize(good, i), Error);
  }
}

}  // namespace
}  // namespace bnq
