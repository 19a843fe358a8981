// The calibrator as a whole: methods on real values, batches, merging,
// outliers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "core/base/portable_math.h"
#include "core/calibration/calibrator.h"
#include "core/parallel/runner.h"
#include "tests/io/io_test_util.h"
#include "tests/support/values.h"

namespace bnq {
namespace {

using Values = std::vector<float>;
using S = CalibrationStatistic;
const char* const kMethodNames[] = {
    "minmax", "moving_average", "percentile", "kl", "mse", "adaptive"};

void Observe(Calibrator* calibrator, const Values& values,
             std::vector<uint64_t> dims = {}) {
  if (dims.empty()) dims = {values.size()};
  calibrator->Observe(
      Context(),
      {reinterpret_cast<const uint8_t*>(values.data()), DType::kF32,
       Shape::Make(static_cast<int32_t>(dims.size()), dims.data())},
      nullptr);
}

Calibrator Make(std::vector<std::pair<const char*, const char*>> options) {
  Calibrator calibrator;
  for (const auto& o : options) calibrator.SetText(o.first, o.second);
  return calibrator;
}

Range RangeOf(const Calibrator& calibrator) {
  return calibrator.Ranges(Context()).at(0);
}

Values Gaussian(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Values values(count);
  for (float& v : values) v = normal(random);
  return values;
}

// The mean squared error of quantizing to `steps` + 1 levels in this range.
double Error(const Values& values, const Range& range, double steps) {
  const double scale = (double{range.hi} - double{range.lo}) / steps;
  double error = 0;
  for (const float x : values) {
    const double code = std::min(
        steps, std::max(0.0, std::nearbyint((x - double{range.lo}) / scale)));
    const double e = x - (code * scale + double{range.lo});
    error += e * e;
  }
  return error / static_cast<double>(values.size());
}

TEST(Calibrator, NothingBeforeData) {
  for (const char* method : kMethodNames) {
    Calibrator c = Make({{"method", method}, {"histogram", "on"}});
    const std::string text = "not observed any data";
    EXPECT_TRUE(FailsWith(Status::kNoData, text, [&] { c.Ranges(Context()); }));
    EXPECT_TRUE(FailsWith(Status::kNoData, text, [&] { c.Statistics(0); }));
    EXPECT_TRUE(FailsWith(Status::kNoData, text,
                          [&] { c.Statistics(Calibrator::kAllChannels); }));
    EXPECT_TRUE(FailsWith(Status::kNoData, text, [&] { c.Histogram(0); }));
    Observe(&c, {});
    EXPECT_EQ(c.channels(), 0u);
    EXPECT_EQ(c.batches(), 0u);
    Observe(&c, {1});
    c.Ranges(Context());
    c.Reset();
    EXPECT_TRUE(FailsWith(Status::kNoData, text, [&] { c.Ranges(Context()); }));
  }
}

TEST(Calibrator, MinMax) {
  Calibrator c = Make({{"scheme", "asymmetric"}});
  Observe(&c, {1, 2, 3});
  Observe(&c, {-0.5f, 7});
  EXPECT_EQ(RangeOf(c).lo, -0.5f);
  EXPECT_EQ(RangeOf(c).hi, 7.0f);
  Calibrator s = Make({});
  Observe(&s, {1, -8, 3});
  EXPECT_EQ(RangeOf(s).lo, -8.0f);
  EXPECT_EQ(RangeOf(s).hi, 8.0f);
}

TEST(Calibrator, MovingAverageOfBatches) {
  Calibrator c = Make({{"method", "moving_average"},
                       {"scheme", "asymmetric"},
                       {"averaging", "0.25"}});
  Observe(&c, {-1, 2});
  Observe(&c, {});
  Observe(&c, {-3, 4});
  EXPECT_EQ(RangeOf(c).lo, -1.5f);
  EXPECT_EQ(RangeOf(c).hi, 2.5f);
}

TEST(Calibrator, ConstantsHaveARange) {
  for (const char* method : kMethodNames) {
    for (const float x : {0.0f, 5.0f, -1e-40f, 3e38f, 1000.001f}) {
      for (const char* scheme : {"symmetric", "asymmetric"}) {
        Calibrator c = Make({{"method", method}, {"scheme", scheme}});
        Observe(&c, Values(1000, x));
        const Range range = RangeOf(c);
        if (scheme[0] == 's') {
          EXPECT_EQ(range.lo, -range.hi);
          EXPECT_LE(range.hi, std::fabs(x));
          EXPECT_GE(range.hi, std::fabs(x) * 0.9999f) << method << " " << x;
        } else {
          EXPECT_EQ(range.lo, x) << method;
          EXPECT_EQ(range.hi, x) << method;
        }
      }
    }
  }
}

TEST(Calibrator, PercentileOfUniformValues) {
  Values values(100000);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(i) / 1000 - 50;  // -50 .. 50
  }
  Calibrator c = Make({{"method", "percentile"}, {"percentile", "90"}});
  Observe(&c, values);
  EXPECT_NEAR(RangeOf(c).hi, 45.0f, 0.07f);
  Calibrator a = Make({{"method", "percentile"},
                       {"percentile", "90"},
                       {"scheme", "asymmetric"}});
  for (float& v : values) v += 50;
  Observe(&a, values);
  EXPECT_NEAR(RangeOf(a).lo, 5.0f, 0.07f);
  EXPECT_NEAR(RangeOf(a).hi, 95.0f, 0.07f);
  Calibrator all = Make({{"method", "percentile"},
                         {"percentile", "100"},
                         {"scheme", "asymmetric"}});
  Observe(&all, values);
  EXPECT_EQ(RangeOf(all).lo, values.front());
  EXPECT_EQ(RangeOf(all).hi, values.back());
}

TEST(Calibrator, PercentileOnARangeThatGrows) {
  Values values = Gaussian(200000, 1);
  Calibrator whole = Make({{"method", "percentile"}, {"percentile", "99"}});
  Observe(&whole, values);
  // From the smallest to the greatest, so that every batch widens the range.
  std::sort(values.begin(), values.end(),
            [](float a, float b) { return std::fabs(a) < std::fabs(b); });
  Calibrator parts = Make({{"method", "percentile"}, {"percentile", "99"}});
  for (size_t i = 0; i < values.size(); i += 1000) {
    Observe(&parts, Values(values.begin() + static_cast<ptrdiff_t>(i),
                           values.begin() + static_cast<ptrdiff_t>(i + 1000)));
  }
  EXPECT_EQ(RangeOf(whole).hi, RangeOf(parts).hi);
  EXPECT_NEAR(RangeOf(whole).hi, 2.5758f, 0.02f);
}

// The share asked for lies inside, the range is at most 1 / 64 wider than it
// need be, and outliers, however far out, change nothing.
TEST(Calibrator, PercentileHoldsItsShareWhateverTheOutliers) {
  const size_t n = 100000;
  Values bulk = Gaussian(n, 11);
  for (float& v : bulk) v *= 0.001f;
  const std::vector<Values> outliers = {{},
                                        {1000},
                                        {-1000},
                                        {1e27f},
                                        {3.4e38f},
                                        {-1e3f, 1e6f, -1e30f, 2e-30f},
                                        {1e-45f, 5, 5, 5, 5, 5}};
  for (const Values& out : outliers) {
    for (const char* p : {"50", "99", "99.9", "99.99"}) {
      for (const bool symmetric : {true, false}) {
        for (const bool merged : {false, true}) {
          const std::vector<std::pair<const char*, const char*>> options = {
              {"method", "percentile"},
              {"percentile", p},
              {"scheme", symmetric ? "symmetric" : "asymmetric"}};
          Values values = bulk;
          Calibrator c = Make(options);
          Observe(&c, merged ? out : bulk);
          if (merged) {
            Calibrator rest = Make(options);
            Observe(&rest, bulk);
            c.Merge(Context(), rest);
          } else {
            Observe(&c, out);
          }
          values.insert(values.end(), out.begin(), out.end());
          const Range range = RangeOf(c);
          const uint64_t inside = static_cast<uint64_t>(std::count_if(
              values.begin(), values.end(),
              [&](float x) { return x >= range.lo && x <= range.hi; }));
          const uint64_t share = PercentOf(std::atof(p), values.size());
          EXPECT_GE(inside, share) << p << " " << out.size();
          std::vector<double> ends;  // lo, hi
          if (symmetric) {
            for (float& v : values) v = std::fabs(v);
            std::sort(values.begin(), values.end());
            ends = {-values[share - 1], values[share - 1]};
          } else {
            std::sort(values.begin(), values.end());
            const size_t cut = (values.size() - share) / 2;
            ends = {values[cut], values[values.size() - 1 - cut]};
          }
          for (int i = 0; i < 2; ++i) {
            const double end = i == 0 ? -range.lo : range.hi;
            const double exact = i == 0 ? -ends[0] : ends[1];
            EXPECT_GE(end, exact);
            EXPECT_LE(end - exact, std::fabs(exact) * 0.0159)
                << p << " " << out.size() << " " << symmetric;
          }
        }
      }
    }
  }
}

TEST(Calibrator, PercentileOfChannelsWithOutliers) {
  const Values bulk = Gaussian(2000 * 3, 12);
  for (const char* axis : {"0", "1"}) {
    Calibrator c = Make({{"method", "percentile"},
                         {"percentile", "99"},
                         {"granularity", "channel"},
                         {"axis", axis}});
    const bool rows = axis[0] == '0';
    const auto at = [&](size_t channel, size_t k) {
      return rows ? channel * 2000 + k : k * 3 + channel;
    };
    Values values = bulk;
    values[at(0, 7)] = 1e9f;
    values[at(1, 3)] = -1e30f;
    Observe(
        &c, values,
        rows ? std::vector<uint64_t>{3, 2000} : std::vector<uint64_t>{2000, 3});
    for (size_t channel = 0; channel < 3; ++channel) {
      Values own;
      for (size_t k = 0; k < 2000; ++k) {
        own.push_back(std::fabs(values[at(channel, k)]));
      }
      std::sort(own.begin(), own.end());
      const float hi = c.Ranges(Context())[channel].hi;
      EXPECT_GE(hi, own[1979]);
      EXPECT_LE(hi, own[1979] * 1.0159f);
    }
  }
}

// Kept by a search that needs no fine bins: never too narrow all the same.
TEST(Calibrator, PercentileOfAHistogramThatWasKeptForAnother) {
  Values values = Gaussian(10000, 13);
  values[5] = 1e6f;
  Calibrator c = Make({{"method", "mse"}});
  Observe(&c, values);
  c.SetText("method", "percentile");
  c.SetText("percentile", "99");
  EXPECT_GE(RangeOf(c).hi, 2.5f);
  EXPECT_LE(RangeOf(c).hi, 1000.0f);
  // Of both kinds there are no fine bins together, in either order.
  Calibrator fine = Make(
      {{"method", "percentile"}, {"percentile", "99"}, {"histogram", "on"}});
  Observe(&fine, values);
  EXPECT_LE(RangeOf(fine).hi, 2.7f);
  const std::unique_ptr<Calibrator> copy = fine.Clone(Context());
  copy->Merge(Context(), c);
  c.Merge(Context(), fine);
  EXPECT_EQ(copy->Serialize(), c.Serialize());
  EXPECT_EQ(c.Statistics(0).at(S::kCount), 20000);
}

// By the error itself, of the values that were seen.
TEST(Calibrator, MseIsNoWorseThanMinMax) {
  std::mt19937 random(14);
  for (int round = 0; round < 40; ++round) {
    Values values = Gaussian(20000, 100 + static_cast<uint32_t>(round));
    const uint32_t sparse = 1 + round % 4 * 300;
    for (float& v : values) {
      if (random() % sparse != 0) v = 0;
      if (random() % 5000 == 0) v *= 10;
      if (round % 5 == 0) v = std::fabs(v);
      if (round % 7 == 0) v = v > 1 ? 1.0f : v < -1 ? -1.0f : 0.0f;
    }
    for (const char* bits : {"2", "4", "8"}) {
      Calibrator mse = Make({{"method", "mse"}, {"bits", bits}});
      Calibrator minmax = Make({{"bits", bits}});
      Observe(&mse, values);
      Observe(&minmax, values);
      const double steps = std::ldexp(1.0, std::atoi(bits)) - 2;
      EXPECT_LE(Error(values, RangeOf(mse), steps),
                Error(values, RangeOf(minmax), steps) * 1.001)
          << round << " " << bits;
    }
  }
}

// Where narrowing helps only after many steps, PyTorch's search stops early.
TEST(Calibrator, MseFindsWhatLiesFarInside) {
  Values values = Gaussian(100000, 15);
  for (size_t i = 0; i < 10; ++i) values[i * 9973] = i % 2 ? 20.0f : -20.0f;
  const auto error = [&](const char* method, const char* variant) {
    Calibrator c =
        Make({{"method", method}, {"bits", "4"}, {"mse_variant", variant}});
    Observe(&c, values);
    return Error(values, RangeOf(c), 14);
  };
  EXPECT_LT(error("mse", "exhaustive"), 0.1 * error("minmax", "exhaustive"));
  EXPECT_GT(error("mse", "pytorch"), 0.9 * error("minmax", "exhaustive"));
}

TEST(Calibrator, SearchesBeatMinMaxWhereThereAreOutliers) {
  Values values = Gaussian(100000, 2);
  values[17] = 60;
  values[4711] = -45;
  Calibrator minmax = Make({{"scheme", "asymmetric"}});
  Observe(&minmax, values);
  for (const char* variant : {"tensorrt", "onnxruntime"}) {
    Calibrator kl = Make(
        {{"method", "kl"}, {"kl_variant", variant}, {"scheme", "asymmetric"}});
    Observe(&kl, values);
    const Range range = RangeOf(kl);
    EXPECT_LT(range.hi, 20) << variant;
    EXPECT_GT(range.hi, 2) << variant;
    EXPECT_LT(range.lo, -2) << variant;
  }
  // At four bits the outliers cost every other value more than they are worth.
  for (const char* mse_variant : {"exhaustive", "pytorch"}) {
    Calibrator mse = Make({{"method", "mse"},
                           {"bits", "4"},
                           {"mse_variant", mse_variant},
                           {"scheme", "asymmetric"}});
    Observe(&mse, values);
    EXPECT_LT(Error(values, RangeOf(mse), 15),
              0.5 * Error(values, RangeOf(minmax), 15));
  }
}

TEST(Calibrator, MethodsOfOrderSayTheyCannotBeMerged) {
  for (const char* method : {"moving_average", "adaptive"}) {
    Calibrator a = Make({{"method", method}}), b = Make({{"method", method}});
    Observe(&a, {1});
    Observe(&b, {2});
    EXPECT_TRUE(FailsWith(Status::kUnsupported, "order of batches",
                          [&] { a.Merge(Context(), b); }));
  }
}

TEST(Calibrator, MergingIsObservingInOnePlace) {
  for (const char* method : {"minmax", "percentile", "kl", "mse"}) {
    for (const char* granularity : {"tensor", "channel"}) {
      const std::vector<std::pair<const char*, const char*>> options = {
          {"method", method},     {"granularity", granularity},
          {"axis", "1"},          {"moments", "on"},
          {"non_finite", "skip"}, {"outliers", "percentile"},
          {"bins", "256"}};
      Calibrator one = Make(options), a = Make(options), b = Make(options),
                 c = Make(options);
      Calibrator* const places[] = {&a, &b, &c};
      for (uint32_t batch = 0; batch < 9; ++batch) {
        Values values = bnq_test::HardValues(40 * 6, batch);
        for (float& v : values) v *= std::ldexp(1.0f, 5 * (batch % 4));
        if (batch == 4) values[9] = std::numeric_limits<float>::quiet_NaN();
        Observe(&one, values, {40, 6});
        Observe(places[batch % 3], values, {40, 6});
      }
      Calibrator backwards = Make(options);
      backwards.Merge(Context(), c);
      backwards.Merge(Context(), Make(options));
      backwards.Merge(Context(), b);
      backwards.Merge(Context(), a);
      a.Merge(Context(), b);
      a.Merge(Context(), c);
      EXPECT_EQ(a.Serialize(), one.Serialize()) << method << granularity;
      EXPECT_EQ(backwards.Serialize(), one.Serialize());
      // With itself: everything twice.
      Calibrator& twice = one;
      const double count =
          one.Statistics(Calibrator::kAllChannels).at(S::kCount);
      const Range before = RangeOf(one);
      twice.Merge(Context(), twice);
      EXPECT_EQ(twice.Statistics(Calibrator::kAllChannels).at(S::kCount),
                2 * count);
      EXPECT_EQ(RangeOf(twice).hi, before.hi);
    }
  }
}

TEST(Calibrator, MergingTheDifferentIsRefused) {
  Calibrator a = Make({{"method", "kl"}}), b = Make({{"method", "mse"}});
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "method",
                        [&] { a.Merge(Context(), b); }));
  Calibrator c = Make({{"granularity", "channel"}}),
             d = Make({{"granularity", "channel"}}),
             e = Make({{"granularity", "channel"}, {"axis", "0"}});
  Observe(&c, {1, 2}, {1, 2});
  Observe(&d, {1, 2, 3}, {1, 3});
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "axis",
                        [&] { c.Merge(Context(), e); }));
  // Of tensors, such as were saved when 0 was the default, the axis says
  // nothing.
  Calibrator f = Make({{"axis", "0"}}), g;
  Observe(&f, {1, 2});
  g.Merge(Context(), f);
  EXPECT_EQ(g.Ranges(Context())[0].hi, 2.0f);
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "3 channels",
                        [&] { c.Merge(Context(), d); }));
}

