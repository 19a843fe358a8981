// Calibrators as a user's program sees them: options listed at run time, a
// session, misuse.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "bnq/bnq.h"
#include "capi_test_util.h"

namespace {

using bnq_test::Expect;

class Calibration : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(bnq_context_create(nullptr, &context_), BNQ_OK);
    ASSERT_EQ(bnq_calibrator_create(&calibrator_), BNQ_OK);
  }
  void TearDown() override {
    bnq_calibrator_destroy(calibrator_);
    bnq_context_destroy(context_);
  }
  void Set(const char* option, const char* value) {
    ASSERT_EQ(bnq_options_set_text(bnq_calibrator_settings(calibrator_), option,
                                   value),
              BNQ_OK)
        << bnq_last_error();
  }
  bnq_status Observe(const std::vector<float>& values,
                     std::vector<uint64_t> shape) {
    const bnq_array array = {values.data(), shape.data(), BNQ_DTYPE_F32,
                             static_cast<int32_t>(shape.size())};
    return bnq_calibrator_observe(context_, calibrator_, &array);
  }
  std::vector<uint8_t> Serialize(const bnq_calibrator* calibrator) {
    uint64_t size = 0;
    EXPECT_EQ(bnq_calibrator_serialize(nullptr, calibrator, nullptr, 0, &size),
              BNQ_OK);
    std::vector<uint8_t> bytes(size);
    EXPECT_EQ(bnq_calibrator_serialize(nullptr, calibrator, bytes.data(), size,
                                       &size),
              BNQ_OK);
    EXPECT_EQ(size, bytes.size());
    return bytes;
  }

  bnq_context* context_ = nullptr;
  bnq_calibrator* calibrator_ = nullptr;
};

TEST_F(Calibration, TextsSayWhatIsAccepted) {
  Expect(bnq_options_set_text(bnq_calibrator_settings(calibrator_), "method",
                              "best"),
         BNQ_ERROR_INVALID_ARGUMENT, "one of: minmax, moving_average");
  Expect(bnq_options_set_text(bnq_calibrator_settings(calibrator_), "bins",
                              "many"),
         BNQ_ERROR_INVALID_ARGUMENT, "a number");
  Expect(
      bnq_options_set_text(bnq_calibrator_settings(calibrator_), "colour", "1"),
      BNQ_ERROR_NOT_FOUND, "is not one of: method");
}

