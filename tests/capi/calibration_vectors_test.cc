// The shared vectors of calibration through the C ABI, on every SIMD target, in
// one piece and merged from pieces.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "tests/capi/vectors_test_util.h"

namespace bnq_test {
namespace {

class CalibrationVectors : public VectorsTest {
 protected:
  bnq_calibrator* Make(const json& options) {
    bnq_calibrator* calibrator = nullptr;
    EXPECT_EQ(bnq_calibrator_create(&calibrator), BNQ_OK);
    EXPECT_EQ(Configure(options, bnq_calibrator_settings(calibrator)), BNQ_OK)
        << bnq_last_error();
    return calibrator;
  }

  void CheckStatistics(const bnq_calibrator* calibrator, uint64_t channel,
                       const json& expected) {
    static const std::set<std::string> kMoments = {
        "mean", "variance", "absmean", "skewness", "kurtosis"};
    const uint32_t count = bnq_statistic_count();
    ASSERT_EQ(expected.size(), count);
    std::vector<double> statistics(count);
    ASSERT_EQ(bnq_calibrator_statistics(nullptr, calibrator, channel,
                                        statistics.data(), count),
              BNQ_OK)
        << bnq_last_error();
    for (uint32_t i = 0; i < count; ++i) {
      const std::string name = bnq_statistic_name(i);
      const double value = Number(expected.at(name));
      if (std::isnan(value)) {
        EXPECT_TRUE(std::isnan(statistics[i])) << name << statistics[i];
      } else if (kMoments.count(name)) {
        EXPECT_NEAR(statistics[i], value,
                    1e-12 * std::max(1.0, std::fabs(value)))
            << name;
      } else {
        EXPECT_EQ(statistics[i], value) << name;
      }
    }
  }

  void CheckHistogram(const bnq_calibrator* calibrator, uint64_t channel,
                      const json& histograms) {
    uint64_t bins = 0;
    double first = 0, width = 0;
    const bnq_status status = bnq_calibrator_histogram(
        calibrator, channel, nullptr, 0, &bins, &first, &width);
    if (histograms.empty()) {
      EXPECT_EQ(status, BNQ_ERROR_UNSUPPORTED);
      return;
    }
    ASSERT_EQ(status, BNQ_OK) << bnq_last_error();
    const json& expected = histograms.at(channel);
    std::vector<uint64_t> counts(bins);
    ASSERT_EQ(bnq_calibrator_histogram(calibrator, channel, counts.data(), bins,
                                       &bins, nullptr, nullptr),
              BNQ_OK);
    EXPECT_EQ(counts, expected.at("counts").get<std::vector<uint64_t>>());
    EXPECT_EQ(first, expected.at("first").get<double>());
    EXPECT_EQ(width, expected.at("width").get<double>());
  }

  void CheckParams(const bnq_calibrator* calibrator, uint64_t channels,
                   const json& expected) {
    bnq_config* config = nullptr;
    ASSERT_EQ(bnq_config_create(&config), BNQ_OK);
    ASSERT_EQ(Configure(expected.at("config"), bnq_config_settings(config)),
              BNQ_OK)
        << bnq_last_error();
    const json& zeros = expected.at("zero_points");
    std::vector<float> scales(channels);
    std::vector<int8_t> zero_points(channels);
    ASSERT_EQ(
        bnq_calibrator_params(context_, calibrator, config, scales.data(),
                              zeros.empty() ? nullptr : zero_points.data(),
                              nullptr, channels),
        BNQ_OK)
        << bnq_last_error();
    EXPECT_EQ(BitsOf(scales), Bits(expected.at("scales")))
        << "with " << expected.at("config");
    if (!zeros.empty()) {
      EXPECT_EQ(zero_points, zeros.get<std::vector<int8_t>>())
          << "with " << expected.at("config");
    }
    bnq_config_destroy(config);
  }

  void CheckAll(const json& c, const bnq_calibrator* calibrator) {
    const uint64_t channels = c.at("lo").size();
    ASSERT_EQ(bnq_calibrator_channels(calibrator), channels);
    std::vector<float> lo(channels), hi(channels);
    ASSERT_EQ(bnq_calibrator_range(context_, calibrator, lo.data(), hi.data(),
                                   channels),
              BNQ_OK)
        << bnq_last_error();
    for (uint64_t i = 0; i < channels; ++i) {
      SCOPED_TRACE("channel " + std::to_string(i));
      EXPECT_EQ(lo[i], c.at("lo")[i].get<double>());
      EXPECT_EQ(hi[i], c.at("hi")[i].get<double>());
      CheckStatistics(calibrator, i, c.at("statistics").at(i));
      CheckHistogram(calibrator, i, c.at("histograms"));
    }
    CheckStatistics(calibrator, BNQ_ALL_CHANNELS, c.at("all_channels"));
    for (const json& params : c.at("params")) {
      CheckParams(calibrator, channels, params);
    }
  }
};

TEST_F(CalibrationVectors, BatchByBatch) {
  OnEveryTarget(Cases("calibration.json"), [&](const json& c) {
    bnq_calibrator* calibrator = Make(c.at("options"));
    for (const json& batch : c.at("batches")) {
      Observe(context_, calibrator, batch);
    }
    CheckAll(c, calibrator);
    bnq_calibrator_destroy(calibrator);
  });
}

// A calibrator for each batch, the last one first: where the order of batches
// does not matter the result is the same.
TEST_F(CalibrationVectors, Merged) {
  int merged = 0;
  for (const json& c : Cases("calibration.json")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const std::string method = c.at("options").value("method", "minmax");
    if (method == "moving_average" || method == "adaptive") continue;
    bnq_calibrator* all = Make(c.at("options"));
    const json& batches = c.at("batches");
    for (auto batch = batches.rbegin(); batch != batches.rend(); ++batch) {
      bnq_calibrator* one = Make(c.at("options"));
      Observe(context_, one, *batch);
      ASSERT_EQ(bnq_calibrator_merge(context_, all, one), BNQ_OK)
          << bnq_last_error();
      bnq_calibrator_destroy(one);
      merged += batches.size() > 1;
    }
    CheckAll(c, all);
    bnq_calibrator_destroy(all);
  }
  EXPECT_GT(merged, 0);
}

}  // namespace
}  // namespace bnq_test
