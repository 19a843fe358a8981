// Linear layers through the C ABI: what is refused and how, lifetimes, memory,
// threads. Results are those of linear.json (linear_vectors_test.cc).
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "capi_test_util.h"

namespace bnq_test {
namespace {

struct Destroy {
  void operator()(bnq_context* c) const { bnq_context_destroy(c); }
  void operator()(bnq_config* c) const { bnq_config_destroy(c); }
  void operator()(bnq_tensor* t) const { bnq_tensor_destroy(t); }
  void operator()(bnq_operator* o) const { bnq_operator_destroy(o); }
  void operator()(bnq_linear* l) const { bnq_linear_destroy(l); }
};
template <class T>
using Owned = std::unique_ptr<T, Destroy>;

std::vector<float> Wave(size_t count, float step) {
  std::vector<float> x(count);
  for (size_t i = 0; i < count; ++i) {
    x[i] = std::sin(step * static_cast<float>(i)) * (1.0f + (i % 7));
  }
  return x;
}

Owned<bnq_tensor> Weight(const std::string& config, uint64_t n, uint64_t k) {
  bnq_config* parsed = nullptr;
  EXPECT_EQ(bnq_config_from_text(config.c_str(), &parsed), BNQ_OK)
      << bnq_last_error();
  const Owned<bnq_config> owned(parsed);
  const std::vector<float> values = Wave(n * k, 0.37f);
  const uint64_t shape[2] = {n, k};
  const bnq_array array = {values.data(), shape, BNQ_DTYPE_F32, 2};
  bnq_tensor* tensor = nullptr;
  EXPECT_EQ(bnq_tensor_quantize(nullptr, parsed, &array, &tensor), BNQ_OK)
      << bnq_last_error();
  return Owned<bnq_tensor>(tensor);
}

using Settings = std::vector<std::pair<const char*, const char*>>;

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

Owned<bnq_linear> Layer(const std::string& config, uint64_t n, uint64_t k,
                        const Settings& settings = {{"input", "int8"}},
                        bnq_context* context = nullptr) {
  bnq_linear* linear = nullptr;
  EXPECT_EQ(bnq_linear_create(context, Options(settings).get(),
                              Weight(config, n, k).get(), nullptr, &linear),
            BNQ_OK)
      << bnq_last_error();
  return Owned<bnq_linear>(linear);
}

bnq_matrix MatrixOf(std::vector<float>& x, uint64_t rows, uint64_t columns) {
  bnq_matrix m = {};
  m.data = x.data();
  m.rows = rows;
  m.columns = columns;
  m.dtype = BNQ_DTYPE_F32;
  return m;
}

std::vector<float> Outputs(const bnq_linear* linear, std::vector<float> x,
                           bnq_context* context = nullptr) {
  const uint64_t k = bnq_linear_inputs(linear), n = bnq_linear_outputs(linear);
  const uint64_t rows = x.size() / k;
  std::vector<float> y(rows * n, 99.0f);
  const bnq_matrix in = MatrixOf(x, rows, k), out = MatrixOf(y, rows, n);
  EXPECT_EQ(bnq_linear_run(linear, context, &in, &out, nullptr, 0), BNQ_OK)
      << bnq_last_error();
  return y;
}

// Bit for bit, and -0 is not 0.
void ExpectSame(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  EXPECT_TRUE(a.empty() || std::memcmp(a.data(), b.data(), 4 * a.size()) == 0);
}

constexpr uint64_t kN = 70, kK = 200, kM = 9;

class LinearRefusals : public testing::Test {
 protected:
  bnq_status RunWith(const bnq_matrix& x, const bnq_matrix& y,
                     void* workspace = nullptr, uint64_t bytes = 0) {
    return bnq_linear_run(linear_.get(), nullptr, &x, &y, workspace, bytes);
  }
  bnq_matrix x() { return MatrixOf(x_, kM, kK); }
  bnq_matrix y() { return MatrixOf(y_, kM, kN); }

