// Activation functions and normalisations through the C ABI: what matrices may
// be, what may overlap, codes by tables, and the same bytes in any layout.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "bnq/bnq.h"
#include "capi_test_util.h"

#if defined(__unix__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace {

using bnq_test::Expect;

bnq_matrix MatrixOf(void* data, uint64_t rows, uint64_t columns,
                    int32_t dtype = BNQ_DTYPE_F32, uint64_t stride = 0) {
  bnq_matrix m = {};
  m.data = data;
  m.rows = rows;
  m.columns = columns;
  m.row_stride = stride;
  m.dtype = dtype;
  return m;
}

std::vector<float> Values(size_t count) {
  std::vector<float> x(count);
  for (size_t i = 0; i < count; ++i) {
    x[i] = std::sin(static_cast<float>(i) * 1.7f) * 6.0f;
  }
  return x;
}

// All that take one matrix and give one, by number.
constexpr int kOperators = BNQ_NUM_FUNCTIONS + 3;
bnq_status Operate(int number, bnq_context* context, const bnq_matrix* x,
                   const bnq_matrix* y) {
  switch (number - BNQ_NUM_FUNCTIONS) {
    case 0:
      return bnq_softmax(context, x, y);
    case 1:
      return bnq_rms_norm(context, x, nullptr, 1e-5, y);
    case 2:
      return bnq_layer_norm(context, x, nullptr, nullptr, 1e-5, y);
    default:
      return bnq_activate(context, number, 0.1f, x, y);
  }
}

// Strides, misaligned data, matrices without elements, threads: a row's bytes
// are those that it has alone.
TEST(Activations, RowsDoNotDependOnWhereTheyAre) {
  bnq_context* threads = nullptr;
  ASSERT_EQ(bnq_context_create(nullptr, &threads), BNQ_OK);
  ASSERT_EQ(bnq_context_set_threads(threads, 3), BNQ_OK);
  const struct {
    uint64_t rows, columns, gap;
  } shapes[] = {{0, 5, 0},   {5, 0, 3},    {1, 1, 0},     {3, 7, 2},
                {17, 33, 4}, {2, 4099, 1}, {2, 70001, 8}, {300, 129, 0}};
  for (int number = 0; number < kOperators; ++number) {
    for (const auto& shape : shapes) {
      const uint64_t stride = 4 * shape.columns + shape.gap;
      const std::vector<float> x = Values(shape.rows * shape.columns);
      std::vector<float> alone(x.size());
      for (uint64_t r = 0; r < shape.rows; ++r) {
        float* row = const_cast<float*>(x.data()) + r * shape.columns;
        const bnq_matrix from = MatrixOf(row, 1, shape.columns);
        const bnq_matrix to =
            MatrixOf(alone.data() + r * shape.columns, 1, shape.columns);
        ASSERT_EQ(Operate(number, nullptr, &from, &to), BNQ_OK);
      }
      for (const size_t shift : {size_t{0}, size_t{1}}) {
        std::vector<uint8_t> in(shape.rows * stride + 8, 0xAB), out = in;
        for (uint64_t r = 0; r < shape.rows; ++r) {
          std::memcpy(in.data() + shift + r * stride,
                      x.data() + r * shape.columns, 4 * shape.columns);
        }
        const std::vector<uint8_t> before = in;
        const bnq_matrix from = MatrixOf(in.data() + shift, shape.rows,
                                         shape.columns, BNQ_DTYPE_F32, stride);
        const bnq_matrix to = MatrixOf(out.data() + shift, shape.rows,
                                       shape.columns, BNQ_DTYPE_F32, stride);
        ASSERT_EQ(Operate(number, threads, &from, &to), BNQ_OK);
        EXPECT_EQ(in, before);
        // Also in place.
        ASSERT_EQ(Operate(number, nullptr, &from, &from), BNQ_OK);
        for (const std::vector<uint8_t>* bytes : {&out, &in}) {
          for (uint64_t r = 0; r < shape.rows; ++r) {
            const uint8_t* row = bytes->data() + shift + r * stride;
            EXPECT_EQ(std::memcmp(row, alone.data() + r * shape.columns,
                                  4 * shape.columns),
                      0)
                << number << " " << shape.columns << " " << r;
            for (uint64_t i = 4 * shape.columns; i < stride; ++i) {
              EXPECT_EQ(row[i], 0xAB) << "between rows";
            }
          }
        }
      }
    }
  }
  bnq_context_destroy(threads);
}

