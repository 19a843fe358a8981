#include "core/training/gradient.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/kernels/traversal.h"
#include "core/parallel/runner.h"
#include "core/scheme/layout.h"
#include "core/scheme/registry.h"
#include "core/scheme/rules.h"
#include "core/tensor/clipping.h"
#include "core/training/fake_quantize.h"
#include "tests/support/values.h"

namespace bnq {
namespace {

using bnq_test::HardValues;

ArrayView View(const std::vector<float>& values, const Shape& shape) {
  ArrayView view;
  view.data = reinterpret_cast<const uint8_t*>(values.data());
  view.shape = shape;
  return view;
}

struct Gradients {
  std::vector<float> x, scales, shifts, ends;
  float slope = 0.0f;
};

Gradients RunGradient(const Context& context, const Config& config,
                      const TrainingOptions& training, const ArrayView& x,
                      const ArrayView& dy, const ParamSet& params) {
  Gradients g;
  g.x.resize(x.shape.elements());
  g.scales.resize(params.scales.size());
  g.shifts.resize(params.scales.size());
  g.ends.resize(2 * params.scales.size());
  GradientJob job{config, training, x, dy, params};
  job.dx = reinterpret_cast<uint8_t*>(g.x.data());
  job.scales = g.scales.data();
  job.shifts = g.shifts.data();
  job.ends = g.ends.data();
  job.slope = &g.slope;
  FakeQuantizeGradient(context, job);
  return g;
}

// The formulas of bnq.h, in double, element by element.
Gradients Formulas(const Config& config, const TrainingOptions& training,
                   const std::vector<float>& x, const std::vector<float>& dy,
                   const Shape& shape, const ParamSet& params) {
  const Format& format = FormatOf(config);
  const Layout layout = MakeLayout(format, config, shape);
  const CodeRule rule = RuleOf(format, config.variant());
  const size_t n = params.scales.size();
  std::vector<double> scales(n), shifts(n), ends(2 * n);
  double slope = 0.0;
  Gradients g;
  g.x.resize(x.size());
  for (uint64_t i = 0; i < x.size(); ++i) {
    const uint64_t p =
        layout.ParamIndex(i / layout.columns, i % layout.columns);
    const Params own = params.At(p);
    const float v = (x[i] - own.offset) * InverseScale(own.scale);
    const Reach reach = ReachOf(format, rule.range, own.zero_point);
    const double lo = format.Has(kInteger)
                          ? rule.range.lo - own.zero_point
                          : -GreatestValue(format, rule.range, 0);
    const double hi = format.Has(kInteger)
                          ? rule.range.hi - own.zero_point
                          : GreatestValue(format, rule.range, 0);
    const float y = format.decode(format.encode(x[i], own, rule, 0), own, rule);
    const bool below = v<reach.lo, above = v> reach.hi;
    const double d = dy[i];
    const double u = (v - 0.5 * (lo + hi)) / (0.5 * (hi - lo));
    const double soft = std::tanh(u / training.width());
    switch (training.estimator()) {
      case Estimator::kClipped:
        g.x[i] = below || above ? 0.0f : dy[i];
        break;
      case Estimator::kStraight:
        g.x[i] = dy[i];
        break;
      case Estimator::kSoft:
        g.x[i] = static_cast<float>(d * (1.0 - soft * soft));
        break;
      case Estimator::kSlope:
        g.x[i] = below || above ? training.slope() * dy[i] : dy[i];
        break;
    }
    if (below || above) {
      scales[p] += d * (below ? lo : hi);
      shifts[p] += rule.offset ? d : -d * own.scale;
      ends[2 * p + above] += d;
      slope += d * (v - (below ? lo : hi)) * own.scale;
    } else if (own.scale != 0.0f) {
      scales[p] += d * (static_cast<double>(y) - x[i]) / own.scale;
    }
  }
  for (size_t p = 0; p < n; ++p) {
    const double elements = static_cast<double>(layout.ElementsOf(p).count());
    const double greatest = format.Has(kInteger)
                                ? rule.range.hi
                                : GreatestValue(format, rule.range, 0);
    const double factor =
        training.gradient_factor() ? 1.0 / std::sqrt(elements * greatest) : 1.0;
    g.scales.push_back(static_cast<float>(scales[p] * factor));
    g.shifts.push_back(static_cast<float>(shifts[p] * factor));
  }
  for (double end : ends) g.ends.push_back(static_cast<float>(end));
  g.slope = static_cast<float>(slope);
  return g;
}

void ExpectNear(const std::vector<float>& got, const std::vector<float>& want,
                const char* what) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], want[i], 2e-5 * (1.0 + std::fabs(want[i])))
        << what << " " << i;
  }
}

