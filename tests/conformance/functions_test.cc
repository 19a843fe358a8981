// Functions and normalisations of every target, beside a reference that takes
// one number at a time: equal bytes.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "core/base/half.h"
#include "core/kernels/function.h"
#include "core/kernels/normalize.h"
#include "core/ops/normalize.h"
#include "tests/support/reference_functions.h"
#include "tests/support/sweep.h"
#include "tests/support/targets.h"

namespace bnq_test {
namespace {

using namespace bnq;

// All exponents of both signs, NaN and infinity included; and as much again
// where functions bend.
std::vector<float> Numbers() {
  std::vector<float> x;
  Sweep sweep;
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 49999) {
    if (sweep.Take()) x.push_back(F32OfBits(static_cast<uint32_t>(bits)));
  }
  for (float v = -18.0f; v < 18.0f; v += 0.00071f) {
    if (sweep.Take()) x.push_back(v);
  }
  for (const float v :
       {0.0f, -0.0f, HUGE_VALF, -HUGE_VALF, NAN, -NAN, 1e-45f, -1e-45f, 3.4e38f,
        -3.4e38f, 0.7f, -0.7f, 3.0f, -3.0f, -1.5f, -103.97f, -87.4f, -13.0f}) {
    x.push_back(v);
  }
  return x;
}

bool SameBytes(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), 4 * a.size()) == 0);
}

TEST(Functions, HaveTheReferencesBytesOnEveryTarget) {
  const std::vector<float> x = Numbers();
  for (int id = 0; id < kNumFunctions; ++id) {
    const Function function = static_cast<Function>(id);
    for (const float slope : {0.01f, 0.0f, -2.0f}) {
      if (slope != 0.01f && function != Function::kLeakyRelu) continue;
      std::vector<float> expected;
      for (const float v : x) {
        expected.push_back(ReferenceFunction(function, slope, v));
      }
      ForEachTarget([&] {
        std::vector<float> y(x.size());
        ApplyFunction(function, slope, x.data(), x.size(), y.data());
        for (size_t i = 0; i < x.size(); ++i) {
          ASSERT_EQ(BitsOfF32(y[i]), BitsOfF32(expected[i]))
              << "function " << id << " of " << x[i] << ": " << y[i]
              << ", must be " << expected[i];
        }
      });
    }
  }
}

// Wherever they lie among others: each count, in place, and nothing behind.
TEST(Functions, DoNotDependOnNeighbours) {
  std::vector<float> x;
  for (int i = 0; i < 70; ++i) x.push_back(0.37f * static_cast<float>(i) - 11);
  for (int id = 0; id < kNumFunctions; ++id) {
    const Function function = static_cast<Function>(id);
    ForEachTarget([&] {
      for (size_t count = 0; count + 1 < x.size(); ++count) {
        std::vector<float> y = x;
        ApplyFunction(function, 0.5f, y.data(), count, y.data());
        for (size_t i = 0; i < x.size(); ++i) {
          const float expected =
              i < count ? ReferenceFunction(function, 0.5f, x[i]) : x[i];
          ASSERT_EQ(BitsOfF32(y[i]), BitsOfF32(expected)) << id << " " << i;
        }
      }
    });
  }
}

TEST(Functions, TablesOfBytesAreLookedUp) {
  std::mt19937 random(5);
  uint8_t table[256];
  for (uint8_t& entry : table) entry = static_cast<uint8_t>(random());
  std::vector<uint8_t> x(256 + 77);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint8_t>(i * 7);
  ForEachTarget([&] {
    for (const size_t count : {size_t{0}, size_t{1}, size_t{15}, size_t{64},
                               size_t{130}, x.size() - 1}) {
      std::vector<uint8_t> y = x;
      LookUpBytes(table, y.data(), count, y.data());
      for (size_t i = 0; i < x.size(); ++i) {
        ASSERT_EQ(y[i], i < count ? table[x[i]] : x[i]) << i;
      }
    }
  });
}

std::vector<std::vector<float>> Rows() {
  std::mt19937 random(11);
  std::normal_distribution<float> normal(0.25f, 3.0f);
  std::vector<std::vector<float>> rows;
  for (const size_t n : {1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127,
                         129, 1000, 4096, 4099}) {
    std::vector<float> row(n);
    for (float& v : row) v = normal(random);
    rows.push_back(row);
    row[n / 2] = 100.0f;
    row[0] = -HUGE_VALF;
    rows.push_back(row);
    row[n - 1] = NAN;
    rows.push_back(row);
    row[n - 1] = HUGE_VALF;
    rows.push_back(row);
    rows.push_back(std::vector<float>(n, -HUGE_VALF));
    rows.push_back(std::vector<float>(n, 0.0f));
    rows.push_back(std::vector<float>(n, 3.4e38f));
    rows.push_back(std::vector<float>(n, 1e-42f));
    rows.push_back(std::vector<float>(n, -7.5f));
  }
  return rows;
}

Matrix RowOf(std::vector<float>& row) {
  Matrix m;
  m.data = reinterpret_cast<uint8_t*>(row.data());
  m.rows = 1;
  m.columns = row.size();
  m.stride = m.row_bytes();
  return m;
}

TEST(Functions, RowsAreNormalisedAsTheReferenceDoes) {
  Sweep sweep;
  for (std::vector<float>& row : Rows()) {
    if (!sweep.Take()) continue;
    const size_t n = row.size();
    std::vector<float> weight(n), bias(n);
    for (size_t i = 0; i < n; ++i) {
      weight[i] = 1.5f - 0.01f * static_cast<float>(i % 90);
      bias[i] = 0.125f * static_cast<float>(i % 13) - 0.5f;
    }
    const std::vector<float> none;
    const auto softmax = ReferenceSoftmax(row);
    const auto rms = ReferenceNorm(row, false, 1e-5, weight, none);
    const auto plain = ReferenceNorm(row, false, 0.0, none, none);
    const auto layer = ReferenceNorm(row, true, 1e-5, weight, bias);
    const auto centered = ReferenceNorm(row, true, 0.0, none, bias);
    ForEachTarget([&] {
      std::vector<float> y(n);
      const Matrix from = RowOf(row), to = RowOf(y);
      const Context context;
      Softmax(context, from, to);
      EXPECT_TRUE(SameBytes(y, softmax)) << n << " of " << row[0];
      RmsNorm(context, from, weight.data(), 1e-5, to);
      EXPECT_TRUE(SameBytes(y, rms)) << n << " of " << row[0];
      RmsNorm(context, from, nullptr, 0.0, to);
      EXPECT_TRUE(SameBytes(y, plain)) << n << " of " << row[0];
      LayerNorm(context, from, weight.data(), bias.data(), 1e-5, to);
      EXPECT_TRUE(SameBytes(y, layer)) << n << " of " << row[0];
      // In place.
      y = row;
      LayerNorm(context, to, nullptr, bias.data(), 0.0, to);
      EXPECT_TRUE(SameBytes(y, centered)) << n << " of " << row[0];
      y = row;
      Softmax(context, to, to);
      EXPECT_TRUE(SameBytes(y, softmax)) << n << " of " << row[0];
    });
  }
}

}  // namespace
}  // namespace bnq_test
