// Calls that are wrong: each gets a status and a text, and changes nothing.
// (Destroying a handle twice is undefined, as bnq.h says, and not tested.)
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "bnq/bnq.h"
#include "bnq/bnq_x.h"
#include "capi_test_util.h"

namespace {

using bnq_test::Expect;

class Misuse : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(bnq_context_create(nullptr, &context_), BNQ_OK);
    ASSERT_EQ(bnq_config_create(&config_), BNQ_OK);
    for (int i = 0; i < 12; ++i) values_[i] = static_cast<float>(i) - 5;
    array_ = {values_, shape_, BNQ_DTYPE_F32, 2};
    ASSERT_EQ(bnq_tensor_quantize(context_, config_, &array_, &tensor_),
              BNQ_OK);
  }
  void TearDown() override {
    bnq_tensor_destroy(tensor_);
    bnq_config_destroy(config_);
    bnq_context_destroy(context_);
  }

  bnq_context* context_ = nullptr;
  bnq_config* config_ = nullptr;
  bnq_tensor* tensor_ = nullptr;
  float values_[12];
  uint64_t shape_[2] = {3, 4};
  bnq_array array_;
};

TEST_F(Misuse, NullHandlesAreDestroyedAndAnswered) {
  bnq_context_destroy(nullptr);
  bnq_config_destroy(nullptr);
  bnq_tensor_destroy(nullptr);
  bnq_file_close(nullptr);
  bnq_writer_destroy(nullptr);
  bnq_plan_destroy(nullptr);
  bnq_report_destroy(nullptr);
  EXPECT_EQ(bnq_context_threads(nullptr), 1);
  EXPECT_EQ(bnq_tensor_format(nullptr), -1);
  EXPECT_EQ(bnq_tensor_shape(nullptr, nullptr), -1);
  EXPECT_EQ(bnq_tensor_rows(nullptr), 0u);
  EXPECT_EQ(bnq_tensor_columns(nullptr), 0u);
  EXPECT_EQ(bnq_part_name(0), nullptr);
  EXPECT_EQ(bnq_part_name(BNQ_NUM_PARTS + 1), nullptr);
  EXPECT_EQ(bnq_tensor_bytes(nullptr), 0u);
  EXPECT_EQ(bnq_tensor_bits_per_weight(nullptr), 0.0);
  EXPECT_EQ(bnq_file_kind(nullptr), 0);
  EXPECT_EQ(bnq_file_count(nullptr), 0u);
  EXPECT_EQ(bnq_file_name(nullptr, 0), nullptr);
  EXPECT_EQ(bnq_file_shape(nullptr, 0, nullptr), -1);
  EXPECT_EQ(bnq_file_format(nullptr, 0), -1);
  EXPECT_EQ(bnq_file_dtype(nullptr, 0), -1);
  EXPECT_EQ(bnq_file_bytes(nullptr, 0), 0u);
  EXPECT_EQ(bnq_file_stored_bytes(nullptr, 0), 0u);
  EXPECT_EQ(bnq_file_metadata_count(nullptr), 0u);
  EXPECT_EQ(bnq_file_metadata_key(nullptr, 0), nullptr);
  EXPECT_EQ(bnq_file_metadata_value(nullptr, 0), nullptr);
  EXPECT_EQ(bnq_report_count(nullptr), 0u);
  EXPECT_EQ(bnq_report_name(nullptr, 0), nullptr);
  EXPECT_EQ(bnq_report_note(nullptr, 0), nullptr);
  EXPECT_EQ(bnq_report_shape(nullptr, 0, nullptr), -1);
  EXPECT_EQ(bnq_report_format(nullptr, 0), -1);
  EXPECT_EQ(bnq_report_dtype(nullptr, 0), -1);
  EXPECT_EQ(bnq_report_bytes_before(nullptr, 0), 0u);
  EXPECT_EQ(bnq_report_bytes_after(nullptr, 0), 0u);
  EXPECT_EQ(bnq_report_bits_per_weight(nullptr, 0), 0.0);
}