TEST(Calibrator, ChannelsAreThoseOfTheFirstBatch) {
  // By default features, as of [samples, features].
  Calibrator c = Make({{"granularity", "channel"}});
  Observe(&c, {1, 2, 3, 4, 5, 6}, {2, 3});
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "must have 3", [&] {
    Observe(&c, {1, 2, 3, 4, 5, 6}, {3, 2});
  }));
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "axis = -1", [&] {
    c.Observe(Context(),
              {reinterpret_cast<const uint8_t*>(kMethodNames), DType::kF32,
               Shape::Make(0, nullptr)},
              nullptr);
  }));
  const uint64_t one[] = {1};
  EXPECT_TRUE(FailsWith(Status::kUnsupported, "I8", [&] {
    c.Observe(Context(),
              {reinterpret_cast<const uint8_t*>(kMethodNames), DType::kI8,
               Shape::Make(1, one)},
              nullptr);
  }));
  EXPECT_EQ(c.batches(), 1u);
  EXPECT_EQ(c.Ranges(Context())[2].hi, 6.0f);
}

TEST(Calibrator, OptionsAreSettledByData) {
  Calibrator c;
  Observe(&c, {1});
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "reset first",
                        [&] { c.SetText("bins", "64"); }));
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "histogram",
                        [&] { c.SetText("method", "kl"); }));
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "order of batches",
                        [&] { c.SetText("method", "adaptive"); }));
  EXPECT_EQ(c.options().method(), CalibrationMethod::kMinMax);
  c.Reset();
  c.SetText("method", "kl");
}