TEST(FakeQuantizeGradient, FollowsTheFormulas) {
  const char* const configs[] = {
      "int8,granularity=tensor",
      "int4,granularity=group,group_size=32",
      "int4,granularity=channel,axis=1,scheme=asymmetric",
      "int2,granularity=channel,scheme=offset",
      "int3,granularity=tile,group_size=16",
      "int8,granularity=token,rounding=half_up",
      "int4,granularity=block,group_size=64,symmetric_range=extreme",
      "ternary,granularity=channel",
      "binary,granularity=tensor",
      "nf4,granularity=block,group_size=64",
      "e4m3,granularity=channel",
      "e2m1,granularity=group,group_size=32,scale_dtype=e8m0"};
  Context threads;
  threads.runner = MakePool(3);
  const uint64_t dims[] = {6, 9, 33};
  const Shape shape = Shape::Make(3, dims);
  const std::vector<float> x = HardValues(shape.elements(), 4);
  const std::vector<float> dy = HardValues(shape.elements(), 8);
  for (const char* text : configs) {
    const Config config = Config::FromText(text);
    // Of half the range, so that some are clipped.
    std::vector<float> out(x.size());
    ParamSet params(PartSizes(config, shape)[Part::kScales].count,
                    config.scheme(), {});
    const TrainingOptions plain;
    const ArrayView array = View(x, shape);
    FakeQuantizeJob job{config, plain, array};
    job.out = reinterpret_cast<uint8_t*>(out.data());
    job.params = params.span();
    FakeQuantize(Context(), job);
    for (float& scale : params.scales) scale *= 0.5f;
    if (config.scheme() == Scheme::kOffset) {
      params.zero_point = FormatOf(config).code_range(config.variant()).lo;
    }
    for (const char* estimator :
         {"clipped", "straight_through", "soft", "slope"}) {
      for (const char* factor : {"off", "on"}) {
        SCOPED_TRACE(std::string(text) + " " + estimator + " " + factor);
        TrainingOptions training;
        training.SetText("estimator", estimator);
        training.SetText("gradient_factor", factor);
        training.SetText("width", "0.7");
        const Gradients want = Formulas(config, training, x, dy, shape, params);
        const Gradients got = RunGradient(Context(), config, training, array,
                                          View(dy, shape), params);
        ExpectNear(got.x, want.x, "x");
        ExpectNear(got.scales, want.scales, "scale");
        if (config.scheme() != Scheme::kSymmetric) {
          ExpectNear(got.shifts, want.shifts, "shift");
        }
        ExpectNear(got.ends, want.ends, "end");
        EXPECT_NEAR(got.slope, want.slope, 1e-4 * std::fabs(want.slope));
        const Gradients other = RunGradient(threads, config, training, array,
                                            View(dy, shape), params);
        EXPECT_EQ(got.x, other.x);
        EXPECT_EQ(got.scales, other.scales);
        EXPECT_EQ(got.ends, other.ends);
        EXPECT_EQ(got.slope, other.slope);
      }
    }
  }
}

// A long segment is cut for threads, and its sums are the same.
TEST(FakeQuantizeGradient, LongSegments) {
  const uint64_t dims[] = {3, 70001};
  const Shape shape = Shape::Make(2, dims);
  const std::vector<float> x = HardValues(shape.elements(), 4);
  const std::vector<float> dy = HardValues(shape.elements(), 8);
  const Config config = Config::FromText("int4,granularity=channel");
  ParamSet params(3, Scheme::kSymmetric, {});
  for (float& scale : params.scales) scale = 0.25f;
  const TrainingOptions training;
  Context threads;
  threads.runner = MakePool(4);
  const Gradients one = RunGradient(Context(), config, training, View(x, shape),
                                    View(dy, shape), params);
  const Gradients four = RunGradient(threads, config, training, View(x, shape),
                                     View(dy, shape), params);
  EXPECT_EQ(one.scales, four.scales);
  EXPECT_EQ(one.x, four.x);
  const Gradients want = Formulas(config, training, x, dy, shape, params);
  ExpectNear(one.scales, want.scales, "scale");
}

