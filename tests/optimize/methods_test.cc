// The definitions the methods are made of, against values derived by hand or by
// other means.
#include "core/optimize/methods.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "core/base/error.h"
#include "core/kernels/product.h"
#include "tests/optimize/optimize_test_util.h"
#include "tests/support/targets.h"

namespace bnq {
namespace {

using bnq_test::FigureOf;
using bnq_test::Matrix;
using bnq_test::Request;

TEST(Product, SameBitsOnEveryTarget) {
  std::mt19937 bits(2);
  std::normal_distribution<double> normal;
  for (const size_t rows : {1, 3, 4, 9}) {
    for (const size_t columns : {1, 7, 16, 37}) {
      for (const size_t inner : {1, 5, 300}) {
        std::vector<double> a(rows * inner), b(inner * columns);
        for (double& v : a) v = normal(bits);
        for (double& v : b) v = normal(bits);
        std::vector<double> expected(rows * columns, 0.25);
        for (size_t r = 0; r < rows; ++r) {
          for (size_t c = 0; c < columns; ++c) {
            for (size_t k = 0; k < inner; ++k) {
              expected[r * columns + c] += a[k * rows + r] * b[k * columns + c];
            }
          }
        }
        bnq_test::ForEachTarget([&] {
          std::vector<double> c(rows * columns, 0.25);
          ProductArgs args;
          args.rows = rows;
          args.inner = inner;
          args.columns = columns;
          args.a = a.data();
          args.a_row = 1;
          args.a_column = rows;
          args.b = b.data();
          args.b_row = columns;
          args.c = c.data();
          args.c_row = columns;
          AddProduct(args);
          EXPECT_EQ(0, std::memcmp(c.data(), expected.data(), 8 * c.size()));
        });
      }
    }
  }
}

TEST(Hqq, Shrink) {
  // formats.md of the definition: p = 0.7, beta = 10.
  EXPECT_NEAR(HqqShrink(0.5, 10.0, 0.7), 0.3768856, 1e-7);
  EXPECT_NEAR(HqqShrink(-0.5, 10.0, 0.7), -0.3768856, 1e-7);
  EXPECT_EQ(HqqShrink(0.1, 10.0, 0.7), 0.0);
  EXPECT_EQ(HqqShrink(0.0, 10.0, 0.7), 0.0);
  // p = 1: what is left is the soft threshold.
  EXPECT_DOUBLE_EQ(HqqShrink(0.5, 10.0, 1.0), 0.4);
}

TEST(Awq, Scales) {
  const std::vector<float> s = AwqScales({1.0, 4.0}, 0.5);
  EXPECT_FLOAT_EQ(s[0], 0.70710678f);
  EXPECT_FLOAT_EQ(s[1], 1.4142136f);
  for (float v : AwqScales({0.0, 0.3, 7.0}, 0.0)) EXPECT_EQ(v, 1.0f);
  // The floor of 1e-4: (1e-4, 1) over 1e-2.
  const std::vector<float> floor = AwqScales({0.0, 1.0}, 0.5);
  EXPECT_FLOAT_EQ(floor[0], 1e-2f);
  EXPECT_FLOAT_EQ(floor[1], 1e2f);
}

TEST(Gptq, FactorTimesItsTransposeIsTheMatrix) {
  const uint64_t n = 150;  // more than two blocks
  const Matrix x = bnq_test::Activations(400, n, 1, 3);
  const Context context;
  const Layer layer(context, x.View(), n);
  const Buffer gram = layer.Gram();
  std::vector<double> r(gram.as<double>(), gram.as<double>() + n * n);
  double mean = 0.0;
  for (uint64_t k = 0; k < n; ++k) mean += r[k * n + k] / n;
  GptqFactor(Context(), r.data(), n, 0.01);
  for (uint64_t i = 0; i < n; ++i) {
    for (uint64_t j = 0; j < n; ++j) {
      if (j < i) {
        ASSERT_EQ(r[i * n + j], 0.0);
      }
      double sum = 0.0;
      for (uint64_t k = 0; k < n; ++k) sum += r[i * n + k] * r[j * n + k];
      const double h =
          gram.as<double>()[i * n + j] + (i == j ? 0.01 * mean : 0.0);
      ASSERT_NEAR(sum, h, 1e-11 * mean) << i << ", " << j;
    }
  }
}

// Inputs whose H is [[2, 1], [1, 2]], or diagonal: a third sample of 0 weighs
// the others.
Matrix GoldenInputs(bool diagonal) {
  const float c = std::sqrt(1.5f);
  if (diagonal) return {2, 2, {1.4142135f, 0, 0, 1.4142135f}};
  // X^T X * 2 / 3 with rows (c, c / 2), (0, sqrt(9 / 8)) + rest.
  return {3, 2, {c * 1.4142135f, c * 0.70710678f, 0, 1.5f, 0, 0}};
}

TEST(Gptq, GoldenRow) {
  // A third weight of 7 with an input of its own makes the step 1.
  for (const bool diagonal : {false, true}) {
    const Matrix two = GoldenInputs(diagonal);
    Matrix x{two.rows + 1, 3, std::vector<float>((two.rows + 1) * 3)};
    for (uint64_t s = 0; s < two.rows; ++s) {
      x.values[3 * s] = two.values[2 * s];
      x.values[3 * s + 1] = two.values[2 * s + 1];
    }
    x.values[3 * two.rows + 2] = 1.0f;
    const Matrix w{1, 3, {0.4f, 0.4f, 7.0f}};
    OptimizeRequest request =
        Request("format=int4,granularity=channel", w, "gptq");
    request.options.SetText("damping", "0");
    const ArrayView inputs = x.View();
    request.activations = &inputs;
    const OptimizeResult result = Optimize(Context(), request);
    const std::vector<float> expected = {0.0f, diagonal ? 0.0f : 1.0f, 7.0f};
    EXPECT_EQ(bnq_test::ValuesOf(*result.tensor), expected);
  }
}

TEST(Gptq, DampingMustMakeUpForDependentInputs) {
  const Matrix x{2, 2, {1, 1, 2, 2}};
  const Matrix w{1, 2, {0.4f, 0.3f}};
  OptimizeRequest request = Request("int4_per_group_32", w, "gptq");
  const ArrayView inputs = x.View();
  request.activations = &inputs;
  EXPECT_NO_THROW(Optimize(Context(), request));
  request.options.SetText("damping", "0");
  try {
    Optimize(Context(), request);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), Status::kInvalidArgument);
    EXPECT_NE(e.message().find("damping = 0"), std::string::npos);
  }
}