#if defined(__unix__)
// Neither what is read nor what is written goes one byte too far.
TEST(Activations, StayWithinTheirRows) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  uint8_t* pages[2];
  for (uint8_t*& at : pages) {
    void* memory = mmap(nullptr, 3 * page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    at = static_cast<uint8_t*>(memory);
    ASSERT_EQ(mprotect(at + 2 * page, page, PROT_NONE), 0);
  }
  for (const uint64_t columns : {1, 3, 15, 16, 17, 63, 64, 65, 129}) {
    for (const int32_t dtype : {BNQ_DTYPE_F32, BNQ_DTYPE_F16, BNQ_DTYPE_I8}) {
      float scale = 0.05f;
      const uint64_t bytes = columns * (bnq_dtype_bits(dtype) / 8);
      bnq_matrix x = MatrixOf(pages[0] + 2 * page - bytes, 1, columns, dtype);
      bnq_matrix y = MatrixOf(pages[1] + 2 * page - bytes, 1, columns, dtype);
      if (dtype == BNQ_DTYPE_I8) x.scales = y.scales = &scale;
      for (int number = 0; number < kOperators; ++number) {
        if (dtype == BNQ_DTYPE_I8 && number >= BNQ_NUM_FUNCTIONS) continue;
        ASSERT_EQ(Operate(number, nullptr, &x, &y), BNQ_OK) << bnq_last_error();
      }
    }
  }
  for (uint8_t* at : pages) munmap(at, 3 * page);
}
#endif

TEST(Activations, HalvesAreFloatsRoundedOnce) {
  // float16 of 1.0, -2.0, 0.5, infinity; the same in bfloat16.
  uint16_t f16[] = {0x3C00, 0xC000, 0x3800, 0x7C00};
  uint16_t bf16[] = {0x3F80, 0xC000, 0x3F00, 0x7F80};
  float out[4];
  for (const bnq_matrix& x : {MatrixOf(f16, 2, 2, BNQ_DTYPE_F16),
                              MatrixOf(bf16, 2, 2, BNQ_DTYPE_BF16)}) {
    const bnq_matrix y = MatrixOf(out, 2, 2);
    ASSERT_EQ(bnq_activate(nullptr, BNQ_FUNCTION_LEAKY_RELU, 0.25f, &x, &y),
              BNQ_OK);
    EXPECT_EQ(out[0], 1.0f);
    EXPECT_EQ(out[1], -0.5f);
    EXPECT_EQ(out[2], 0.5f);
    EXPECT_EQ(out[3], HUGE_VALF);
    ASSERT_EQ(bnq_activate(nullptr, BNQ_FUNCTION_SQUARED_RELU, 0, &x, &x),
              BNQ_OK);
  }
  EXPECT_EQ(f16[2], 0x3400);  // 0.25
  EXPECT_EQ(bf16[2], 0x3E80);
  // 300^2 is beyond float16.
  float large = 300.0f;
  uint16_t half = 0;
  const bnq_matrix x = MatrixOf(&large, 1, 1);
  const bnq_matrix y = MatrixOf(&half, 1, 1, BNQ_DTYPE_F16);
  ASSERT_EQ(bnq_activate(nullptr, BNQ_FUNCTION_SQUARED_RELU, 0, &x, &y),
            BNQ_OK);
  EXPECT_EQ(half, 0x7C00);
}

double Gelu(double x) { return x / 2 * std::erfc(-x / std::sqrt(2.0)); }