TEST(Calibrator, NonFiniteValuesAreRefusedOrSkipped) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  for (const char* method : kMethodNames) {
    Calibrator c = Make({{"method", method}});
    Observe(&c, {1, 2});
    const std::string before = c.Serialize();
    EXPECT_TRUE(FailsWith(Status::kNonFinite, "index [1, 0]", [&] {
      Observe(&c, {3, 4, nan, 5}, {2, 2});
    }));
    EXPECT_EQ(c.Serialize(), before);

    Calibrator s = Make({{"method", method},
                         {"non_finite", "skip"},
                         {"scheme", "asymmetric"},
                         {"granularity", "channel"},
                         {"axis", "0"}});
    Observe(&s, {1, nan, 3, inf, -inf, nan}, {2, 3});
    EXPECT_TRUE(
        FailsWith(Status::kNoData, "channel 1", [&] { s.Ranges(Context()); }));
    Observe(&s, {1, 3, 3, 7, 7, inf}, {2, 3});
    EXPECT_EQ(s.Statistics(0).at(S::kNonFinite), 1);
    EXPECT_EQ(s.Statistics(1).at(S::kNonFinite), 4);
    EXPECT_EQ(s.Statistics(1).at(S::kCount), 2);
    EXPECT_EQ(s.Statistics(Calibrator::kAllChannels).at(S::kNonFinite), 5);
    EXPECT_EQ(s.Ranges(Context())[1].lo, 7.0f);
  }
}