// GPTQ as the paper has it: the inverse, its Cholesky factor, and the update of
// all weights still to come.
std::vector<float> PlainGptq(const Matrix& w, std::vector<double> h,
                             double damping, uint64_t group) {
  const uint64_t n = w.columns;
  double mean = 0.0;
  for (uint64_t k = 0; k < n; ++k) mean += h[k * n + k] / n;
  for (uint64_t k = 0; k < n; ++k) h[k * n + k] += damping * mean;
  // Gauss-Jordan.
  std::vector<double> inverse(n * n);
  for (uint64_t k = 0; k < n; ++k) inverse[k * n + k] = 1.0;
  for (uint64_t k = 0; k < n; ++k) {
    const double pivot = h[k * n + k];
    for (uint64_t j = 0; j < n; ++j) {
      h[k * n + j] /= pivot;
      inverse[k * n + j] /= pivot;
    }
    for (uint64_t i = 0; i < n; ++i) {
      if (i == k) continue;
      const double f = h[i * n + k];
      for (uint64_t j = 0; j < n; ++j) {
        h[i * n + j] -= f * h[k * n + j];
        inverse[i * n + j] -= f * inverse[k * n + j];
      }
    }
  }
  // inverse = U^T U.
  std::vector<double> u(n * n);
  for (uint64_t i = 0; i < n; ++i) {
    for (uint64_t j = i; j < n; ++j) {
      double sum = inverse[i * n + j];
      for (uint64_t k = 0; k < i; ++k) sum -= u[k * n + i] * u[k * n + j];
      u[i * n + j] = i == j ? std::sqrt(sum) : sum / u[i * n + i];
    }
  }
  std::vector<float> result(w.values.size());
  for (uint64_t r = 0; r < w.rows; ++r) {
    std::vector<double> row(w.values.begin() + r * n,
                            w.values.begin() + (r + 1) * n);
    double scale = 1.0;
    for (uint64_t k = 0; k < n; ++k) {
      if (k % group == 0) {
        double m = 0.0;
        for (uint64_t j = k; j < std::min(n, k + group); ++j) {
          m = std::max(m, std::fabs(row[j]));
        }
        scale = m / 7.0;
      }
      const double code =
          std::min(7.0, std::max(-7.0, std::nearbyint(row[k] / scale)));
      result[r * n + k] = static_cast<float>(code * scale);
      const double error = (row[k] - code * scale) / u[k * n + k];
      for (uint64_t j = k; j < n; ++j) row[j] -= error * u[k * n + j];
    }
  }
  return result;
}