TEST_F(Calibration, ASession) {
  Set("granularity", "channel");
  Set("axis", "1");
  Set("scheme", "asymmetric");
  Set("histogram", "on");
  float lo[3] = {7, 7, 7}, hi[3] = {7, 7, 7};
  Expect(bnq_calibrator_range(context_, calibrator_, lo, hi, 3),
         BNQ_ERROR_NO_DATA, "not observed");
  EXPECT_EQ(lo[0], 7);
  EXPECT_EQ(bnq_calibrator_channels(calibrator_), 0u);
  ASSERT_EQ(Observe({1, 2, 3, -1, -2, -3}, {2, 3}), BNQ_OK);
  ASSERT_EQ(Observe({0, 0, 9}, {1, 3}), BNQ_OK);
  EXPECT_EQ(bnq_calibrator_channels(calibrator_), 3u);
  EXPECT_EQ(bnq_calibrator_batches(calibrator_), 2u);
  ASSERT_EQ(bnq_calibrator_range(context_, calibrator_, lo, hi, 3), BNQ_OK);
  EXPECT_EQ(lo[2], -3);
  EXPECT_EQ(hi[2], 9);
  Expect(bnq_calibrator_range(context_, calibrator_, lo, hi, 2),
         BNQ_ERROR_INVALID_ARGUMENT, "count = 2");

  double statistics[BNQ_NUM_STATISTICS];
  ASSERT_EQ(bnq_calibrator_statistics(nullptr, calibrator_, 2, statistics,
                                      BNQ_NUM_STATISTICS),
            BNQ_OK);
  EXPECT_EQ(statistics[BNQ_STATISTIC_COUNT], 3);
  EXPECT_EQ(statistics[BNQ_STATISTIC_ABSMAX], 9);
  EXPECT_TRUE(std::isnan(statistics[BNQ_STATISTIC_MEAN]));
  ASSERT_EQ(bnq_calibrator_statistics(nullptr, calibrator_, BNQ_ALL_CHANNELS,
                                      statistics, BNQ_NUM_STATISTICS),
            BNQ_OK);
  EXPECT_EQ(statistics[BNQ_STATISTIC_COUNT], 9);
  EXPECT_EQ(statistics[BNQ_STATISTIC_ZERO_SHARE], 2.0 / 9);
  Expect(bnq_calibrator_statistics(nullptr, calibrator_, 3, statistics, 1),
         BNQ_ERROR_INVALID_ARGUMENT, "channel = 3");
  Expect(bnq_calibrator_statistics(nullptr, calibrator_, 0, statistics, 13),
         BNQ_ERROR_INVALID_ARGUMENT, "statistic_count = 13");
  ASSERT_EQ(bnq_statistic_count(), static_cast<uint32_t>(BNQ_NUM_STATISTICS));
  EXPECT_STREQ(bnq_statistic_name(BNQ_STATISTIC_ZERO_SHARE), "zero_share");
  EXPECT_STREQ(bnq_statistic_name(BNQ_STATISTIC_OUTLIERS), "outliers");
  EXPECT_EQ(bnq_statistic_name(BNQ_NUM_STATISTICS), nullptr);

  uint64_t bins = 0;
  double first = 0, width = 0;
  ASSERT_EQ(bnq_calibrator_histogram(calibrator_, 2, nullptr, 0, &bins, &first,
                                     &width),
            BNQ_OK);
  EXPECT_EQ(first, -3);
  EXPECT_EQ(width, 0x1p-8);  // 12 x 256 + 1 bins, of at most 4096
  EXPECT_EQ(bins, 3073u);
  std::vector<uint64_t> counts(bins);
  Expect(bnq_calibrator_histogram(calibrator_, 2, counts.data(), 3072, &bins,
                                  nullptr, nullptr),
         BNQ_ERROR_INVALID_ARGUMENT, "capacity = 3072");
  ASSERT_EQ(bnq_calibrator_histogram(calibrator_, 2, counts.data(), bins, &bins,
                                     nullptr, nullptr),
            BNQ_OK);
  EXPECT_EQ(counts[0], 1u);
  EXPECT_EQ(counts[6 * 256], 1u);
  EXPECT_EQ(counts[12 * 256], 1u);

  Expect(bnq_options_set_int(bnq_calibrator_settings(calibrator_),
                             BNQ_CALIBRATION_BINS, 64),
         BNQ_ERROR_INVALID_ARGUMENT, "reset first");
  ASSERT_EQ(bnq_calibrator_reset(calibrator_), BNQ_OK);
  EXPECT_EQ(bnq_calibrator_channels(calibrator_), 0u);
  ASSERT_EQ(bnq_options_set_int(bnq_calibrator_settings(calibrator_),
                                BNQ_CALIBRATION_METHOD, BNQ_METHOD_KL),
            BNQ_OK);
}

// Statistics and bytes of thousands of channels can be interrupted.
TEST_F(Calibration, StatisticsAndBytesAskTheContext) {
  Set("granularity", "channel");
  ASSERT_EQ(Observe({1, 2, 3, 4}, {4, 1}), BNQ_OK);
  const bnq_interrupt_fn no = [](void*) -> int32_t { return 1; };
  ASSERT_EQ(bnq_context_set_interrupt(context_, no, nullptr), BNQ_OK);
  double count = -1;
  uint64_t size = 7;
  // A thread is asked at once, and then not again for a while.
  std::thread([&] {
    Expect(bnq_calibrator_statistics(context_, calibrator_, BNQ_ALL_CHANNELS,
                                     &count, 1),
           BNQ_ERROR_CANCELLED, "interrupt");
  }).join();
  std::thread([&] {
    Expect(bnq_calibrator_serialize(context_, calibrator_, nullptr, 0, &size),
           BNQ_ERROR_CANCELLED, "interrupt");
  }).join();
  EXPECT_EQ(count, -1);
  EXPECT_EQ(size, 7u);
  ASSERT_EQ(bnq_context_set_interrupt(context_, nullptr, nullptr), BNQ_OK);
  EXPECT_EQ(bnq_calibrator_serialize(context_, calibrator_, nullptr, 0, &size),
            BNQ_OK);
}