TEST(Calibrator, OutliersAreClippedAndCounted) {
  Values values = Gaussian(100000, 4);
  for (size_t i = 0; i < 50; ++i) values[i * 991] = i % 2 ? 100.0f : -80.0f;
  for (const char* method : kMethodNames) {
    Calibrator p = Make({{"method", method},
                         {"outliers", "percentile"},
                         {"outlier_percentile", "99.9"},
                         {"scheme", "asymmetric"}});
    Observe(&p, values);
    // 50 on each side may go: the 25 there are, and some of the Gaussian's.
    const double clipped = p.Statistics(0).at(S::kOutliers);
    EXPECT_GE(clipped, 50) << method;
    EXPECT_LE(clipped, 100) << method;
    EXPECT_LT(RangeOf(p).hi, 10) << method;
    EXPECT_GT(RangeOf(p).lo, -10) << method;

    Calibrator d = Make({{"method", method},
                         {"outliers", "deviations"},
                         {"outlier_deviations", "6"}});
    Observe(&d, values);
    const CalibrationStatistics s = d.Statistics(0);
    EXPECT_EQ(s.at(S::kOutliers), 50) << method;
    EXPECT_LE(RangeOf(d).hi,
              s.at(S::kMean) + 6 * std::sqrt(s.at(S::kVariance)) + 0.1)
        << method;
  }
  Calibrator none = Make({{"outliers", "percentile"}});
  Observe(&none, Values(1000, 2.5f));
  EXPECT_EQ(none.Statistics(0).at(S::kOutliers), 0);
  EXPECT_EQ(RangeOf(none).hi, 2.5f);
}