TEST_F(Misuse, NullArguments) {
  const bnq_status bad = BNQ_ERROR_INVALID_ARGUMENT;
  double metrics[BNQ_NUM_METRICS];
  uint64_t index = 0, bytes = 0;
  int64_t integer = 0;
  const void* data = nullptr;
  Expect(bnq_context_create(nullptr, nullptr), bad, "out_context is NULL");
  Expect(bnq_context_set_threads(nullptr, 1), bad, "context is NULL");
  Expect(bnq_context_set_runner(nullptr, nullptr), bad, "context is NULL");
  Expect(bnq_context_set_log(nullptr, nullptr, nullptr, 1), bad, "context");
  Expect(bnq_config_create(nullptr), bad, "out_config is NULL");
  Expect(bnq_config_clone(nullptr, nullptr), bad, "out_config is NULL");
  Expect(bnq_options_set_int(bnq_config_settings(nullptr), 1, 1), bad,
         "options is NULL");
  Expect(bnq_options_set_float(bnq_config_settings(nullptr), 6, 1), bad,
         "options is NULL");
  Expect(bnq_options_get_int(bnq_config_options(config_), 1, nullptr), bad,
         "out_value is NULL");
  Expect(bnq_options_get_int(bnq_config_options(nullptr), 1, &integer), bad,
         "options is NULL");
  Expect(bnq_options_get_float(bnq_config_options(nullptr), 6, metrics), bad,
         "options is NULL");
  Expect(bnq_options_set_text(bnq_config_settings(config_), nullptr, "x"), bad,
         "option is NULL");
  Expect(bnq_options_set_text(bnq_config_settings(config_), "axis", nullptr),
         bad, "value is NULL");
  Expect(bnq_option_id(BNQ_OPTIONS_CONFIG, nullptr, nullptr), bad,
         "out_option is NULL");
  Expect(bnq_option_at(BNQ_OPTIONS_CONFIG, 0, nullptr), bad,
         "out_option is NULL");
  Expect(bnq_format_at(0, nullptr), bad, "out_format is NULL");
  Expect(bnq_format_id(nullptr, nullptr), bad, "out_format is NULL");
  Expect(bnq_format_property(1, 1, nullptr), bad, "out_value is NULL");
  Expect(bnq_dtype_id("F32", nullptr), bad, "out_dtype is NULL");
  bnq_tensor* tensor = tensor_;
  Expect(bnq_tensor_quantize(context_, config_, nullptr, &tensor), bad,
         "source is NULL");
  EXPECT_EQ(tensor, nullptr) << "handle outputs are NULL on failure";
  Expect(bnq_tensor_quantize(context_, nullptr, &array_, &tensor), bad,
         "config is NULL");
  Expect(bnq_tensor_quantize(context_, config_, &array_, nullptr), bad,
         "out_tensor is NULL");
  Expect(bnq_quantized_sizes(nullptr, 2, shape_, &index, &index, &index), bad,
         "config is NULL");
  Expect(bnq_quantized_sizes(config_, 2, nullptr, &index, &index, &index), bad,
         "shape is NULL");
  Expect(bnq_tensor_unpack(context_, tensor_, nullptr, 12), bad,
         "codes is NULL");
  Expect(bnq_tensor_unpack(context_, nullptr, nullptr, 12), bad,
         "tensor is NULL");
  Expect(bnq_options_get_int(bnq_tensor_options(nullptr), 1, &integer), bad,
         "options is NULL");
  Expect(bnq_options_get_float(bnq_tensor_options(nullptr), 6, metrics), bad,
         "options is NULL");
  Expect(bnq_tensor_dequantize(context_, nullptr, 1, BNQ_OVERFLOW_ERROR,
                               values_, 48),
         bad, "tensor is NULL");
  Expect(bnq_tensor_dequantize(context_, tensor_, 1, BNQ_OVERFLOW_ERROR,
                               nullptr, 48),
         bad, "out is NULL");
  Expect(bnq_compare(context_, &array_, nullptr, metrics, 5), bad,
         "other is NULL");
  Expect(bnq_compare(context_, &array_, &array_, nullptr, 5), bad,
         "metrics is NULL");
  Expect(bnq_tensor_compare(context_, &array_, nullptr, metrics, 5), bad,
         "tensor is NULL");
  Expect(bnq_file_open(context_, nullptr, 0, nullptr), bad, "out_file is NULL");
  bnq_file* file = nullptr;
  Expect(bnq_file_open(context_, nullptr, 0, &file), bad, "path is NULL");
  Expect(bnq_file_open_memory(context_, nullptr, 8, &file), bad,
         "data is NULL");
  Expect(bnq_file_find(nullptr, "x", &index), bad, "file is NULL");
  Expect(bnq_file_data(nullptr, 0, &data, &bytes), bad, "file is NULL");
  Expect(bnq_file_read(context_, nullptr, 0, values_, 48), bad, "file is NULL");
  Expect(bnq_file_tensor(context_, nullptr, 0, &tensor), bad, "file is NULL");
  Expect(bnq_file_verify(context_, nullptr, nullptr, nullptr), bad,
         "file is NULL");
  bnq_writer* writer = nullptr;
  Expect(bnq_writer_create(context_, nullptr, 1, 0, 0, &writer), bad,
         "path is NULL");
  Expect(bnq_writer_set_metadata(nullptr, "k", "v"), bad, "writer is NULL");
  Expect(bnq_writer_add_array(nullptr, "x", &array_), bad, "writer is NULL");
  Expect(bnq_writer_add_tensor(nullptr, "x", tensor_), bad, "writer is NULL");
  Expect(bnq_writer_finish(nullptr), bad, "writer is NULL");
  Expect(bnq_plan_create(nullptr), bad, "out_plan is NULL");
  Expect(bnq_plan_add(nullptr, "*", 2, config_), bad, "plan is NULL");
  Expect(bnq_quantize_file(context_, nullptr, "a", "b", 0, 0, nullptr, nullptr,
                           nullptr),
         bad, "plan is NULL");
  Expect(bnq_dequantize_file(context_, nullptr, "b", 1, BNQ_OVERFLOW_ERROR, 0,
                             0, nullptr, nullptr, nullptr),
         bad, "input is NULL");
  Expect(bnq_compare_files(context_, "a", nullptr, nullptr, nullptr, nullptr),
         bad, "other is NULL");
  Expect(bnq_report_metrics(nullptr, 0, metrics, 5), bad, "report is NULL");
}