TEST(Gptq, IsThePapersWithoutTheInverse) {
  const Matrix w = bnq_test::Weights(20, 96, bnq_test::Kind::kGaussian, 5);
  const Matrix x = bnq_test::Activations(300, 96, 2, 6);
  const Context context;
  const Layer layer(context, x.View(), 96);
  const Buffer gram = layer.Gram();
  const std::vector<float> expected = PlainGptq(
      w, std::vector<double>(gram.as<double>(), gram.as<double>() + 96 * 96),
      0.01, 32);
  // Blocks that end within groups, and on them, and hold all.
  for (const char* block : {"1", "20", "32", "128"}) {
    OptimizeRequest request = Request("int4_per_group_32", w, "gptq");
    request.options.SetText("block", block);
    const ArrayView inputs = x.View();
    request.activations = &inputs;
    const OptimizeResult result = Optimize(Context(), request);
    EXPECT_EQ(FigureOf(result, Figure::kImproved), 20.0);
    const std::vector<float> values = bnq_test::ValuesOf(*result.tensor);
    // A code may differ where rounding decides, and then those after it.
    uint64_t different = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      different += std::fabs(values[i] - expected[i]) > 1e-5f;
    }
    EXPECT_LE(different, 20u) << "block " << block;
  }
}

TEST(Gradient, SlopesPointDownhill) {
  // One value far out: the scale that absmax gives is far too large for the
  // rest, and the gradient has to find a smaller one.
  Matrix w = bnq_test::Weights(1, 512, bnq_test::Kind::kGaussian, 9);
  w.values[17] = 1.5f;
  OptimizeRequest request =
      Request("format=int4,granularity=tensor", w, "gradient");
  const OptimizeResult result = Optimize(Context(), request);
  StoredScales scales = result.tensor->scales();
  float found = 0.0f;
  scales.Read(0, 1, &found);
  EXPECT_LT(found, 1.5f / 7.0f);
  EXPECT_LT(FigureOf(result, Figure::kMseAfter),
            0.99 * FigureOf(result, Figure::kMseBefore));
}

TEST(Layer, OutputErrorsAreThoseOfTheOutputs) {
  const Matrix w = bnq_test::Weights(40, 24, bnq_test::Kind::kGaussian, 11);
  std::vector<float> y = w.values;
  for (size_t i = 0; i < y.size(); ++i)
    y[i] += 0.01f * static_cast<float>(i % 7);
  // Fewer samples than inputs, and more.
  for (const uint64_t samples : {10, 100}) {
    const Matrix x = bnq_test::Activations(samples, 24, 1, 12);
    const Context context;
    const Layer layer(context, x.View(), 24);
    std::vector<double> errors(40);
    layer.OutputErrors(
        40,
        [&](uint64_t r, uint64_t k) {
          return double{w.values[r * 24 + k]} - y[r * 24 + k];
        },
        errors.data());
    double mean = 0.0;
    for (double e : errors) mean += e / 40;
    const double expected = bnq_test::OutputError(w, y, x, {});
    EXPECT_NEAR(mean, expected, 1e-10 * expected);
  }
}

}  // namespace
}  // namespace bnq
