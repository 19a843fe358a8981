// Convolutions through the C ABI: what is refused and how, memory, threads.
// Results are those of convolution.json (linear_vectors_test.cc).
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "capi_test_util.h"

namespace bnq_test {
namespace {

struct Destroy {
  void operator()(bnq_context* c) const { bnq_context_destroy(c); }
  void operator()(bnq_config* c) const { bnq_config_destroy(c); }
  void operator()(bnq_tensor* t) const { bnq_tensor_destroy(t); }
  void operator()(bnq_operator* o) const { bnq_operator_destroy(o); }
  void operator()(bnq_convolution* c) const { bnq_convolution_destroy(c); }
};
template <class T>
using Owned = std::unique_ptr<T, Destroy>;
using Dims = std::vector<uint64_t>;
using Settings = std::vector<std::pair<const char*, const char*>>;

std::vector<float> Wave(size_t count, float step) {
  std::vector<float> x(count);
  for (size_t i = 0; i < count; ++i) {
    x[i] = std::sin(step * static_cast<float>(i)) * (1.0f + (i % 7));
  }
  return x;
}

size_t SizeOf(const Dims& shape) {
  size_t size = 1;
  for (const uint64_t dim : shape) size *= dim;
  return size;
}

Owned<bnq_tensor> Weight(const Dims& shape, const char* config = "int8") {
  bnq_config* parsed = nullptr;
  EXPECT_EQ(bnq_config_from_text(config, &parsed), BNQ_OK) << bnq_last_error();
  const Owned<bnq_config> owned(parsed);
  const std::vector<float> values = Wave(SizeOf(shape), 0.37f);
  const bnq_array array = {values.data(), shape.data(), BNQ_DTYPE_F32,
                           static_cast<int32_t>(shape.size())};
  bnq_tensor* tensor = nullptr;
  EXPECT_EQ(bnq_tensor_quantize(nullptr, parsed, &array, &tensor), BNQ_OK)
      << bnq_last_error();
  return Owned<bnq_tensor>(tensor);
}

Owned<bnq_operator> Options(const Settings& settings) {
  bnq_operator* options = nullptr;
  EXPECT_EQ(bnq_operator_create(&options), BNQ_OK);
  for (const auto& s : settings) {
    EXPECT_EQ(
        bnq_options_set_text(bnq_operator_settings(options), s.first, s.second),
        BNQ_OK)
        << bnq_last_error();
  }
  return Owned<bnq_operator>(options);
}

bnq_status Create(const bnq_tensor* weight, const Settings& settings,
                  const bnq_array* bias, Owned<bnq_convolution>* out) {
  bnq_convolution* made = nullptr;
  const bnq_status status = bnq_convolution_create(
      nullptr, Options(settings).get(), weight, bias, &made);
  EXPECT_EQ(made == nullptr, status != BNQ_OK);
  out->reset(made);
  return status;
}

bnq_matrix MatrixOf(std::vector<float>& x, uint64_t rows) {
  bnq_matrix m = {};
  m.data = x.data();
  m.rows = rows;
  m.columns = rows != 0 ? x.size() / rows : 0;
  m.dtype = BNQ_DTYPE_F32;
  return m;
}

// Two images of four channels of 5 x 6, 3 x 3 weights, six outputs of two
// groups: 5 x 3 pixels.
constexpr uint64_t kItems = 2, kHeight = 5, kWidth = 6, kOutputs = 6;
const Dims kWeight = {kOutputs, 2, 3, 3};
const Settings kSettings = {{"input", "int8"},     {"groups", "2"},
                            {"stride_width", "2"}, {"pad_top", "1"},
                            {"pad_left", "1"},     {"pad_bottom", "1"},
                            {"pad_right", "1"}};

class Convolutions : public testing::Test {
 protected:
  bnq_status Run(const bnq_matrix& x, const bnq_matrix& y,
                 void* workspace = nullptr, uint64_t bytes = 0) {
    return bnq_convolution_run(layer_.get(), nullptr, &x, kHeight, kWidth, &y,
                               workspace, bytes);
  }
  void Make(const Settings& more) {
    Settings settings = kSettings;
    settings.insert(settings.end(), more.begin(), more.end());
    ASSERT_EQ(Create(Weight(kWeight).get(), settings, nullptr, &layer_), BNQ_OK)
        << bnq_last_error();
  }
  void SetUp() override { Make({}); }
  bnq_matrix x() { return MatrixOf(x_, kItems); }
  bnq_matrix y() { return MatrixOf(y_, kItems); }