// All codes, against the formula with the system's erfc, of each pair of types
// and with parameters of each row.
TEST(Activations, CodesAreLookedUpInTheExactTable) {
  for (const int32_t from : {BNQ_DTYPE_I8, BNQ_DTYPE_U8}) {
    for (const int32_t to : {BNQ_DTYPE_I8, BNQ_DTYPE_U8, BNQ_DTYPE_F32}) {
      const int first = from == BNQ_DTYPE_I8 ? -128 : 0;
      const int least = to == BNQ_DTYPE_I8 ? -128 : 0;
      std::vector<uint8_t> x(2 * 256), y(2 * 256);
      for (size_t i = 0; i < x.size(); ++i) {
        x[i] = static_cast<uint8_t>(first + static_cast<int>(i % 256));
      }
      float sx[] = {0.03f, 0.11f}, sy[] = {0.025f, 0.02f};
      int32_t zx[] = {first + 100, first + 128},
              zy[] = {least + 9, least + 128};
      std::vector<float> values(x.size());
      bnq_matrix mx = MatrixOf(x.data(), 2, 256, from);
      bnq_matrix my = MatrixOf(y.data(), 2, 256, to);
      mx.scales = sx;
      mx.zero_points = zx;
      if (to == BNQ_DTYPE_F32) {
        my.data = values.data();
      } else {
        my.scales = sy;
        my.zero_points = zy;
      }
      ASSERT_EQ(bnq_activate(nullptr, BNQ_FUNCTION_GELU, 0, &mx, &my), BNQ_OK)
          << bnq_last_error();
      for (size_t i = 0; i < x.size(); ++i) {
        const size_t r = i / 256;
        const int code = first + static_cast<int>(i % 256);
        const double f = Gelu((code - zx[r]) * static_cast<double>(sx[r]));
        if (to == BNQ_DTYPE_F32) {
          EXPECT_EQ(values[i], static_cast<float>(f));
          continue;
        }
        const double q = std::nearbyint(f / static_cast<double>(sy[r])) + zy[r];
        const int expected =
            static_cast<int>(std::fmax(least, std::fmin(least + 255, q)));
        EXPECT_EQ(to == BNQ_DTYPE_I8 ? static_cast<int8_t>(y[i]) : y[i],
                  expected)
            << code;
      }
    }
  }
}

TEST(Activations, WhatOverlapsIsRefused) {
  float data[64] = {};
  const uint64_t stride = 8 * sizeof(float);
  // Halves of a larger matrix lie between each other.
  bnq_matrix left = MatrixOf(data, 4, 4, BNQ_DTYPE_F32, stride);
  bnq_matrix right = MatrixOf(data + 4, 4, 4, BNQ_DTYPE_F32, stride);
  EXPECT_EQ(bnq_softmax(nullptr, &left, &right), BNQ_OK);
  EXPECT_EQ(bnq_softmax(nullptr, &right, &left), BNQ_OK);
  EXPECT_EQ(bnq_softmax(nullptr, &left, &left), BNQ_OK);
  bnq_matrix shifted = MatrixOf(data + 3, 4, 4, BNQ_DTYPE_F32, stride);
  bnq_matrix dense = MatrixOf(data, 4, 4);
  bnq_matrix half = MatrixOf(data, 4, 4, BNQ_DTYPE_F16, stride);
  bnq_matrix later = MatrixOf(data + 8, 4, 4, BNQ_DTYPE_F32, stride);
  for (const bnq_matrix* y : {&shifted, &dense, &half, &later}) {
    Expect(bnq_softmax(nullptr, &left, y), BNQ_ERROR_INVALID_ARGUMENT,
           "y overlaps x");
    Expect(bnq_softmax(nullptr, y, &left), BNQ_ERROR_INVALID_ARGUMENT,
           "y overlaps x");
  }
}