  std::vector<float> x_ = Wave(kM * kK, 0.11f);
  std::vector<float> y_ = std::vector<float>(kM * kN, 99.0f);
  Owned<bnq_linear> linear_ = Layer("int8,granularity=channel", kN, kK);
};

TEST_F(LinearRefusals, Shapes) {
  bnq_matrix a = x(), b = y();
  a.columns = kK - 1;
  a.row_stride = 4 * kK;
  Expect(RunWith(a, b), BNQ_ERROR_INVALID_ARGUMENT,
         "x has 199 columns, must have those of the weight, 200");
  b.columns = kN - 1;
  Expect(RunWith(x(), b), BNQ_ERROR_INVALID_ARGUMENT,
         "y is of shape [9, 69], must be [9, 70]");
  b = y();
  b.rows = kM - 1;
  Expect(RunWith(x(), b), BNQ_ERROR_INVALID_ARGUMENT, "[8, 70]");
  a = x();
  a.row_stride = 4 * kK - 1;
  Expect(RunWith(a, y()), BNQ_ERROR_INVALID_ARGUMENT, "row_stride = 799");
  a = x();
  a.rows = std::numeric_limits<uint64_t>::max();
  Expect(RunWith(a, y()), BNQ_ERROR_INVALID_ARGUMENT, "address space");
  EXPECT_EQ(y_, std::vector<float>(kM * kN, 99.0f));
}

TEST_F(LinearRefusals, Types) {
  bnq_matrix a = x(), b = y();
  a.dtype = BNQ_DTYPE_F64;
  Expect(RunWith(a, b), BNQ_ERROR_INVALID_ARGUMENT, "must be F32, F16, BF16");
  b.dtype = BNQ_DTYPE_I8;
  Expect(RunWith(x(), b), BNQ_ERROR_INVALID_ARGUMENT,
         "y is of I8, must be of F32, F16 or BF16");
  linear_ =
      Layer("int8", kN, kK,
            {{"input", "int8"}, {"output", "uint8"}, {"output_scale", "1"}});
  Expect(RunWith(x(), b), BNQ_ERROR_INVALID_ARGUMENT, "must be of U8");
  float scale = 1.0f;
  a = x();
  a.scales = &scale;
  Expect(RunWith(a, y()), BNQ_ERROR_INVALID_ARGUMENT, "x: a matrix of F32");
}

TEST_F(LinearRefusals, Codes) {
  std::vector<int8_t> codes(kM * kK);
  bnq_matrix a = x();
  a.data = codes.data();
  a.dtype = BNQ_DTYPE_I8;
  Expect(RunWith(a, y()), BNQ_ERROR_INVALID_ARGUMENT,
         "x has no scales, and the operator no input_scale");
  std::vector<float> scales(kM, 0.5f);
  scales[4] = -1.0f;
  a.scales = scales.data();
  Expect(RunWith(a, y()), BNQ_ERROR_INVALID_ARGUMENT, "x: scales[4] = -1");
  scales[4] = 0.0f;
  std::vector<int32_t> zero_points(kM, 127);
  zero_points[7] = 128;
  a.zero_points = zero_points.data();
  Expect(RunWith(a, y()), BNQ_ERROR_INVALID_ARGUMENT, "zero_points[7] = 128");
  linear_ = Layer("int8", kN, kK,
                  {{"input_scale", "1"}, {"input_zero_point", "200"}});
  a.scales = nullptr;
  a.zero_points = nullptr;
  Expect(RunWith(a, y()), BNQ_ERROR_INVALID_ARGUMENT,
         "input_zero_point = 200, must be -128 to 127 for x of I8");
}

TEST_F(LinearRefusals, Overlaps) {
  std::vector<float> memory(kM * (kK + kN));
  bnq_matrix a = MatrixOf(memory, kM, kK), b = MatrixOf(memory, kM, kN);
  a.row_stride = b.row_stride = 4 * (kK + kN);
  b.data = memory.data() + kK - 1;
  Expect(RunWith(a, b), BNQ_ERROR_INVALID_ARGUMENT, "y overlaps x");
  b.data = memory.data() + kK;
  EXPECT_EQ(RunWith(a, b), BNQ_OK) << bnq_last_error();
  const bnq_linear* both[2] = {linear_.get(), linear_.get()};
  const bnq_matrix ys[2] = {y(), y()}, in = x();
  Expect(bnq_linear_run_many(both, 2, nullptr, &in, ys, nullptr, 0),
         BNQ_ERROR_INVALID_ARGUMENT, "y overlaps another y");
}

TEST_F(LinearRefusals, Workspaces) {
  uint64_t bytes = 0;
  ASSERT_EQ(bnq_linear_workspace(linear_.get(), kM, &bytes), BNQ_OK);
  std::vector<uint8_t> memory(bytes + 256, 0xA5);
  uint8_t* const start =
      memory.data() + 64 - reinterpret_cast<uintptr_t>(memory.data()) % 64 + 64;
  Expect(RunWith(x(), y(), start, bytes - 1), BNQ_ERROR_INVALID_ARGUMENT,
         "workspace_bytes = " + std::to_string(bytes - 1) +
             ", must be at least " + std::to_string(bytes));
  Expect(RunWith(x(), y(), start + 32, bytes), BNQ_ERROR_INVALID_ARGUMENT,
         "must be aligned to 64 bytes");
  // Of exactly the bytes that were asked for, none beyond them is written.
  ASSERT_EQ(RunWith(x(), y(), start, bytes), BNQ_OK) << bnq_last_error();
  for (uint8_t* p = memory.data(); p < memory.data() + memory.size(); ++p) {
    if (p < start || p >= start + bytes) {
      ASSERT_EQ(*p, 0xA5) << p - start;
    }
  }
  ExpectSame(y_, Outputs(linear_.get(), x_));
  Expect(bnq_linear_workspace(linear_.get(), ~uint64_t{0}, &bytes),
         BNQ_ERROR_INVALID_ARGUMENT, "rows overflows 64 bits");
}

TEST_F(LinearRefusals, WhatIsNotFinite) {
  x_[3 * kK + 17] = std::numeric_limits<float>::infinity();
  Expect(RunWith(x(), y()), BNQ_ERROR_NON_FINITE,
         "x[3, 17] = inf, must be finite to be quantized");
  linear_ =
      Layer("int8", kN, kK, {{"input", "static"}, {"input_scale", "0.1"}});
  Expect(RunWith(x(), y()), BNQ_ERROR_NON_FINITE, "x[3, 17] = inf");
  linear_ = Layer("int8", kN, kK, {{"input", "bitnet"}});
  Expect(RunWith(x(), y()), BNQ_ERROR_NON_FINITE, "x[3, 17] = inf");
  linear_ = Layer("int8", kN, kK, {});
  ASSERT_EQ(RunWith(x(), y()), BNQ_OK);
  EXPECT_FALSE(std::isfinite(y_[3 * kN]));
  EXPECT_TRUE(std::isfinite(y_[4 * kN]));
}

TEST(Linear, RefusesOptionsAndBiases) {
  const Owned<bnq_tensor> weight = Weight("int4_per_group_32", 6, 64);
  bnq_linear* linear = nullptr;
  const auto create = [&](const Settings& settings,
                          const bnq_array* bias = nullptr) {
    return bnq_linear_create(nullptr, Options(settings).get(), weight.get(),
                             bias, &linear);
  };
  Expect(create({{"input", "static"}}), BNQ_ERROR_INVALID_ARGUMENT,
         "input_scale = 0, must be above 0 for input = static");
  Expect(create({{"input", "static"},
                 {"input_scale", "1"},
                 {"input_zero_point", "128"}}),
         BNQ_ERROR_INVALID_ARGUMENT, "input_zero_point = 128");
  Expect(create({{"output", "int8"}}), BNQ_ERROR_INVALID_ARGUMENT,
         "output_scale = 0, must be above 0");
  Expect(create({{"output", "uint8"},
                 {"output_scale", "1"},
                 {"output_zero_point", "-1"}}),
         BNQ_ERROR_INVALID_ARGUMENT,
         "output_zero_point = -1, must be 0 to 255");
  Expect(create({{"stride_width", "2"}}), BNQ_ERROR_UNSUPPORTED,
         "option stride_width = 2 is that of a convolution");
  EXPECT_EQ(linear, nullptr);
  float values[7] = {};
  uint64_t length = 7;
  bnq_array bias = {values, &length, BNQ_DTYPE_F32, 1};
  Expect(create({}, &bias), BNQ_ERROR_INVALID_ARGUMENT,
         "bias has 7 elements, must have 6");
  bias.dtype = BNQ_DTYPE_I8;
  Expect(create({}, &bias), BNQ_ERROR_INVALID_ARGUMENT,
         "bias: dtype = 5 (I8), must be F32, F16, BF16, F64 or I32");
  length = 6;
  bias.dtype = BNQ_DTYPE_I32;
  Expect(create({{"input", "int8"}}, &bias), BNQ_ERROR_UNSUPPORTED,
         "a bias of integers needs one scale for a row of the weight");
  const Owned<bnq_operator> options = Options({});
  bnq_options* const settings = bnq_operator_settings(options.get());
  Expect(bnq_options_set_text(settings, "input", "int9"),
         BNQ_ERROR_INVALID_ARGUMENT, "int8_asymmetric");
  Expect(bnq_options_set_text(settings, "inputs", "int8"), BNQ_ERROR_NOT_FOUND,
         "input");
  Expect(bnq_options_set_int(settings, 1000, 1), BNQ_ERROR_UNSUPPORTED, "1000");
  Expect(bnq_options_set_float(settings, BNQ_OPERATOR_OUTPUT_SCALE, -1.0),
         BNQ_ERROR_INVALID_ARGUMENT, "output_scale");
  EXPECT_EQ(bnq_options_kind(settings), BNQ_OPTIONS_OPERATOR);
}

TEST(Linear, RefusesNull) {
  const Owned<bnq_tensor> weight = Weight("int8", 3, 8);
  const Owned<bnq_linear> linear = Layer("int8", 3, 8);
  std::vector<float> x(8), y(3);
  const bnq_matrix in = MatrixOf(x, 1, 8), out = MatrixOf(y, 1, 3);
  bnq_linear* made = nullptr;
  const auto bad = BNQ_ERROR_INVALID_ARGUMENT;
  Expect(bnq_operator_create(nullptr), bad, "out_operator is NULL");
  bnq_operator* clone = nullptr;
  Expect(bnq_operator_clone(nullptr, &clone), bad, "options is NULL");
  Expect(bnq_operator_check(nullptr, nullptr, nullptr), bad, "config is NULL");
  Expect(bnq_linear_create(nullptr, nullptr, nullptr, nullptr, &made), bad,
         "weight is NULL");
  Expect(bnq_linear_create(nullptr, nullptr, weight.get(), nullptr, nullptr),
         bad, "out_linear is NULL");
  Expect(bnq_linear_workspace(linear.get(), 1, nullptr), bad,
         "out_bytes is NULL");
  uint64_t bytes = 0;
  Expect(bnq_linear_workspace(nullptr, 1, &bytes), bad, "linear is NULL");
  Expect(bnq_linear_run(nullptr, nullptr, &in, &out, nullptr, 0), bad,
         "linear is NULL");
  Expect(bnq_linear_run(linear.get(), nullptr, nullptr, &out, nullptr, 0), bad,
         "x is NULL");
  Expect(bnq_linear_run(linear.get(), nullptr, &in, nullptr, nullptr, 0), bad,
         "y is NULL");
  Expect(bnq_linear_run_many(nullptr, 1, nullptr, &in, &out, nullptr, 0), bad,
         "linears is NULL");
  Expect(bnq_embedding(nullptr, nullptr, nullptr, 0, &out), bad,
         "table is NULL");
  Expect(bnq_embedding(nullptr, weight.get(), nullptr, 1, &out), bad,
         "indices is NULL");
  EXPECT_EQ(bnq_linear_inputs(nullptr), 0u);
  EXPECT_EQ(bnq_linear_outputs(nullptr), 0u);
  EXPECT_EQ(bnq_operator_options(nullptr), nullptr);
  EXPECT_EQ(bnq_operator_settings(nullptr), nullptr);
  bnq_linear_destroy(nullptr);
  bnq_operator_destroy(nullptr);
}

TEST(Linear, EmptyDimensions) {
  for (const char* config :
       {"int8,granularity=channel", "int4_per_group_32", "nf4", "ternary"}) {
    for (const char* input : {"float", "int8", "bitnet"}) {
      SCOPED_TRACE(std::string(config) + " " + input);
      const Settings settings = {{"input", input}, {"function", "sigmoid"}};
      const Owned<bnq_linear> no_inputs = Layer(config, 3, 0, settings);
      std::vector<float> none, y(6, 99.0f);
      bnq_matrix in = MatrixOf(none, 2, 0), out = MatrixOf(y, 2, 3);
      ASSERT_EQ(bnq_linear_run(no_inputs.get(), nullptr, &in, &out, nullptr, 0),
                BNQ_OK)
          << bnq_last_error();
      EXPECT_EQ(y, std::vector<float>(6, 0.5f));
      const Owned<bnq_linear> no_outputs = Layer(config, 0, 40, settings);
      EXPECT_TRUE(Outputs(no_outputs.get(), Wave(80, 1.0f)).empty());
      const Owned<bnq_linear> linear = Layer(config, 3, 40, settings);
      EXPECT_TRUE(Outputs(linear.get(), {}).empty());
    }
  }
}

// The config, the weight and the operator may go before the layer.
TEST(Linear, KeepsItsWeight) {
  const std::vector<float> x = Wave(2 * kK, 0.11f);
  const Owned<bnq_linear> linear = Layer("int8,granularity=channel", kN, kK);
  const std::vector<float> y = Outputs(linear.get(), x);
  const Owned<bnq_tensor> weight = Weight("int8,granularity=channel", kN, kK);
  std::vector<float> values(kN * kK);
  ASSERT_EQ(bnq_tensor_dequantize(nullptr, weight.get(), BNQ_DTYPE_F32,
                                  BNQ_OVERFLOW_ERROR, values.data(),
                                  4 * values.size()),
            BNQ_OK);
  for (uint64_t i = 0; i < y.size(); ++i) {
    double sum = 0.0, size = 0.0;
    for (uint64_t k = 0; k < kK; ++k) {
      const double product =
          static_cast<double>(x[i / kN * kK + k]) * values[i % kN * kK + k];
      sum += product;
      size += std::fabs(product);
    }
    EXPECT_NEAR(y[i], sum, 0.01 * size);
  }
}

// From a mapped file that is closed, and then from its tensor, destroyed.
TEST(Linear, RunsOnAMappedFile) {
  const std::string path = testing::TempDir() + "linear_test.bnq";
  const std::vector<float> x = Wave(3 * kK, 0.11f);
  for (const char* config : {"ternary,packing=base3,granularity=channel",
                             "int4_per_group_32", "nf4", "int8_outliers"}) {
    SCOPED_TRACE(config);
    const Owned<bnq_tensor> weight = Weight(config, kN, kK);
    bnq_writer* writer = nullptr;
    ASSERT_EQ(bnq_writer_create(nullptr, path.c_str(), BNQ_FILE_BNQ,
                                BNQ_WRITE_OVERWRITE, 0, &writer),
              BNQ_OK);
    ASSERT_EQ(bnq_writer_add_tensor(writer, "w", weight.get()), BNQ_OK);
    ASSERT_EQ(bnq_writer_finish(writer), BNQ_OK);
    bnq_writer_destroy(writer);
    bnq_file* file = nullptr;
    ASSERT_EQ(bnq_file_open(nullptr, path.c_str(), 0, &file), BNQ_OK);
    bnq_tensor* tensor = nullptr;
    ASSERT_EQ(bnq_file_tensor(nullptr, file, 0, &tensor), BNQ_OK);
    bnq_linear* linear = nullptr;
    ASSERT_EQ(bnq_linear_create(nullptr, Options({{"input", "int8"}}).get(),
                                tensor, nullptr, &linear),
              BNQ_OK);
    bnq_file_close(file);
    bnq_tensor_destroy(tensor);
    const Owned<bnq_linear> owned(linear);
    ExpectSame(Outputs(linear, x), Outputs(Layer(config, kN, kK).get(), x));
  }
  std::remove(path.c_str());
}

// Quantizing a row, and then giving its codes, is what the layer does itself.
TEST(Linear, DynamicIsQuantizedThenGiven) {
  for (const bool symmetric : {true, false}) {
    std::vector<float> x = Wave(kM * kK, 0.11f);
    const std::string rows = std::string("int8,granularity=token,scheme=") +
                             (symmetric ? "symmetric" : "asymmetric");
    bnq_config* config = nullptr;
    ASSERT_EQ(bnq_config_from_text(rows.c_str(), &config), BNQ_OK);
    const Owned<bnq_config> owned(config);
    const uint64_t shape[2] = {kM, kK};
    const bnq_array array = {x.data(), shape, BNQ_DTYPE_F32, 2};
    bnq_tensor* quantized = nullptr;
    ASSERT_EQ(bnq_tensor_quantize(nullptr, config, &array, &quantized), BNQ_OK);
    const Owned<bnq_tensor> tensor(quantized);
    std::vector<int8_t> codes(x.size());
    ASSERT_EQ(bnq_tensor_unpack(nullptr, quantized, codes.data(), codes.size()),
              BNQ_OK);
    std::vector<float> scales(kM);
    ASSERT_EQ(bnq_tensor_read_scales(quantized, scales.data(), kM), BNQ_OK);
    std::vector<int32_t> zero_points(kM, 0);
    bnq_part part;
    ASSERT_EQ(bnq_tensor_part(quantized, BNQ_PART_ZERO_POINTS, &part), BNQ_OK);
    for (uint64_t m = 0; m < part.count; ++m) {
      zero_points[m] = static_cast<const int8_t*>(part.data)[m];
    }
    for (const char* weight :
         {"int4_per_group_32", "ternary,granularity=channel", "nf4"}) {
      SCOPED_TRACE(weight);
      const Owned<bnq_linear> dynamic = Layer(
          weight, kN, kK, {{"input", symmetric ? "int8" : "int8_asymmetric"}});
      const Owned<bnq_linear> given = Layer(weight, kN, kK, {});
      std::vector<float> y(kM * kN);
      bnq_matrix in = MatrixOf(x, kM, kK), out = MatrixOf(y, kM, kN);
      in.data = codes.data();
      in.dtype = BNQ_DTYPE_I8;
      in.scales = scales.data();
      in.zero_points = zero_points.data();
      ASSERT_EQ(bnq_linear_run(given.get(), nullptr, &in, &out, nullptr, 0),
                BNQ_OK)
          << bnq_last_error();
      ExpectSame(y, Outputs(dynamic.get(), x));
    }
  }
}

// Runs tasks last to first, on threads of its own.
int32_t RunBackwards(void*, uint64_t count, bnq_task_fn task, void* opaque) {
  std::thread odd([&] {
    for (uint64_t i = count; i-- > 0;) {
      if (i % 2 == 1) task(opaque, i, 1);
    }
  });
  for (uint64_t i = count; i-- > 0;) {
    if (i % 2 == 0) task(opaque, i, 0);
  }
  odd.join();
  return 0;
}

// Several layers at once are each of them alone, and a row among others that
// row alone; for any number of threads, and with a host's runner.
TEST(Linear, ThreadsRowsAndCompanyChangeNothing) {
  const uint64_t n = 700, k = 1024, rows = 40;
  const Owned<bnq_linear> layers[3] = {
      Layer("ternary,granularity=channel", n, k),
      Layer("int4_per_group_128", 33, k, {{"input", "bitnet"}}),
      Layer("nf4", 64, k, {})};
  std::vector<float> x = Wave(rows * k, 0.11f);
  std::vector<float> expected[3];
  for (int i = 0; i < 3; ++i) {
    expected[i] = Outputs(layers[i].get(), x);
    const uint64_t outputs = bnq_linear_outputs(layers[i].get());
    for (const uint64_t m : {uint64_t{0}, uint64_t{13}, rows - 1}) {
      const std::vector<float> row(x.begin() + m * k, x.begin() + (m + 1) * k);
      ExpectSame(Outputs(layers[i].get(), row),
                 {expected[i].begin() + m * outputs,
                  expected[i].begin() + (m + 1) * outputs});
    }
  }
  for (const int threads : {1, 2, 7, 0}) {
    SCOPED_TRACE(threads);
    bnq_context* context = nullptr;
    ASSERT_EQ(bnq_context_create(nullptr, &context), BNQ_OK);
    const Owned<bnq_context> owned(context);
    const bnq_runner runner = {RunBackwards, nullptr, 2};
    ASSERT_EQ(threads != 0 ? bnq_context_set_threads(context, threads)
                           : bnq_context_set_runner(context, &runner),
              BNQ_OK);
    const bnq_linear* list[3];
    std::vector<float> ys[3];
    bnq_matrix outputs[3];
    for (int i = 0; i < 3; ++i) {
      list[i] = layers[i].get();
      ys[i].assign(expected[i].size(), 99.0f);
      outputs[i] = MatrixOf(ys[i], rows, bnq_linear_outputs(list[i]));
    }
    const bnq_matrix in = MatrixOf(x, rows, k);
    ASSERT_EQ(bnq_linear_run_many(list, 3, context, &in, outputs, nullptr, 0),
              BNQ_OK)
        << bnq_last_error();
    for (int i = 0; i < 3; ++i) ExpectSame(ys[i], expected[i]);
  }
  EXPECT_EQ(
      bnq_linear_run_many(nullptr, 0, nullptr, nullptr, nullptr, nullptr, 0),
      BNQ_ERROR_INVALID_ARGUMENT);
}

TEST(Linear, CanBeCancelled) {
  const Owned<bnq_linear> linear = Layer("int4_per_group_32", 2000, 512);
  std::vector<float> x = Wave(64 * 512, 0.1f), y(64 * 2000);
  const bnq_matrix in = MatrixOf(x, 64, 512), out = MatrixOf(y, 64, 2000);
  bnq_context* context = nullptr;
  ASSERT_EQ(bnq_context_create(nullptr, &context), BNQ_OK);
  const Owned<bnq_context> owned(context);
  const auto stop = [](void*) -> int32_t { return 1; };
  ASSERT_EQ(bnq_context_set_interrupt(context, stop, nullptr), BNQ_OK);
  bnq_status status = BNQ_OK;
  // Asked after some work at the latest.
  for (int i = 0; i < 10000 && status == BNQ_OK; ++i) {
    status = bnq_linear_run(linear.get(), context, &in, &out, nullptr, 0);
  }
  Expect(status, BNQ_ERROR_CANCELLED, "interrupt");
  ASSERT_EQ(bnq_context_set_interrupt(context, nullptr, nullptr), BNQ_OK);
  EXPECT_EQ(bnq_linear_run(linear.get(), context, &in, &out, nullptr, 0),
            BNQ_OK);
}

TEST(Embedding, RefusesWhatIsNoRow) {
  const Owned<bnq_tensor> table = Weight("int4_per_group_32", 5, 40);
  std::vector<float> y(3 * 40, 99.0f);
  const bnq_matrix out = MatrixOf(y, 3, 40);
  for (const int64_t bad :
       {int64_t{5}, int64_t{-1}, std::numeric_limits<int64_t>::min()}) {
    const int64_t indices[3] = {0, 4, bad};
    Expect(bnq_embedding(nullptr, table.get(), indices, 3, &out),
           BNQ_ERROR_INVALID_ARGUMENT,
           "index 2 = " + std::to_string(bad) + ", must be 0 to 4");
    EXPECT_EQ(y, std::vector<float>(3 * 40, 99.0f));
  }
  const int64_t indices[3] = {4, 0, 4};
  Expect(bnq_embedding(nullptr, table.get(), indices, 2, &out),
         BNQ_ERROR_INVALID_ARGUMENT, "y is of shape [3, 40], must be [2, 40]");
  bnq_matrix codes = out;
  codes.dtype = BNQ_DTYPE_I8;
  Expect(bnq_embedding(nullptr, table.get(), indices, 3, &codes),
         BNQ_ERROR_INVALID_ARGUMENT, "must be of F32, F16 or BF16");
  ASSERT_EQ(bnq_embedding(nullptr, table.get(), indices, 3, &out), BNQ_OK);
  std::vector<float> rows(5 * 40);
  ASSERT_EQ(
      bnq_tensor_dequantize(nullptr, table.get(), BNQ_DTYPE_F32,
                            BNQ_OVERFLOW_ERROR, rows.data(), 4 * rows.size()),
      BNQ_OK);
  ExpectSame({y.begin(), y.begin() + 40}, {rows.begin() + 160, rows.end()});
  ExpectSame({y.begin() + 40, y.begin() + 80},
             {rows.begin(), rows.begin() + 40});
}

}  // namespace
}  // namespace bnq_test