TEST(Calibrator, Statistics) {
  const Values values = Gaussian(50000, 9);
  Calibrator c = Make({{"moments", "on"}});
  Observe(&c, Values(values.begin(), values.begin() + 20000));
  Observe(&c, Values(values.begin() + 20000, values.end()));
  long double mean = 0, abs = 0, m2 = 0, m3 = 0, m4 = 0;
  for (const float x : values) mean += x;
  mean /= 50000;
  for (const float x : values) {
    const long double d = x - mean;
    abs += std::fabs(x);
    m2 += d * d;
    m3 += d * d * d;
    m4 += d * d * d * d;
  }
  m2 /= 50000;
  m3 /= 50000;
  m4 /= 50000;
  const CalibrationStatistics s = c.Statistics(0);
  const auto close = [&](S which, long double expected) {
    EXPECT_NEAR(s.at(which), static_cast<double>(expected), 1e-13)
        << CalibrationStatisticName(static_cast<int>(which));
  };
  close(S::kMean, mean);
  close(S::kAbsMean, abs / 50000);
  close(S::kVariance, m2);
  close(S::kSkewness, m3 / (m2 * std::sqrt(m2)));
  close(S::kKurtosis, m4 / (m2 * m2));

  Calibrator plain;
  Observe(&plain, {0, -0.0f, 3, -4});
  const CalibrationStatistics p = plain.Statistics(0);
  EXPECT_EQ(p.at(S::kAbsMax), 4);
  EXPECT_EQ(p.at(S::kZeroShare), 0.5);
  EXPECT_TRUE(std::isnan(p.at(S::kMean)));
  EXPECT_TRUE(FailsWith(Status::kUnsupported, "histogram to on",
                        [&] { plain.Histogram(0); }));
  Calibrator constant = Make({{"moments", "on"}});
  Observe(&constant, Values(777, 0.1f));
  EXPECT_EQ(constant.Statistics(0).at(S::kVariance), 0);
  EXPECT_TRUE(std::isnan(constant.Statistics(0).at(S::kKurtosis)));
}