TEST(Activations, WhatIsNoMatrixIsRefused) {
  float data[16] = {}, out[16] = {}, scale = 1.0f, bad = -1.0f;
  int32_t zero_point = 128;
  const bnq_matrix y = MatrixOf(out, 2, 4);
  const auto refused = [&](bnq_matrix x, const char* text) {
    Expect(bnq_activate(nullptr, BNQ_FUNCTION_RELU, 0, &x, &y),
           BNQ_ERROR_INVALID_ARGUMENT, text);
  };
  refused(MatrixOf(nullptr, 2, 4), "x: data is NULL for a matrix of 2 x 4");
  refused(MatrixOf(data, 2, 4, BNQ_DTYPE_F64), "x: dtype = 4 (F64), must be");
  refused(MatrixOf(data, 2, 4, 99), "x: dtype = 99 (unknown)");
  refused(MatrixOf(data, 2, 4, BNQ_DTYPE_F32, 15), "x: row_stride = 15, must");
  refused(MatrixOf(data, 2, UINT64_MAX / 2), "address space");
  refused(MatrixOf(data, UINT64_MAX / 8, 4), "address space");
  refused(MatrixOf(data, 3, 4, BNQ_DTYPE_F32, UINT64_MAX / 2), "address space");
  refused(MatrixOf(data, 4, 2), "y is a matrix of 2 x 4, must be one of 4 x 2");
  bnq_matrix x = MatrixOf(data, 2, 4);
  x.reserved = 1;
  refused(x, "x: reserved = 1");
  x.reserved = 0;
  x.scales = &scale;
  refused(x, "x: a matrix of F32 has no scales");
  x = MatrixOf(data, 2, 4, BNQ_DTYPE_I8);
  refused(x, "x: scales is NULL for a matrix of I8");
  x.rows = 1;
  x.scales = &bad;
  refused(x, "x: scales[0] = -1, must be finite and not negative");
  bad = HUGE_VALF;
  refused(x, "x: scales[0] = inf");
  x.scales = &scale;
  x.zero_points = &zero_point;
  refused(x, "x: zero_points[0] = 128, must be -128 to 127");
  x = MatrixOf(data, 2, 4);
  Expect(bnq_activate(nullptr, BNQ_NUM_FUNCTIONS, 0, &x, &y),
         BNQ_ERROR_INVALID_ARGUMENT, "function = 11, must be 0 to 10");
  Expect(bnq_activate(nullptr, BNQ_FUNCTION_LEAKY_RELU, NAN, &x, &y),
         BNQ_ERROR_INVALID_ARGUMENT, "slope = nan, must be finite");
  Expect(bnq_activate(nullptr, BNQ_FUNCTION_RELU, 0, nullptr, &y),
         BNQ_ERROR_INVALID_ARGUMENT, "x is NULL");
  Expect(bnq_softmax(nullptr, &x, nullptr), BNQ_ERROR_INVALID_ARGUMENT,
         "y is NULL");
  for (const double eps : {-1.0, HUGE_VAL, std::nan("")}) {
    Expect(bnq_rms_norm(nullptr, &x, nullptr, eps, &y),
           BNQ_ERROR_INVALID_ARGUMENT, "eps = ");
    Expect(bnq_layer_norm(nullptr, &x, nullptr, nullptr, eps, &y),
           BNQ_ERROR_INVALID_ARGUMENT, "eps = ");
  }
  float scales[] = {1.0f, 1.0f};
  bnq_matrix codes = MatrixOf(data, 2, 4, BNQ_DTYPE_I8);
  codes.scales = scales;
  Expect(bnq_softmax(nullptr, &codes, &y), BNQ_ERROR_UNSUPPORTED,
         "x: dtype is I8, must be F32, F16 or BF16");
  codes.data = out;
  Expect(bnq_activate(nullptr, BNQ_FUNCTION_RELU, 0, &x, &codes),
         BNQ_ERROR_UNSUPPORTED, "gives F32, F16 or BF16, not I8");
}

TEST(Activations, NormsOfWhatIsMaskedConstantOrNotFinite) {
  const float inf = HUGE_VALF;
  float x[][4] = {{-inf, 1.0f, -inf, 1.0f}, {-inf, -inf, -inf, -inf},
                  {0.0f, NAN, 1.0f, 2.0f},  {0.0f, inf, 1.0f, 2.0f},
                  {5.0f, 5.0f, 5.0f, 5.0f}, {0.0f, 0.0f, 0.0f, 0.0f}};
  float y[6][4];
  const bnq_matrix from = MatrixOf(x, 6, 4), to = MatrixOf(y, 6, 4);
  ASSERT_EQ(bnq_softmax(nullptr, &from, &to), BNQ_OK);
  EXPECT_EQ(y[0][0], 0.0f);
  EXPECT_EQ(y[0][1], 0.5f);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(y[1][i], 0.0f);
    EXPECT_TRUE(std::isnan(y[2][i]));
    EXPECT_TRUE(std::isnan(y[3][i]));
    EXPECT_EQ(y[4][i], 0.25f);
  }
  float bias[] = {1.0f, 2.0f, 3.0f, 4.0f};
  ASSERT_EQ(bnq_layer_norm(nullptr, &from, nullptr, bias, 0.0, &to), BNQ_OK);
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(std::isnan(y[0][i]));
    EXPECT_TRUE(std::isnan(y[3][i]));
    EXPECT_EQ(y[4][i], bias[i]);
  }
  ASSERT_EQ(bnq_rms_norm(nullptr, &from, nullptr, 0.0, &to), BNQ_OK);
  EXPECT_EQ(y[4][0], 1.0f);
  EXPECT_EQ(y[5][0], 0.0f);
}

}  // namespace