// What passes by quantization passes its gradient, and adds nothing to sums;
// with noise the rest is that of noise.
TEST(FakeQuantizeGradient, OfSoftenedValues) {
  const uint64_t dims[] = {4, 300};
  const Shape shape = Shape::Make(2, dims);
  const std::vector<float> x = HardValues(shape.elements(), 4);
  const std::vector<float> dy = HardValues(shape.elements(), 8);
  const Config config = Config::FromText("int2,granularity=channel");
  ParamSet params(4, Scheme::kSymmetric, {});
  for (float& scale : params.scales) scale = 0.5f;
  const ArrayView array = View(x, shape), gradient = View(dy, shape);
  TrainingOptions training;
  const Gradients hard =
      RunGradient(Context(), config, training, array, gradient, params);
  training.SetText("temperature", "0.25");
  const Gradients soft =
      RunGradient(Context(), config, training, array, gradient, params);
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_NEAR(soft.x[i], 0.25f * dy[i] + 0.75f * hard.x[i], 1e-6);
  }
  for (size_t p = 0; p < 4; ++p) {
    EXPECT_NEAR(soft.scales[p], 0.75f * hard.scales[p], 1e-4);
  }
  training.SetText("probability", "0");
  const Gradients none =
      RunGradient(Context(), config, training, array, gradient, params);
  EXPECT_EQ(none.x, dy);
  EXPECT_EQ(none.scales, std::vector<float>(4, 0.0f));

  TrainingOptions noisy;
  noisy.SetText("noise", "gaussian");
  std::vector<float> y(x.size());
  FakeQuantizeJob job{config, noisy, array};
  job.given = &params;
  job.out = reinterpret_cast<uint8_t*>(y.data());
  FakeQuantize(Context(), job);
  const Gradients noise =
      RunGradient(Context(), config, noisy, array, gradient, params);
  EXPECT_EQ(noise.x, hard.x);
  double sum = 0.0;
  for (size_t i = 0; i < 300; ++i) {
    if (hard.x[i] != 0.0f)
      sum += dy[i] * (y[i] - x[i]) / 0.5;
    else
      sum += dy[i] * (x[i] < 0.0f ? -1.0 : 1.0);
  }
  EXPECT_NEAR(noise.scales[0], sum, 1e-3);
}

// Outlier columns, found in x, pass their gradient and add nothing to sums.
TEST(FakeQuantizeGradient, PassesOutliers) {
  const uint64_t dims[] = {4, 300};
  const Shape shape = Shape::Make(2, dims);
  std::vector<float> x = HardValues(shape.elements(), 1);
  const std::vector<float> dy = HardValues(shape.elements(), 8);
  for (float& value : x) value = std::fmod(value, 8.0f);
  x[2 * 300 + 17] = 64.0f;
  std::vector<float> rest = x, of_rest = dy;
  for (size_t row = 0; row < 4; ++row) {
    rest[row * 300 + 17] = of_rest[row * 300 + 17] = 0.0f;
  }
  ParamSet params(4, Scheme::kSymmetric, {});
  for (float& scale : params.scales) scale = 0.25f;
  const TrainingOptions training;
  const Gradients all = RunGradient(
      Context(),
      Config::FromText("int2,granularity=token,outlier_threshold=50"), training,
      View(x, shape), View(dy, shape), params);
  const Gradients without =
      RunGradient(Context(), Config::FromText("int2,granularity=token"),
                  training, View(rest, shape), View(of_rest, shape), params);
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(all.x[i], i % 300 == 17 ? dy[i] : without.x[i]);
  }
  EXPECT_EQ(all.scales, without.scales);
  EXPECT_EQ(all.ends, without.ends);
  EXPECT_EQ(all.slope, without.slope);
}

TEST(FakeQuantizeGradient, Refuses) {
  const uint64_t dims[] = {2, 8}, others[] = {4, 4};
  const Shape shape = Shape::Make(2, dims);
  const std::vector<float> x(16, 1.0f);
  const TrainingOptions training;
  ParamSet params(2, Scheme::kSymmetric, {});
  const auto refused = [&](const char* text, const Shape& of_dy,
                           const char* said) {
    try {
      RunGradient(Context(), Config::FromText(text), training, View(x, shape),
                  View(x, of_dy), params);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(said), std::string::npos)
          << error.what();
    }
  };
  refused("int4,granularity=channel", Shape::Make(2, others), "shape of dy");
  refused("codebook4,granularity=channel", shape, "codebook");
  params.scales[1] = NAN;
  refused("int4,granularity=channel", shape, "scale 1");
}

}  // namespace
}  // namespace bnq