TEST_F(Calibration, MovesBetweenMachines) {
  Set("method", "mse");
  ASSERT_EQ(Observe({1, 2, 3, 4}, {4}), BNQ_OK);
  const std::vector<uint8_t> bytes = Serialize(calibrator_);
  bnq_calibrator* other = nullptr;
  ASSERT_EQ(
      bnq_calibrator_deserialize(context_, bytes.data(), bytes.size(), &other),
      BNQ_OK)
      << bnq_last_error();
  EXPECT_EQ(Serialize(other), bytes);
  bnq_calibrator* clone = nullptr;
  ASSERT_EQ(bnq_calibrator_clone(context_, other, &clone), BNQ_OK);
  ASSERT_EQ(bnq_calibrator_merge(context_, clone, calibrator_), BNQ_OK);
  double count = 0;
  ASSERT_EQ(bnq_calibrator_statistics(nullptr, clone, 0, &count, 1), BNQ_OK);
  EXPECT_EQ(count, 8);
  std::vector<uint8_t> small(bytes.size() - 1);
  uint64_t size = 0;
  Expect(bnq_calibrator_serialize(nullptr, clone, small.data(), small.size(),
                                  &size),
         BNQ_ERROR_INVALID_ARGUMENT, "out_bytes");
  bnq_calibrator* bad = other;
  bnq_calibrator_destroy(other);
  Expect(bnq_calibrator_deserialize(context_, bytes.data(), bytes.size() - 1,
                                    &bad),
         BNQ_ERROR_CORRUPT_FILE, "serialized calibrator");
  EXPECT_EQ(bad, nullptr);
  bnq_calibrator_destroy(clone);
}

TEST_F(Calibration, Files) {
  const std::string path =
      (std::filesystem::temp_directory_path() /
       ("bnq-calibration-" +
        std::to_string(reinterpret_cast<uintptr_t>(calibrator_)) +
        ".safetensors"))
          .string();
  const float values[4] = {1, -7, 2, 3};
  const uint64_t shape[1] = {4};
  const bnq_array array = {values, shape, BNQ_DTYPE_F32, 1};
  bnq_writer* writer = nullptr;
  ASSERT_EQ(bnq_writer_create(context_, path.c_str(), BNQ_FILE_SAFETENSORS,
                              BNQ_WRITE_OVERWRITE, 0, &writer),
            BNQ_OK);
  ASSERT_EQ(bnq_writer_add_array(writer, "x", &array), BNQ_OK);
  ASSERT_EQ(bnq_writer_finish(writer), BNQ_OK);
  bnq_writer_destroy(writer);
  const bnq_progress_fn cancel = [](void*, uint64_t, uint64_t,
                                    const char*) -> int32_t { return 1; };
  Expect(bnq_calibrator_observe_file(context_, calibrator_, path.c_str(),
                                     nullptr, cancel, nullptr),
         BNQ_ERROR_CANCELLED, "cancelled");
  EXPECT_EQ(bnq_calibrator_batches(calibrator_), 0u);
  ASSERT_EQ(bnq_calibrator_observe_file(context_, calibrator_, path.c_str(),
                                        "x", nullptr, nullptr),
            BNQ_OK)
      << bnq_last_error();
  float lo = 0, hi = 0;
  ASSERT_EQ(bnq_calibrator_range(nullptr, calibrator_, &lo, &hi, 1), BNQ_OK);
  EXPECT_EQ(hi, 7);
  Expect(bnq_calibrator_observe_file(context_, calibrator_, path.c_str(), "y",
                                     nullptr, nullptr),
         BNQ_ERROR_NOT_FOUND, "\"y\"");
  std::remove(path.c_str());
}