TEST_F(Misuse, OutOfRange) {
  const bnq_status bad = BNQ_ERROR_INVALID_ARGUMENT;
  double metrics[BNQ_NUM_METRICS + 1];
  Expect(bnq_context_set_threads(context_, -1), bad, "threads = -1");
  Expect(bnq_context_set_threads(context_, 257), bad, "0 to 256");
  EXPECT_EQ(bnq_context_threads(context_), 1);
  bnq_runner runner = {nullptr, nullptr, 1};
  Expect(bnq_context_set_runner(context_, &runner), bad, "run is NULL");
  runner.run = [](void*, uint64_t, bnq_task_fn, void*) { return 1; };
  runner.workers = 0;
  Expect(bnq_context_set_runner(context_, &runner), bad, "workers = 0");
  Expect(bnq_context_set_log(context_, nullptr, nullptr, 3), bad, "level = 3");
  const bnq_allocator allocator = {nullptr, nullptr, nullptr};
  bnq_context* context = nullptr;
  Expect(bnq_context_create(&allocator, &context), bad, "alloc is NULL");

  Expect(bnq_options_set_int(bnq_config_settings(config_), BNQ_OPT_FORMAT, 99),
         bad, "ternary, binary, int8");
  Expect(
      bnq_options_set_int(bnq_config_settings(config_), BNQ_OPT_GROUP_SIZE, 0),
      bad, "group_size = 0, must be 1 to");
  Expect(bnq_options_set_int(bnq_config_settings(config_), BNQ_OPT_AXIS, 8),
         bad, "-8 to 7");
  Expect(bnq_options_set_float(bnq_config_settings(config_), BNQ_OPT_CLIP, -1),
         bad, "clip = -1");
  Expect(bnq_options_set_float(bnq_config_settings(config_), BNQ_OPT_CLIP, NAN),
         bad, "clip");
  Expect(bnq_options_set_int(bnq_config_settings(config_), BNQ_OPT_CLIP, 1),
         BNQ_ERROR_UNSUPPORTED, "clip is a float");
  Expect(bnq_options_set_float(bnq_config_settings(config_), BNQ_OPT_AXIS, 1),
         BNQ_ERROR_UNSUPPORTED, "axis is an integer");
  Expect(bnq_options_set_int(bnq_config_settings(config_), 4711, 1),
         BNQ_ERROR_UNSUPPORTED, "4711");
  Expect(bnq_options_set_text(bnq_config_settings(config_), "colour", "red"),
         BNQ_ERROR_NOT_FOUND, "group_size");
  Expect(bnq_options_set_text(bnq_config_settings(config_), "format", "int9"),
         bad, "ternary, binary, int8");
  Expect(bnq_options_set_text(bnq_config_settings(config_), "scheme", "odd"),
         bad, "symmetric, asymmetric");
  Expect(
      bnq_options_set_text(bnq_config_settings(config_), "group_size", "12x"),
      bad, "\"12x\"");
  Expect(bnq_options_set_text(bnq_config_settings(config_), "group_size", ""),
         bad, "\"\"");
  Expect(bnq_options_set_text(bnq_config_settings(config_), "group_size",
                              "99999999999999999999"),
         bad, "group_size");
  // The config is what it was.
  int64_t value = 0;
  EXPECT_EQ(bnq_options_get_int(bnq_config_options(config_), BNQ_OPT_GROUP_SIZE,
                                &value),
            BNQ_OK);
  EXPECT_EQ(value, 128);

  int32_t id = 0;
  Expect(bnq_format_at(99, &id), bad, "index = 99");
  Expect(bnq_format_id("nf5", &id), BNQ_ERROR_NOT_FOUND,
         "e4m3, e5m2, e2m1, f16, bf16, none");
  Expect(bnq_format_property(1, 99, &value), BNQ_ERROR_UNSUPPORTED, "99");
  Expect(bnq_format_property(99, 1, &value), BNQ_ERROR_NOT_FOUND, "99");
  Expect(bnq_option_bounds(BNQ_OPTIONS_CONFIG, 99, nullptr, nullptr, nullptr,
                           nullptr),
         BNQ_ERROR_UNSUPPORTED, "99");
  Expect(bnq_dtype_id("F31", &id), BNQ_ERROR_NOT_FOUND, "F31");
  EXPECT_EQ(bnq_format_name(99), nullptr);
  EXPECT_EQ(bnq_dtype_name(99), nullptr);
  EXPECT_EQ(bnq_metric_name(99), nullptr);
  EXPECT_EQ(bnq_option_name(BNQ_OPTIONS_CONFIG, 99), nullptr);
  EXPECT_EQ(bnq_option_value_name(BNQ_OPTIONS_CONFIG, BNQ_OPT_SCHEME, 3),
            nullptr);
  EXPECT_STREQ(bnq_status_name(99), "unknown status");
  Expect(bnq_compare(context_, &array_, &array_, metrics, BNQ_NUM_METRICS + 1),
         bad, "metric_count = 6");
  Expect(bnq_plan_add(nullptr, "*", 2, nullptr), bad, "plan");
  Expect(bnq_x_force_target("AVX9"), BNQ_ERROR_NOT_FOUND, "AVX9");
}