// Fails in its second parallel loop, after some of the tasks were done.
class FailingRunner : public Runner {
 public:
  uint32_t workers() const override { return 2; }
  void Run(uint64_t count, const std::function<void(uint64_t)>& task) override {
    for (uint64_t i = 0; i < count / 2; ++i) task(i);
    if (++runs_ == 2) Fail(Status::kInternal, "the runner broke");
    for (uint64_t i = count / 2; i < count; ++i) task(i);
  }

 private:
  int runs_ = 0;
};

TEST(Calibrator, AnInterruptedOneMustBeReset) {
  Context context;
  context.runner = std::make_shared<FailingRunner>();
  Calibrator c = Make({{"histogram", "on"}});
  const Values values = Gaussian(1000000, 1);
  const uint64_t dims[] = {values.size()};
  const ArrayView array = {reinterpret_cast<const uint8_t*>(values.data()),
                           DType::kF32, Shape::Make(1, dims)};
  EXPECT_TRUE(FailsWith(Status::kInternal, "broke",
                        [&] { c.Observe(context, array, nullptr); }));
  const std::string text = "reset it and observe again";
  EXPECT_TRUE(FailsWith(Status::kInternal, text, [&] { Observe(&c, {1}); }));
  EXPECT_TRUE(FailsWith(Status::kInternal, text, [&] { c.Statistics(0); }));
  EXPECT_TRUE(FailsWith(Status::kInternal, text, [&] { c.Serialize(); }));
  EXPECT_TRUE(FailsWith(Status::kInternal, text, [&] { c.Clone(Context()); }));
  EXPECT_TRUE(FailsWith(Status::kInternal, text,
                        [&] { Calibrator().Merge(Context(), c); }));
  c.Reset();
  Observe(&c, {1});
  EXPECT_EQ(RangeOf(c).hi, 1.0f);
}

}  // namespace
}  // namespace bnq
