// Static parameters from calibrators, through the C ABI.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bnq/bnq.h"
#include "capi_test_util.h"

namespace {

using bnq_test::Expect;

namespace fs = std::filesystem;

std::vector<float> Normal(size_t n, uint32_t seed) {
  std::mt19937 bits(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(n);
  for (float& v : x) v = normal(bits);
  return x;
}

class PostTraining : public testing::Test {
 protected:
  void SetUp() override {
    directory_ =
        fs::temp_directory_path() /
        ("bnq_post_training_" + std::to_string(std::random_device()()));
    fs::create_directory(directory_);
    ASSERT_EQ(bnq_context_create(nullptr, &context_), BNQ_OK);
    ASSERT_EQ(bnq_context_set_threads(context_, 2), BNQ_OK);
    ASSERT_EQ(bnq_calibrator_create(&calibrator_), BNQ_OK);
  }
  void TearDown() override {
    bnq_calibrator_destroy(calibrator_);
    bnq_context_destroy(context_);
    fs::remove_all(directory_);
  }

  bnq_config* Config(const char* text) {
    bnq_config* config = nullptr;
    EXPECT_EQ(bnq_config_from_text(text, &config), BNQ_OK) << bnq_last_error();
    configs_.emplace_back(config, bnq_config_destroy);
    return config;
  }
  static bnq_array View(const std::vector<float>& x,
                        const std::vector<uint64_t>& shape) {
    return {x.data(), shape.data(), BNQ_DTYPE_F32,
            static_cast<int32_t>(shape.size())};
  }
  std::string Path(const char* name) { return (directory_ / name).string(); }
  std::vector<float> Values(const bnq_tensor* tensor, size_t n) {
    std::vector<float> out(n);
    EXPECT_EQ(bnq_tensor_dequantize(context_, tensor, BNQ_DTYPE_F32,
                                    BNQ_OVERFLOW_ERROR, out.data(), 4 * n),
              BNQ_OK);
    return out;
  }

  fs::path directory_;
  bnq_context* context_ = nullptr;
  bnq_calibrator* calibrator_ = nullptr;
  std::vector<std::unique_ptr<bnq_config, void (*)(bnq_config*)>> configs_;
};

TEST_F(PostTraining, ParamsAreThoseOfTheRange) {
  const std::vector<float> x = {-1.0f, 2.0f, 0.5f, 0.0f};
  const std::vector<uint64_t> shape = {4};
  const bnq_array array = View(x, shape);
  float scale = -1.0f;
  int8_t zero = 1;
  bnq_config* const symmetric = Config("int8_symmetric");
  Expect(bnq_calibrator_params(context_, calibrator_, symmetric, &scale,
                               nullptr, nullptr, 1),
         BNQ_ERROR_NO_DATA, "");
  ASSERT_EQ(bnq_options_set_text(bnq_calibrator_settings(calibrator_), "scheme",
                                 "asymmetric"),
            BNQ_OK);
  ASSERT_EQ(bnq_calibrator_observe(context_, calibrator_, &array), BNQ_OK);
  ASSERT_EQ(bnq_calibrator_params(context_, calibrator_, symmetric, &scale,
                                  nullptr, nullptr, 1),
            BNQ_OK)
      << bnq_last_error();
  EXPECT_EQ(scale, 2.0f / 127.0f);
  // formats.md 4.2's golden: range [-1, 2].
  ASSERT_EQ(
      bnq_calibrator_params(context_, calibrator_, Config("int8_asymmetric"),
                            &scale, &zero, nullptr, 1),
      BNQ_OK);
  EXPECT_EQ(scale, 3.0f / 255.0f);
  EXPECT_EQ(zero, -43);
  Expect(bnq_calibrator_params(context_, calibrator_, symmetric, &scale,
                               nullptr, nullptr, 2),
         BNQ_ERROR_INVALID_ARGUMENT, "count = 2, must be 1");
  Expect(bnq_calibrator_params(context_, calibrator_, Config("f16"), &scale,
                               nullptr, nullptr, 1),
         BNQ_ERROR_UNSUPPORTED, "f16");
}

// Static parameters equal to those found give the tensor that finding gives.
TEST_F(PostTraining, StaticIsWhatDynamicFinds) {
  const std::vector<uint64_t> shape = {6, 50};
  const std::vector<float> x = Normal(300, 3);
  const bnq_array array = View(x, shape);
  for (const char* text :
       {"int8_symmetric", "int8_asymmetric", "int8_per_channel",
        "int4,group_size=16", "int4,group_size=16,scheme=asymmetric",
        "int4,group_size=16,scheme=offset",
        "int4,group_size=16,scheme=offset,scale_dtype=bf16",
        "format=nf4,granularity=block,group_size=64", "ternary",
        "format=int8,granularity=channel,axis=1",
        "format=int8,granularity=tile,group_size=4,scheme=asymmetric",
        "format=int4,granularity=token,scale_dtype=f16", "fp4_double_quant"}) {
    const std::string full = std::strncmp(text, "int4,", 5) == 0
                                 ? std::string("format=") + text
                                 : text;
    bnq_config* const config = Config(full.c_str());
    bnq_tensor *found = nullptr, *given = nullptr;
    ASSERT_EQ(bnq_tensor_quantize(context_, config, &array, &found), BNQ_OK)
        << bnq_last_error();
    // Double quantization stores others than were found.
    const bool same = std::strstr(text, "double") == nullptr;
    bnq_part stored, zero, codes_a, codes_b;
    ASSERT_EQ(bnq_tensor_part(found, BNQ_PART_SCALES, &stored), BNQ_OK);
    ASSERT_EQ(bnq_tensor_part(found, BNQ_PART_ZERO_POINTS, &zero), BNQ_OK);
    std::vector<float> scales(stored.count);
    ASSERT_EQ(bnq_tensor_read_scales(found, scales.data(), scales.size()),
              BNQ_OK);
    bnq_part offset;
    ASSERT_EQ(bnq_tensor_part(found, BNQ_PART_OFFSETS, &offset), BNQ_OK);
    std::vector<float> offsets(offset.count);
    ASSERT_EQ(bnq_tensor_read_offsets(found, offsets.data(), offsets.size()),
              BNQ_OK);
    uint64_t clamped = 99;
    ASSERT_EQ(bnq_tensor_quantize_static(
                  context_, config, &array, scales.data(), scales.size(),
                  static_cast<const int8_t*>(zero.data), zero.count,
                  offsets.data(), offsets.size(), &clamped, &given),
              BNQ_OK)
        << full << ": " << bnq_last_error();
    ASSERT_EQ(bnq_tensor_part(found, BNQ_PART_CODES, &codes_a), BNQ_OK);
    ASSERT_EQ(bnq_tensor_part(given, BNQ_PART_CODES, &codes_b), BNQ_OK);
    ASSERT_EQ(codes_a.bytes, codes_b.bytes);
    if (same) {
      EXPECT_EQ(std::memcmp(codes_a.data, codes_b.data, codes_a.bytes), 0)
          << full;
    }
    // Parameters made of all values leave none out.
    if (std::strstr(text, "ternary") == nullptr && same &&
        std::strstr(text, "asymmetric") == nullptr) {
      EXPECT_EQ(clamped, 0u) << full;
    }
    bnq_tensor_destroy(found);
    bnq_tensor_destroy(given);
  }
}

TEST_F(PostTraining, ClampsAndCounts) {
  const std::vector<float> x = {-3, -1, 0, 0.5f, 1, 1.01f, 7};
  const std::vector<uint64_t> shape = {7};
  const bnq_array array = View(x, shape);
  bnq_config* const config = Config("int8_symmetric");
  const float scale = 1.0f / 127.0f;
  uint64_t clamped = 0;
  bnq_tensor* tensor = nullptr;
  ASSERT_EQ(
      bnq_tensor_quantize_static(context_, config, &array, &scale, 1, nullptr,
                                 0, nullptr, 0, &clamped, &tensor),
      BNQ_OK)
      << bnq_last_error();
  EXPECT_EQ(clamped, 3u);
  const std::vector<float> y = Values(tensor, 7);
  EXPECT_EQ(y[0], -127 * scale);
  EXPECT_EQ(y[6], 127 * scale);
  bnq_tensor_destroy(tensor);

  const bnq_status bad = BNQ_ERROR_INVALID_ARGUMENT;
  const auto quantize = [&](float s) {
    const bnq_status status =
        bnq_tensor_quantize_static(context_, config, &array, &s, 1, nullptr, 0,
                                   nullptr, 0, nullptr, &tensor);
    EXPECT_EQ(tensor, nullptr);
    return status;
  };
  Expect(quantize(-1.0f), bad, "scale 0 = -1");
  Expect(quantize(NAN), bad, "scale 0 = nan");
  Expect(quantize(1e-40f), bad, "scale 0 = 1e-40");
  Expect(quantize(3e38f), bad, "scale 0 = 3e+38");
  Expect(bnq_tensor_quantize_static(context_, config, &array, &scale, 2,
                                    nullptr, 0, nullptr, 0, nullptr, &tensor),
         bad, "scale_count = 2, must be 1");
  const std::vector<float> nan = {1, NAN};
  const std::vector<uint64_t> two = {2};
  const bnq_array with_nan = View(nan, two);
  Expect(bnq_tensor_quantize_static(context_, config, &with_nan, &scale, 1,
                                    nullptr, 0, nullptr, 0, nullptr, &tensor),
         BNQ_ERROR_NON_FINITE, "element 1");
  const int8_t zero = 9;
  Expect(
      bnq_tensor_quantize_static(
          context_, Config("format=int4,granularity=tensor,scheme=asymmetric"),
          &array, &scale, 1, &zero, 1, nullptr, 0, nullptr, &tensor),
      bad, "zero point 0 = 9");
  const auto from = [&](float offset, uint64_t count) {
    return bnq_tensor_quantize_static(
        context_, Config("format=int4,granularity=tensor,scheme=offset"),
        &array, &scale, 1, nullptr, 0, &offset, count, nullptr, &tensor);
  };
  Expect(from(0.0f, 0), bad, "offset_count = 0, must be 1");
  Expect(from(NAN, 1), bad, "offset 0 = nan");
  Expect(from(1e38f, 1), bad, "offset 0 = 1e+38");
}

TEST_F(PostTraining, CalibratedChannels) {
  const std::vector<uint64_t> shape = {3, 40};
  std::vector<float> x = Normal(120, 9);
  for (size_t i = 0; i < 40; ++i) x[40 + i] *= 100.0f;
  const bnq_array array = View(x, shape);
  ASSERT_EQ(bnq_options_set_text(bnq_calibrator_settings(calibrator_),
                                 "granularity", "channel"),
            BNQ_OK);
  ASSERT_EQ(
      bnq_options_set_text(bnq_calibrator_settings(calibrator_), "axis", "0"),
      BNQ_OK);
  ASSERT_EQ(bnq_calibrator_observe(context_, calibrator_, &array), BNQ_OK);
  bnq_config* const config = Config("int8_per_channel");
  bnq_tensor *calibrated = nullptr, *found = nullptr;
  ASSERT_EQ(bnq_tensor_quantize_calibrated(context_, config, calibrator_,
                                           &array, nullptr, &calibrated),
            BNQ_OK)
      << bnq_last_error();
  ASSERT_EQ(bnq_tensor_quantize(context_, config, &array, &found), BNQ_OK);
  EXPECT_EQ(Values(calibrated, 120), Values(found, 120));
  bnq_tensor_destroy(calibrated);
  bnq_tensor_destroy(found);
  Expect(
      bnq_tensor_quantize_calibrated(context_, Config("int8_symmetric"),
                                     calibrator_, &array, nullptr, &calibrated),
      BNQ_ERROR_INVALID_ARGUMENT, "granularity = tensor, must be channel");
  Expect(bnq_tensor_quantize_calibrated(
             context_, Config("int8_per_channel,axis=1"), calibrator_, &array,
             nullptr, &calibrated),
         BNQ_ERROR_INVALID_ARGUMENT, "axis = 1, must be 0");
}

TEST_F(PostTraining, OneCall) {
  const std::vector<uint64_t> shape = {40000};
  std::vector<float> x = Normal(40000, 5);
  x[7] = 300.0f;
  const bnq_array array = View(x, shape);
  bnq_config* const config = Config("format=int4,granularity=tensor");
  double metrics[5], plain = 0.0;
  for (int32_t method : {BNQ_METHOD_MINMAX, BNQ_METHOD_PERCENTILE}) {
    bnq_tensor* tensor = nullptr;
    ASSERT_EQ(
        bnq_quantize_tensor_auto(context_, config, method, &array, &tensor),
        BNQ_OK)
        << bnq_last_error();
    ASSERT_EQ(bnq_tensor_compare(context_, &array, tensor, metrics, 2), BNQ_OK);
    if (method == BNQ_METHOD_MINMAX) plain = metrics[BNQ_METRIC_MAE];
    bnq_tensor_destroy(tensor);
  }
  // One outlier no longer decides the scale.
  EXPECT_LT(metrics[BNQ_METRIC_MAE], plain / 2);
  bnq_tensor* tensor = nullptr;
  ASSERT_EQ(
      bnq_quantize_tensor_percentile(context_, config, 99.9, &array, &tensor),
      BNQ_OK)
      << bnq_last_error();
  ASSERT_EQ(bnq_tensor_compare(context_, &array, tensor, metrics, 2), BNQ_OK);
  EXPECT_LT(metrics[BNQ_METRIC_MAE], plain / 2);
  bnq_tensor_destroy(tensor);
  Expect(bnq_quantize_tensor_auto(context_, config, 77, &array, &tensor),
         BNQ_ERROR_INVALID_ARGUMENT, "method = 77");
  Expect(bnq_quantize_tensor_auto(context_, Config("int4_per_group_32"), 0,
                                  &array, &tensor),
         BNQ_ERROR_INVALID_ARGUMENT, "granularity = group");
}

// A set: observed in two places, merged, saved and loaded, is the one observed
// in one place; another method's range comes out of what it kept.
TEST_F(PostTraining, Sets) {
  ASSERT_EQ(bnq_options_set_text(bnq_calibrator_settings(calibrator_), "method",
                                 "kl"),
            BNQ_OK);
  bnq_calibration *one = nullptr, *a = nullptr, *b = nullptr, *loaded = nullptr;
  for (bnq_calibration** set : {&one, &a, &b}) {
    ASSERT_EQ(bnq_calibration_create(calibrator_, set), BNQ_OK);
  }
  const std::vector<uint64_t> shape = {10, 30};
  for (uint32_t i = 0; i < 6; ++i) {
    const std::vector<float> x = Normal(300, i);
    const bnq_array array = View(x, shape);
    const char* const name = i % 3 == 0 ? "attention" : "mlp";
    ASSERT_EQ(bnq_calibration_observe(context_, one, name, &array), BNQ_OK);
    ASSERT_EQ(bnq_calibration_observe(context_, i < 3 ? a : b, name, &array),
              BNQ_OK);
  }
  ASSERT_EQ(bnq_calibration_merge(context_, a, b), BNQ_OK) << bnq_last_error();
  bnq_calibration_destroy(b);
  const std::string path = Path("set.bnq");
  ASSERT_EQ(bnq_calibration_save(context_, a, path.c_str(), 0), BNQ_OK)
      << bnq_last_error();
  EXPECT_EQ(bnq_calibration_save(context_, a, path.c_str(), 0),
            BNQ_ERROR_EXISTS);
  ASSERT_EQ(bnq_calibration_load(context_, path.c_str(), &loaded), BNQ_OK)
      << bnq_last_error();
  ASSERT_EQ(bnq_calibration_count(loaded), 2u);
  EXPECT_STREQ(bnq_calibration_name(loaded, 0), "attention");
  EXPECT_STREQ(bnq_calibration_name(loaded, 1), "mlp");
  EXPECT_EQ(bnq_calibration_name(loaded, 2), nullptr);
  EXPECT_EQ(bnq_calibration_at(loaded, 2), nullptr);
  for (uint64_t i = 0; i < 2; ++i) {
    uint64_t size = 0;
    std::vector<uint8_t> bytes[2];
    for (int k = 0; k < 2; ++k) {
      const bnq_calibrator* c = bnq_calibration_at(k ? loaded : one, i);
      ASSERT_EQ(bnq_calibrator_serialize(nullptr, c, nullptr, 0, &size),
                BNQ_OK);
      bytes[k].resize(size);
      ASSERT_EQ(
          bnq_calibrator_serialize(nullptr, c, bytes[k].data(), size, &size),
          BNQ_OK);
    }
    EXPECT_EQ(bytes[0], bytes[1]);
  }
  float lo[2], hi[2];
  ASSERT_EQ(
      bnq_calibrator_range(context_, bnq_calibration_at(loaded, 1), lo, hi, 1),
      BNQ_OK);
  ASSERT_EQ(bnq_calibration_set_text(context_, loaded, "method", "minmax"),
            BNQ_OK)
      << bnq_last_error();
  ASSERT_EQ(bnq_calibrator_range(context_, bnq_calibration_at(loaded, 1),
                                 lo + 1, hi + 1, 1),
            BNQ_OK);
  EXPECT_LE(hi[0], hi[1]);
  // And back: the histogram went on being kept.
  ASSERT_EQ(bnq_calibration_set_text(context_, loaded, "method", "kl"), BNQ_OK)
      << bnq_last_error();
  ASSERT_EQ(bnq_calibrator_range(context_, bnq_calibration_at(loaded, 1),
                                 lo + 1, hi + 1, 1),
            BNQ_OK);
  EXPECT_EQ(hi[0], hi[1]);
  // What another set alone has observed can still be merged.
  bnq_calibration* other = nullptr;
  ASSERT_EQ(bnq_calibration_create(calibrator_, &other), BNQ_OK);
  const std::vector<float> y = Normal(300, 77);
  const bnq_array more = View(y, shape);
  ASSERT_EQ(bnq_calibration_observe(context_, other, "head", &more), BNQ_OK);
  ASSERT_EQ(bnq_calibration_set_text(context_, other, "method", "minmax"),
            BNQ_OK);
  ASSERT_EQ(bnq_calibration_set_text(context_, a, "method", "minmax"), BNQ_OK);
  ASSERT_EQ(bnq_calibration_merge(context_, a, other), BNQ_OK)
      << bnq_last_error();
  EXPECT_EQ(bnq_calibration_count(a), 3u);
  bnq_calibration_destroy(other);
  Expect(bnq_calibration_set_text(context_, loaded, "method", "adaptive"),
         BNQ_ERROR_INVALID_ARGUMENT, "order of batches");
  Expect(bnq_calibration_set_text(context_, loaded, "bins", "64"),
         BNQ_ERROR_INVALID_ARGUMENT, "bins");
  Expect(
      bnq_calibration_load(context_, BNQ_TEST_MODELS "/digits.safetensors", &b),
      BNQ_ERROR_CORRUPT_FILE, "not a file of calibrators");
  EXPECT_EQ(b, nullptr);
  for (bnq_calibration* set : {one, a, loaded}) bnq_calibration_destroy(set);
}

TEST_F(PostTraining, ModelFile) {
  bnq_calibration* set = nullptr;
  ASSERT_EQ(bnq_calibration_create(nullptr, &set), BNQ_OK);
  const std::vector<uint64_t> shape = {5, 64};
  const std::vector<float> x = Normal(320, 1);
  const bnq_array array = View(x, shape);
  ASSERT_EQ(bnq_calibration_observe(context_, set, "layers.0", &array), BNQ_OK);
  bnq_plan* plan = nullptr;
  ASSERT_EQ(bnq_plan_create(&plan), BNQ_OK);
  ASSERT_EQ(bnq_plan_add(plan, "*.weight", 2, Config("int4_per_group_32")),
            BNQ_OK);
  const std::string output = Path("model.bnq");
  bnq_report* report = nullptr;
  const char* const model = BNQ_TEST_MODELS "/digits.safetensors";
  ASSERT_EQ(bnq_post_training_quantize_file(
                context_, plan, set, Config("int8_asymmetric"), model,
                output.c_str(), 0, 0, nullptr, nullptr, &report),
            BNQ_OK)
      << bnq_last_error();
  EXPECT_EQ(bnq_report_count(report), 8u);
  bnq_report_destroy(report);
  bnq_file* file = nullptr;
  ASSERT_EQ(bnq_file_open(context_, output.c_str(), 0, &file), BNQ_OK);
  ASSERT_EQ(bnq_file_verify(context_, file, nullptr, nullptr), BNQ_OK);
  uint64_t index = 0;
  float stored = 0.0f, scale = 0.0f;
  int8_t stored_zero = 0, zero = 0;
  ASSERT_EQ(bnq_file_find(file, "layers.0.input_scale", &index), BNQ_OK);
  ASSERT_EQ(bnq_file_read(context_, file, index, &stored, 4), BNQ_OK);
  ASSERT_EQ(bnq_file_find(file, "layers.0.input_zero_point", &index), BNQ_OK);
  ASSERT_EQ(bnq_file_read(context_, file, index, &stored_zero, 1), BNQ_OK);
  ASSERT_EQ(bnq_calibrator_params(context_, bnq_calibration_at(set, 0),
                                  Config("int8_asymmetric"), &scale, &zero,
                                  nullptr, 1),
            BNQ_OK);
  EXPECT_EQ(stored, scale);
  EXPECT_EQ(stored_zero, zero);
  EXPECT_NE(bnq_file_find(file, "layers.0.input_offset", &index), BNQ_OK);
  bnq_file_close(file);

  // Under an offset this comes in place of the zero point.
  bnq_config* const with_offset =
      Config("format=int8,granularity=tensor,scheme=offset");
  ASSERT_EQ(bnq_post_training_quantize_file(
                context_, plan, set, with_offset, model, output.c_str(),
                BNQ_WRITE_OVERWRITE, 0, nullptr, nullptr, &report),
            BNQ_OK)
      << bnq_last_error();
  bnq_report_destroy(report);
  ASSERT_EQ(bnq_file_open(context_, output.c_str(), 0, &file), BNQ_OK);
  float offset = 0.0f;
  ASSERT_EQ(bnq_file_find(file, "layers.0.input_offset", &index), BNQ_OK);
  ASSERT_EQ(bnq_file_read(context_, file, index, &stored, 4), BNQ_OK);
  EXPECT_NE(bnq_file_find(file, "layers.0.input_zero_point", &index), BNQ_OK);
  Expect(bnq_calibrator_params(context_, bnq_calibration_at(set, 0),
                               with_offset, &scale, &zero, nullptr, 1),
         BNQ_ERROR_INVALID_ARGUMENT, "offsets");
  ASSERT_EQ(bnq_calibrator_params(context_, bnq_calibration_at(set, 0),
                                  with_offset, &scale, nullptr, &offset, 1),
            BNQ_OK);
  EXPECT_EQ(stored, offset);
  EXPECT_LT(offset, 0.0f);
  bnq_file_close(file);

  // A name that the model has already leaves nothing behind.
  bnq_writer* writer = nullptr;
  const std::string taken = Path("taken.safetensors");
  ASSERT_EQ(bnq_writer_create(context_, taken.c_str(), BNQ_FILE_SAFETENSORS, 0,
                              0, &writer),
            BNQ_OK);
  ASSERT_EQ(bnq_writer_add_array(writer, "layers.0.input_scale", &array),
            BNQ_OK);
  ASSERT_EQ(bnq_writer_finish(writer), BNQ_OK);
  bnq_writer_destroy(writer);
  const std::string other = Path("other.bnq");
  Expect(bnq_post_training_quantize_file(context_, plan, set, nullptr,
                                         taken.c_str(), other.c_str(), 0, 0,
                                         nullptr, nullptr, nullptr),
         BNQ_ERROR_INVALID_ARGUMENT, "layers.0.input_scale");
  EXPECT_FALSE(fs::exists(other));
  bnq_plan_destroy(plan);
  bnq_calibration_destroy(set);
}

TEST_F(PostTraining, Distributions) {
  const std::vector<uint64_t> shape = {20000};
  const std::vector<float> x = Normal(20000, 2);
  std::vector<float> y = x;
  const bnq_array a = View(x, shape), b = View(y, shape);
  std::vector<uint64_t> counts(9);
  double most = -1.0, kl = -1.0;
  ASSERT_EQ(
      bnq_compare_histogram(context_, &a, &b, 9, counts.data(), &most, &kl),
      BNQ_OK)
      << bnq_last_error();
  EXPECT_EQ(most, 0.0);
  EXPECT_EQ(kl, 0.0);
  EXPECT_EQ(counts[4], 20000u);
  // Errors of -1, 0 and 1 in known numbers.
  for (size_t i = 0; i < 20000; ++i) {
    y[i] = std::nearbyint(y[i] * 64.0f) / 64.0f;
  }
  std::vector<float> z = y;
  for (size_t i = 0; i < 300; ++i) z[i] += 1.0f;
  for (size_t i = 300; i < 400; ++i) z[i] -= 1.0f;
  const bnq_array p = View(y, shape), q = View(z, shape);
  ASSERT_EQ(
      bnq_compare_histogram(context_, &p, &q, 9, counts.data(), &most, &kl),
      BNQ_OK);
  EXPECT_EQ(most, 1.0);
  EXPECT_EQ(counts[0], 300u);
  EXPECT_EQ(counts[4], 19600u);
  EXPECT_EQ(counts[8], 100u);
  EXPECT_GT(kl, 0.0);
  // The coarser the codes, the further apart the distributions.
  double last = 0.0;
  for (const char* text :
       {"int8_symmetric", "format=int4,granularity=tensor", "ternary"}) {
    bnq_tensor* tensor = nullptr;
    ASSERT_EQ(bnq_tensor_quantize(context_, Config(text), &a, &tensor), BNQ_OK);
    ASSERT_EQ(bnq_tensor_compare_histogram(context_, &a, tensor, 9,
                                           counts.data(), &most, &kl),
              BNQ_OK)
        << bnq_last_error();
    const std::vector<float> out = Values(tensor, 20000);
    const bnq_array o = View(out, shape);
    double again = 0.0;
    ASSERT_EQ(
        bnq_compare_histogram(nullptr, &a, &o, 9, nullptr, nullptr, &again),
        BNQ_OK);
    EXPECT_EQ(kl, again);
    uint64_t total = 0;
    for (uint64_t c : counts) total += c;
    EXPECT_EQ(total, 20000u);
    EXPECT_GT(kl, last) << text;
    last = kl;
    bnq_tensor_destroy(tensor);
  }
  Expect(bnq_compare_histogram(context_, &a, &b, 1, nullptr, nullptr, &kl),
         BNQ_ERROR_INVALID_ARGUMENT, "bins = 1, must be 2 to 65536");
  y[3] = INFINITY;
  const bnq_array bad = View(y, shape);
  Expect(bnq_compare_histogram(context_, &a, &bad, 9, nullptr, nullptr, &kl),
         BNQ_ERROR_NON_FINITE, "other: element 3");
}

}  // namespace