TEST_F(Misuse, WrongShapesAndSizes) {
  const bnq_status bad = BNQ_ERROR_INVALID_ARGUMENT;
  bnq_tensor* tensor = nullptr;
  bnq_array array = array_;
  array.rank = 9;
  Expect(bnq_tensor_quantize(context_, config_, &array, &tensor), bad,
         "source: rank = 9, must be 0 to 8");
  array.rank = -1;
  Expect(bnq_tensor_quantize(context_, config_, &array, &tensor), bad,
         "rank = -1");
  array = array_;
  array.shape = nullptr;
  Expect(bnq_tensor_quantize(context_, config_, &array, &tensor), bad,
         "shape is NULL");
  array = array_;
  array.data = nullptr;
  Expect(bnq_tensor_quantize(context_, config_, &array, &tensor), bad,
         "data is NULL");
  array = array_;
  array.dtype = 99;
  Expect(bnq_tensor_quantize(context_, config_, &array, &tensor), bad,
         "dtype = 99");
  array.dtype = BNQ_DTYPE_I32;
  Expect(bnq_tensor_quantize(context_, config_, &array, &tensor),
         BNQ_ERROR_UNSUPPORTED, "dtype = I32");
  // Products that do not fit 64 bits, with and without a 0 among them.
  for (uint64_t other : {uint64_t{1} << 33, uint64_t{0}}) {
    const uint64_t huge[3] = {uint64_t{1} << 33, uint64_t{1} << 33, other};
    array = {values_, huge, BNQ_DTYPE_F32, 3};
    Expect(bnq_tensor_quantize(context_, config_, &array, &tensor), bad,
           "too many elements");
  }
  ASSERT_EQ(bnq_options_set_text(bnq_config_settings(config_), "granularity",
                                 "channel"),
            BNQ_OK);
  ASSERT_EQ(bnq_options_set_text(bnq_config_settings(config_), "axis", "2"),
            BNQ_OK);
  Expect(bnq_tensor_quantize(context_, config_, &array_, &tensor), bad,
         "axis = 2, but the array of shape [3, 4] has rank 2");
  ASSERT_EQ(bnq_options_set_text(bnq_config_settings(config_), "scheme",
                                 "asymmetric"),
            BNQ_OK);
  Expect(bnq_tensor_quantize(context_, config_, &array_, &tensor),
         BNQ_ERROR_UNSUPPORTED, "format ternary");

  Expect(bnq_tensor_dequantize(context_, tensor_, BNQ_DTYPE_F32,
                               BNQ_OVERFLOW_ERROR, values_, 47),
         bad, "out_bytes = 47, must be 48");
  Expect(
      bnq_tensor_dequantize(context_, tensor_, BNQ_DTYPE_F16, 3, values_, 24),
      BNQ_ERROR_INVALID_ARGUMENT, "overflow = 3, must be 0 to 2");
  Expect(bnq_tensor_dequantize(context_, tensor_, BNQ_DTYPE_I8,
                               BNQ_OVERFLOW_ERROR, values_, 12),
         bad, "must be F32, F16 or BF16");
  Expect(bnq_tensor_dequantize_rows(context_, tensor_, 2, 2, BNQ_DTYPE_F32,
                                    BNQ_OVERFLOW_ERROR, values_, 32),
         bad, "row_begin = 2 and row_count = 2");
  Expect(bnq_tensor_dequantize_rows(context_, tensor_, UINT64_MAX, 2,
                                    BNQ_DTYPE_F32, BNQ_OVERFLOW_ERROR, values_,
                                    32),
         bad, "row_begin");
  int8_t codes[12] = {};
  Expect(bnq_tensor_unpack(context_, tensor_, codes, 11), bad,
         "count = 11, must be 12");
  double metrics[5];
  const uint64_t transposed[2] = {4, 3};
  array = array_;
  array.shape = transposed;
  Expect(bnq_compare(context_, &array_, &array, metrics, 5), bad,
         "shape of other = [4, 3], must be that of original, [3, 4]");
  Expect(bnq_tensor_compare(context_, &array, tensor_, metrics, 5), bad,
         "[4, 3]");
  const uint64_t none = 0;
  array = {nullptr, &none, BNQ_DTYPE_F32, 1};
  Expect(bnq_compare(context_, &array, &array, metrics, 5), BNQ_ERROR_NO_DATA,
         "no elements");
}