  std::vector<float> x_ = Wave(kItems * 4 * kHeight * kWidth, 0.11f);
  const std::vector<float> untouched_ =
      std::vector<float>(kItems * kOutputs * 5 * 3, 99.0f);
  std::vector<float> y_ = untouched_;
  Owned<bnq_convolution> layer_;
};

TEST_F(Convolutions, SayTheirOutput) {
  uint64_t channels = 0, height = 0, width = 0;
  ASSERT_EQ(bnq_convolution_output(layer_.get(), kHeight, kWidth, &channels,
                                   &height, &width),
            BNQ_OK);
  EXPECT_EQ(channels, kOutputs);
  EXPECT_EQ(height, 5u);
  EXPECT_EQ(width, 3u);
  ASSERT_EQ(
      bnq_convolution_output(layer_.get(), 0, 1, nullptr, &height, nullptr),
      BNQ_OK);
  EXPECT_EQ(height, 0u);
}

TEST_F(Convolutions, RefuseShapes) {
  bnq_matrix a = x(), b = y();
  a.columns -= 1;
  Expect(Run(a, b), BNQ_ERROR_INVALID_ARGUMENT,
         "x is of shape [2, 119], must be [items, 120], 4 channels of 5 x 6");
  b.columns += 1;
  Expect(Run(x(), b), BNQ_ERROR_INVALID_ARGUMENT,
         "y is of shape [2, 91], must be [2, 90], 6 channels of 5 x 3");
  b = y();
  b.rows = 1;
  Expect(Run(x(), b), BNQ_ERROR_INVALID_ARGUMENT,
         "y is of shape [1, 90], must be [2, 90]");
  const bnq_matrix in = x(), out = y();
  Expect(bnq_convolution_run(layer_.get(), nullptr, &in, kWidth, kHeight, &out,
                             nullptr, 0),
         BNQ_ERROR_INVALID_ARGUMENT, "6 channels of 6 x 3");
  a = x();
  a.row_stride = 479;
  Expect(Run(a, y()), BNQ_ERROR_INVALID_ARGUMENT, "x: row_stride = 479");
  EXPECT_EQ(y_, untouched_);
}

TEST_F(Convolutions, RefuseSizesThatOverflow) {
  const uint64_t most = ~uint64_t{0}, large = uint64_t{1} << 60;
  const auto bad = BNQ_ERROR_INVALID_ARGUMENT;
  uint64_t bytes = 7;
  const auto ask = [&](uint64_t items, uint64_t height, uint64_t width) {
    return bnq_convolution_workspace(layer_.get(), items, height, width,
                                     &bytes);
  };
  Expect(ask(1, most, 1), bad,
         "images of 18446744073709551615 x 1 are too large");
  Expect(ask(1, 1, uint64_t{1} << 61), bad, "1 x 2305843009213693952");
  Expect(ask(1, large, large), bad, "size of an image overflows 64 bits");
  Expect(ask(1, large, 3), bad, "overflows 64 bits");
  Expect(ask(most, kHeight, kWidth), bad, "overflows 64 bits");
  Expect(
      bnq_convolution_output(layer_.get(), most, 1, nullptr, nullptr, nullptr),
      bad, "too large");
  EXPECT_EQ(bytes, 7u);
  // Of steps and weights that are far apart, sizes are still their own.
  Make({{"dilation_height", "65536"},
        {"pad_top", "65536"},
        {"pad_bottom", "65536"},
        {"stride_height", "65536"}});
  uint64_t height = 0;
  ASSERT_EQ(bnq_convolution_output(layer_.get(), 1, kWidth, nullptr, &height,
                                   nullptr),
            BNQ_OK)
      << bnq_last_error();
  EXPECT_EQ(height, 1u);
  ASSERT_EQ(ask(1, 1, kWidth), BNQ_OK) << bnq_last_error();
  EXPECT_LT(bytes, 1u << 20);
}

TEST_F(Convolutions, RefuseTypes) {
  bnq_matrix a = x(), b = y();
  a.dtype = BNQ_DTYPE_F64;
  Expect(Run(a, y()), BNQ_ERROR_INVALID_ARGUMENT, "must be F32, F16, BF16");
  b.dtype = BNQ_DTYPE_U8;
  Expect(Run(x(), b), BNQ_ERROR_INVALID_ARGUMENT,
         "y is of U8, must be of F32, F16 or BF16");
  a = x();
  a.dtype = BNQ_DTYPE_I8;
  Expect(Run(a, y()), BNQ_ERROR_INVALID_ARGUMENT,
         "x has no scales, and the operator no input_scale");
  std::vector<float> scales = {0.5f, -1.0f};
  a.scales = scales.data();
  Expect(Run(a, y()), BNQ_ERROR_INVALID_ARGUMENT, "x: scales[1] = -1");
  scales[1] = 1.0f;
  std::vector<int32_t> zeros = {0, 128};
  a.zero_points = zeros.data();
  Expect(Run(a, y()), BNQ_ERROR_INVALID_ARGUMENT, "zero_points[1] = 128");
  Make({{"output", "int8"}, {"output_scale", "1"}});
  Expect(Run(x(), y()), BNQ_ERROR_INVALID_ARGUMENT, "must be of I8");
  EXPECT_EQ(y_, untouched_);
}

TEST_F(Convolutions, RefuseMemoryThatOverlapsOrIsShort) {
  bnq_matrix b = y();
  b.data = x_.data() + x_.size() - 1;
  Expect(Run(x(), b), BNQ_ERROR_INVALID_ARGUMENT, "y overlaps x");
  uint64_t bytes = 0;
  ASSERT_EQ(
      bnq_convolution_workspace(layer_.get(), kItems, kHeight, kWidth, &bytes),
      BNQ_OK);
  std::vector<uint8_t> memory(bytes + 256, 0xA5);
  uint8_t* const start =
      memory.data() + 128 - reinterpret_cast<uintptr_t>(memory.data()) % 64;
  Expect(Run(x(), y(), start, bytes - 1), BNQ_ERROR_INVALID_ARGUMENT,
         "workspace_bytes = " + std::to_string(bytes - 1) +
             ", must be at least " + std::to_string(bytes));
  Expect(Run(x(), y(), start + 32, bytes), BNQ_ERROR_INVALID_ARGUMENT,
         "must be aligned to 64 bytes");
  EXPECT_EQ(y_, untouched_);
  ASSERT_EQ(Run(x(), y(), start, bytes), BNQ_OK) << bnq_last_error();
  for (uint8_t* p = memory.data(); p < memory.data() + memory.size(); ++p) {
    if (p < start || p >= start + bytes) ASSERT_EQ(*p, 0xA5) << p - start;
  }
  const std::vector<float> with = std::move(y_);
  y_ = untouched_;
  ASSERT_EQ(Run(x(), y()), BNQ_OK);
  EXPECT_EQ(with, y_);
}

TEST_F(Convolutions, RefuseWhatIsNotFinite) {
  x_[4 * kHeight * kWidth + 17] = std::numeric_limits<float>::infinity();
  const char* const message = "x[1, 17] = inf, must be finite to be quantized";
  Expect(Run(x(), y()), BNQ_ERROR_NON_FINITE, message);
  Make({{"input", "bitnet"}});
  Expect(Run(x(), y()), BNQ_ERROR_NON_FINITE, message);
  Make({{"input", "static"}, {"input_scale", "0.1"}});
  Expect(Run(x(), y()), BNQ_ERROR_NON_FINITE, message);
  Make({{"input", "float"}});
  y_ = untouched_;
  ASSERT_EQ(Run(x(), y()), BNQ_OK) << bnq_last_error();
  for (size_t i = 0; i < y_.size() / kItems; ++i) {
    ASSERT_TRUE(std::isfinite(y_[i])) << i;
  }
}

TEST(Convolution, RefusesWeightsOptionsAndBiases) {
  const auto bad = BNQ_ERROR_INVALID_ARGUMENT;
  Owned<bnq_convolution> layer;
  const auto create = [&](const Dims& shape, const Settings& settings,
                          const bnq_array* bias = nullptr) {
    return Create(Weight(shape).get(), settings, bias, &layer);
  };
  Expect(create({6, 8}, {}), bad,
         "weight is of shape [6, 8], must have three or four dimensions");
  Expect(create({6, 8, 1, 1, 1}, {}), bad, "[6, 8, 1, 1, 1]");
  Expect(create({6}, {}), bad, "weight is of shape [6]");
  Expect(create(kWeight, {{"groups", "4"}}), bad,
         "groups = 4, must divide the outputs of the weight, 6");
  Expect(create(kWeight, {{"input", "static"}}), bad,
         "input_scale = 0, must be above 0 for input = static");
  Expect(create(kWeight, {{"output", "uint8"}}), bad,
         "output_scale = 0, must be above 0");
  float values[7] = {};
  uint64_t length = 7;
  bnq_array bias = {values, &length, BNQ_DTYPE_F32, 1};
  Expect(create(kWeight, {}, &bias), bad, "bias has 7 elements, must have 6");
  length = 6;
  bias.dtype = BNQ_DTYPE_I32;
  ASSERT_EQ(create(kWeight, {}, &bias), BNQ_OK) << bnq_last_error();
  std::vector<float> x(2 * 9), y(6);
  const bnq_matrix in = MatrixOf(x, 1), out = MatrixOf(y, 1);
  Expect(bnq_convolution_run(layer.get(), nullptr, &in, 3, 3, &out, nullptr, 0),
         BNQ_ERROR_UNSUPPORTED,
         "a bias of integers needs inputs of codes, but input = float");
  const Owned<bnq_operator> options = Options({});
  bnq_options* const settings = bnq_operator_settings(options.get());
  for (const char* side : {"pad_top", "pad_left", "pad_bottom", "pad_right"}) {
    Expect(bnq_options_set_text(settings, side, "-1"), bad, side);
    Expect(bnq_options_set_text(settings, side, "65537"), bad, "65536");
  }
  for (const char* name : {"stride_height", "stride_width", "dilation_height",
                           "dilation_width", "groups"}) {
    Expect(bnq_options_set_text(settings, name, "0"), bad, name);
  }
  Expect(bnq_options_set_text(settings, "layout", "hwcn"), bad, "nhwc");
}

// Weights whose inputs were scaled are those of linear layers.
TEST(Convolution, RefusesInputScales) {
  const Owned<bnq_tensor> weight = Weight({2, 3, 1, 1});
  const std::vector<float> ones(3, 2.0f);
  bnq_part parts[3] = {};
  ASSERT_EQ(bnq_tensor_part(weight.get(), BNQ_PART_CODES, &parts[0]), BNQ_OK);
  ASSERT_EQ(bnq_tensor_part(weight.get(), BNQ_PART_SCALES, &parts[1]), BNQ_OK);
  parts[2] = parts[1];
  parts[2].part = BNQ_PART_INPUT_SCALES;
  parts[2].data = ones.data();
  parts[2].count = 3;
  parts[2].bytes = 12;
  bnq_config* config = nullptr;
  ASSERT_EQ(bnq_config_from_text("int8", &config), BNQ_OK);
  const Owned<bnq_config> owned(config);
  const Dims shape = {2, 3, 1, 1};
  bnq_tensor* scaled = nullptr;
  ASSERT_EQ(
      bnq_tensor_create(nullptr, config, 4, shape.data(), parts, 3, 0, &scaled),
      BNQ_OK)
      << bnq_last_error();
  const Owned<bnq_tensor> tensor(scaled);
  Owned<bnq_convolution> layer;
  Expect(Create(scaled, {}, nullptr, &layer), BNQ_ERROR_UNSUPPORTED,
         "weight has input_scales, which convolutions do not take");
}

TEST(Convolution, RefusesNull) {
  const auto bad = BNQ_ERROR_INVALID_ARGUMENT;
  const Owned<bnq_tensor> weight = Weight({1, 1, 1, 1});
  Owned<bnq_convolution> layer;
  ASSERT_EQ(Create(weight.get(), {}, nullptr, &layer), BNQ_OK);
  bnq_convolution* made = nullptr;
  std::vector<float> x(4), y(4);
  const bnq_matrix in = MatrixOf(x, 1), out = MatrixOf(y, 1);
  uint64_t bytes = 0;
  Expect(bnq_convolution_create(nullptr, nullptr, nullptr, nullptr, &made), bad,
         "weight is NULL");
  Expect(
      bnq_convolution_create(nullptr, nullptr, weight.get(), nullptr, nullptr),
      bad, "out_convolution is NULL");
  Expect(bnq_convolution_output(nullptr, 1, 1, nullptr, nullptr, nullptr), bad,
         "convolution is NULL");
  Expect(bnq_convolution_workspace(nullptr, 1, 1, 1, &bytes), bad,
         "convolution is NULL");
  Expect(bnq_convolution_workspace(layer.get(), 1, 1, 1, nullptr), bad,
         "out_bytes is NULL");
  Expect(bnq_convolution_run(nullptr, nullptr, &in, 2, 2, &out, nullptr, 0),
         bad, "convolution is NULL");
  Expect(bnq_convolution_run(layer.get(), nullptr, nullptr, 2, 2, &out, nullptr,
                             0),
         bad, "x is NULL");
  Expect(
      bnq_convolution_run(layer.get(), nullptr, &in, 2, 2, nullptr, nullptr, 0),
      bad, "y is NULL");
  bnq_convolution_destroy(nullptr);
}

// No images, channels, pixels, outputs or weights: nothing, or the bias.
TEST(Convolution, EmptyDimensions) {
  struct Empty {
    Dims weight;
    uint64_t items, height, width, pixels;
  };
  const Empty cases[] = {{{2, 3, 2, 2}, 0, 4, 4, 9}, {{2, 0, 2, 2}, 1, 4, 4, 9},
                         {{2, 3, 2, 2}, 1, 0, 4, 0}, {{2, 3, 2, 2}, 1, 4, 0, 0},
                         {{0, 3, 2, 2}, 1, 4, 4, 9}, {{2, 3, 5, 1}, 1, 4, 4, 0},
                         {{2, 3, 0, 2}, 1, 4, 4, 0}, {{2, 3, 2, 0}, 1, 4, 4, 0},
                         {{0, 1, 2, 2}, 1, 4, 4, 9}};
  const float values[2] = {0.0f, 1.5f};
  for (const Empty& c : cases) {
    for (const char* input : {"float", "int8"}) {
      for (const char* layout : {"nchw", "nhwc"}) {
        SCOPED_TRACE(std::string(input) + " " + layout + " " +
                     std::to_string(&c - cases));
        Dims shape = c.weight;
        const uint64_t channels = shape[1];
        if (layout[1] == 'h') shape = {shape[0], shape[2], shape[3], shape[1]};
        const bnq_array bias = {values, shape.data(), BNQ_DTYPE_F32, 1};
        Owned<bnq_convolution> layer;
        ASSERT_EQ(Create(Weight(shape).get(),
                         {{"input", input}, {"layout", layout}}, &bias, &layer),
                  BNQ_OK)
            << bnq_last_error();
        std::vector<float> x = Wave(c.items * channels * c.height * c.width, 1);
        std::vector<float> y(c.items * shape[0] * c.pixels, 99.0f);
        bnq_matrix in = MatrixOf(x, c.items), out = MatrixOf(y, c.items);
        in.columns = channels * c.height * c.width;
        out.columns = shape[0] * c.pixels;
        ASSERT_EQ(bnq_convolution_run(layer.get(), nullptr, &in, c.height,
                                      c.width, &out, nullptr, 0),
                  BNQ_OK)
            << bnq_last_error();
        if (channels != 0) continue;
        float sum = 0.0f;
        for (const float v : y) {
          EXPECT_TRUE(v == 0.0f || v == 1.5f) << v;
          sum += v;
        }
        EXPECT_EQ(sum, 9 * 1.5f);
      }
    }
  }
}

// An image among others is that image alone, whatever the threads.
TEST(Convolution, ThreadsAndCompanyChangeNothing) {
  const uint64_t items = 3, size = 20;
  for (const Dims& shape : {Dims{150, 8, 3, 3}, Dims{24, 1, 3, 3}}) {
    const uint64_t channels = shape[1] == 1 ? shape[0] : shape[1];
    const std::string groups = std::to_string(channels / shape[1]);
    Owned<bnq_convolution> layer;
    ASSERT_EQ(Create(Weight(shape, "int4,granularity=channel").get(),
                     {{"input", "int8_asymmetric"},
                      {"groups", groups.c_str()},
                      {"pad_top", "1"}},
                     nullptr, &layer),
              BNQ_OK)
        << bnq_last_error();
    const uint64_t image = channels * size * size;
    const uint64_t made = shape[0] * (size - 1) * (size - 2);
    std::vector<float> x = Wave(items * image, 0.11f), y(items * made);
    const bnq_matrix out = MatrixOf(y, items), in = MatrixOf(x, items);
    ASSERT_EQ(bnq_convolution_run(layer.get(), nullptr, &in, size, size, &out,
                                  nullptr, 0),
              BNQ_OK)
        << bnq_last_error();
    const std::vector<float> expected = y;
    for (const int threads : {2, 5}) {
      bnq_context* context = nullptr;
      ASSERT_EQ(bnq_context_create(nullptr, &context), BNQ_OK);
      const Owned<bnq_context> owned(context);
      ASSERT_EQ(bnq_context_set_threads(context, threads), BNQ_OK);
      y.assign(y.size(), 99.0f);
      ASSERT_EQ(bnq_convolution_run(layer.get(), context, &in, size, size, &out,
                                    nullptr, 0),
                BNQ_OK);
      EXPECT_EQ(y, expected);
      const auto stop = [](void*) -> int32_t { return 1; };
      ASSERT_EQ(bnq_context_set_interrupt(context, stop, nullptr), BNQ_OK);
      bnq_status status = BNQ_OK;
      // Asked after some work at the latest.
      for (int i = 0; i < 10000 && status == BNQ_OK; ++i) {
        status = bnq_convolution_run(layer.get(), context, &in, size, size,
                                     &out, nullptr, 0);
      }
      Expect(status, BNQ_ERROR_CANCELLED, "interrupt");
    }
    std::vector<float> one(x.begin() + image, x.begin() + 2 * image),
        alone(made);
    const bnq_matrix first = MatrixOf(one, 1), second = MatrixOf(alone, 1);
    ASSERT_EQ(bnq_convolution_run(layer.get(), nullptr, &first, size, size,
                                  &second, nullptr, 0),
              BNQ_OK);
    EXPECT_EQ(alone, std::vector<float>(expected.begin() + made,
                                        expected.begin() + 2 * made));
  }
}

}  // namespace
}  // namespace bnq_test