TEST_F(Calibration, Misuse) {
  const bnq_status bad = BNQ_ERROR_INVALID_ARGUMENT;
  float f = 0;
  double d = 0;
  int64_t i = 0;
  uint64_t u = 0;
  bnq_calibrator_destroy(nullptr);
  EXPECT_EQ(bnq_calibrator_channels(nullptr), 0u);
  EXPECT_EQ(bnq_calibrator_batches(nullptr), 0u);
  Expect(bnq_calibrator_create(nullptr), bad, "out_calibrator is NULL");
  Expect(bnq_calibrator_clone(context_, nullptr, nullptr), bad,
         "out_calibrator is NULL");
  bnq_calibrator* out = calibrator_;
  Expect(bnq_calibrator_clone(context_, nullptr, &out), bad,
         "calibrator is NULL");
  EXPECT_EQ(out, nullptr);
  Expect(bnq_options_set_int(bnq_calibrator_settings(nullptr), 1, 1), bad,
         "options is NULL");
  Expect(bnq_options_set_float(bnq_calibrator_settings(nullptr), 8, 1), bad,
         "options is NULL");
  Expect(bnq_options_set_text(bnq_calibrator_settings(nullptr), "a", "b"), bad,
         "options is NULL");
  Expect(
      bnq_options_set_text(bnq_calibrator_settings(calibrator_), nullptr, "b"),
      bad, "option is NULL");
  Expect(bnq_options_set_text(bnq_calibrator_settings(calibrator_), "bits",
                              nullptr),
         bad, "value is NULL");
  Expect(bnq_options_get_int(bnq_calibrator_options(calibrator_), 1, nullptr),
         bad, "out_value");
  Expect(bnq_options_get_int(bnq_calibrator_options(nullptr), 1, &i), bad,
         "options is NULL");
  Expect(bnq_options_get_float(bnq_calibrator_options(nullptr), 8, &d), bad,
         "options is NULL");
  Expect(bnq_option_at(BNQ_OPTIONS_CALIBRATOR, 0, nullptr), bad,
         "out_option is NULL");
  Expect(bnq_option_id(BNQ_OPTIONS_CALIBRATOR, nullptr, nullptr), bad,
         "out_option");
  Expect(bnq_calibrator_observe(context_, calibrator_, nullptr), bad,
         "array is NULL");
  const uint64_t shape[1] = {4};
  const bnq_array none = {nullptr, shape, BNQ_DTYPE_F32, 1};
  Expect(bnq_calibrator_observe(context_, calibrator_, &none), bad,
         "data is NULL");
  Expect(bnq_calibrator_observe(context_, nullptr, &none), bad,
         "calibrator is NULL");
  Expect(bnq_calibrator_observe_file(context_, nullptr, "x", nullptr, nullptr,
                                     nullptr),
         bad, "calibrator is NULL");
  Expect(bnq_calibrator_observe_file(context_, calibrator_, nullptr, nullptr,
                                     nullptr, nullptr),
         bad, "path is NULL");
  Expect(bnq_calibrator_range(context_, nullptr, &f, &f, 1), bad,
         "calibrator is NULL");
  Expect(bnq_calibrator_range(context_, calibrator_, nullptr, &f, 1), bad,
         "lo is NULL");
  Expect(bnq_calibrator_range(context_, calibrator_, &f, nullptr, 1), bad,
         "hi is NULL");
  Expect(bnq_calibrator_statistics(nullptr, calibrator_, 0, nullptr, 1), bad,
         "statistics is NULL");
  Expect(bnq_calibrator_statistics(nullptr, nullptr, 0, &d, 1), bad,
         "calibrator");
  Expect(bnq_calibrator_histogram(calibrator_, 0, nullptr, 0, nullptr, nullptr,
                                  nullptr),
         bad, "out_bins is NULL");
  Expect(bnq_calibrator_histogram(nullptr, 0, nullptr, 0, &u, nullptr, nullptr),
         bad, "calibrator is NULL");
  Expect(bnq_calibrator_reset(nullptr), bad, "calibrator is NULL");
  Expect(bnq_calibrator_merge(context_, nullptr, calibrator_), bad,
         "calibrator is NULL");
  Expect(bnq_calibrator_merge(context_, calibrator_, nullptr), bad,
         "other is NULL");
  Expect(bnq_calibrator_serialize(nullptr, nullptr, nullptr, 0, &u), bad,
         "calibrator");
  Expect(bnq_calibrator_serialize(nullptr, calibrator_, nullptr, 0, nullptr),
         bad, "out_size is NULL");
  Expect(bnq_calibrator_deserialize(context_, nullptr, 8, &out), bad,
         "data is NULL");
}

}  // namespace