TEST_F(Misuse, BuffersOfOtherSizes) {
  const bnq_status bad = BNQ_ERROR_INVALID_ARGUMENT;
  uint8_t codes[3] = {0xFF, 0, 0};
  float scales[3] = {1, 1, 1};
  int8_t zero = 0;
  bnq_tensor* tensor = nullptr;
  Expect(bnq_quantize(context_, config_, &array_, codes, 2, scales, 12, nullptr,
                      0, nullptr),
         bad, "code_bytes = 2, must be 3");
  Expect(bnq_quantize(context_, config_, &array_, codes, 3, scales, 13, nullptr,
                      0, nullptr),
         bad, "scale_bytes = 13, must be 12");
  Expect(bnq_quantize(context_, config_, &array_, codes, 3, scales, 12, &zero,
                      1, nullptr),
         bad, "zero_point_count = 1, must be 0");
  Expect(bnq_quantize(context_, config_, &array_, nullptr, 3, scales, 12,
                      nullptr, 0, nullptr),
         bad, "codes are NULL");
  bnq_part parts[3] = {{codes, 3, 0, BNQ_PART_CODES, 0},
                       {scales, 12, 0, BNQ_PART_SCALES, 0},
                       {nullptr, 0, 0, BNQ_PART_ZERO_POINTS, 0}};
  const auto create = [&](uint32_t count, int32_t flags) {
    return bnq_tensor_create(context_, config_, 2, shape_, parts, count, flags,
                             &tensor);
  };
  Expect(create(3, 2), bad, "flags = 2");
  Expect(create(3, 0), bad, "element 0 = 3, must be 0 to 2");
  codes[0] = 0;
  Expect(create(1, 0), bad, "scales take 0 bytes, must be 12");
  parts[1].dtype = BNQ_DTYPE_F16;
  Expect(create(3, 0), bad, "scales are of F16, must be of F32");
  parts[1].dtype = 99;
  Expect(create(3, 0), bad, "dtype of scales = 99");
  parts[1].dtype = 0;
  parts[1].data = nullptr;
  Expect(create(3, 0), bad, "scales are NULL, must be 12 bytes");
  parts[1].data = reinterpret_cast<const char*>(scales) + 1;
  Expect(create(3, 0), bad, "must be aligned to 4 bytes");
  parts[1].data = scales;
  parts[2].part = 99;
  Expect(create(3, 0), bad, "part = 99, must be 1 to 9");
  parts[2].part = BNQ_PART_CODES;
  Expect(create(3, 0), bad, "codes are given twice");
  const uint32_t columns[2] = {1, 1};
  parts[2] = {columns, 8, 0, BNQ_PART_OUTLIER_COLUMNS, 0};
  Expect(create(3, 0), bad, "2 outlier columns, must be at most 0");
  Expect(
      bnq_tensor_create(context_, config_, 2, shape_, nullptr, 1, 0, &tensor),
      bad, "parts is NULL");
  scales[1] = INFINITY;
  Expect(create(2, 0), bad, "scale 1 = inf");
  const int8_t wrong[12] = {0, 0, 0, 0, 0, 2};
  Expect(bnq_pack(context_, config_, 2, shape_, wrong, 12, codes, 3), bad,
         "element 5 = 2, must be -1 to 1");
  ASSERT_EQ(
      bnq_options_set_text(bnq_config_settings(config_), "format", "int4"),
      BNQ_OK);
  ASSERT_EQ(bnq_options_set_text(bnq_config_settings(config_), "scheme",
                                 "asymmetric"),
            BNQ_OK);
  ASSERT_EQ(bnq_options_set_text(bnq_config_settings(config_), "granularity",
                                 "tensor"),
            BNQ_OK);
  const uint8_t bytes[6] = {};
  zero = 8;
  parts[0] = {bytes, 6, 0, BNQ_PART_CODES, 0};
  parts[1].bytes = 4;
  parts[2] = {&zero, 1, 0, BNQ_PART_ZERO_POINTS, 0};
  Expect(create(3, 0), bad, "zero point 0 = 8, must be -8 to 7");
}

TEST_F(Misuse, RunnerThatFails) {
  bnq_runner runner;
  runner.run = [](void*, uint64_t, bnq_task_fn, void*) { return int32_t{42}; };
  runner.opaque = nullptr;
  runner.workers = 2;
  ASSERT_EQ(bnq_context_set_runner(context_, &runner), BNQ_OK);
  std::vector<float> values(300000, 1.0f);
  const uint64_t n = values.size();
  const bnq_array array = {values.data(), &n, BNQ_DTYPE_F32, 1};
  bnq_tensor* tensor = nullptr;
  Expect(bnq_tensor_quantize(context_, config_, &array, &tensor),
         BNQ_ERROR_INTERNAL, "the runner returned 42");
}

TEST_F(Misuse, LastErrorIsOfTheThread) {
  Expect(bnq_config_create(nullptr), BNQ_ERROR_INVALID_ARGUMENT, "out_config");
  std::thread([] {
    EXPECT_STREQ(bnq_last_error(), "");
    EXPECT_EQ(bnq_plan_create(nullptr), BNQ_ERROR_INVALID_ARGUMENT);
  }).join();
  EXPECT_STREQ(bnq_last_error(), "out_config is NULL");
}

}  // namespace
