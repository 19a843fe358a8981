// Weights and activations that tell methods apart, and one call to try them.
#ifndef BNQ_TESTS_OPTIMIZE_OPTIMIZE_TEST_UTIL_H_
#define BNQ_TESTS_OPTIMIZE_OPTIMIZE_TEST_UTIL_H_

#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/optimize/optimize.h"
#include "core/tensor/dequantize.h"

namespace bnq_test {

struct Matrix {
  uint64_t rows = 0, columns = 0;
  std::vector<float> values;
  bnq::ArrayView View() const {
    bnq::ArrayView view;
    view.data = reinterpret_cast<const uint8_t*>(values.data());
    const uint64_t shape[2] = {rows, columns};
    view.shape = bnq::Shape::Make(2, shape);
    return view;
  }
};

enum class Kind { kGaussian, kLaplace, kOutliers, kUniform };

inline Matrix Weights(uint64_t rows, uint64_t columns, Kind kind,
                      uint32_t seed) {
  std::mt19937 bits(seed);
  std::normal_distribution<float> normal(0.0f, 0.05f);
  const auto uniform = [&] {
    return static_cast<float>(bits() >> 8) / 16777216.0f;
  };
  Matrix m{rows, columns, std::vector<float>(rows * columns)};
  for (float& v : m.values) {
    v = normal(bits);
    if (kind == Kind::kLaplace) {
      const float u = uniform() - 0.5f;
      v = (u < 0 ? 0.05f : -0.05f) * std::log(1.0f - 1.999f * std::fabs(u));
    }
    if (kind == Kind::kOutliers && bits() % 100 == 0) v *= 30.0f;
    // Off 0, where asymmetric schemes have something to gain.
    if (kind == Kind::kUniform) v = uniform() * 0.3f - 0.1f;
  }
  return m;
}

// Inputs that depend on each other, as those of real layers: a few sources,
// mixed. `large` inputs of every 16 are twenty times the others.
inline Matrix Activations(uint64_t samples, uint64_t columns, uint64_t large,
                          uint32_t seed) {
  std::mt19937 bits(seed);
  std::normal_distribution<float> normal(0.0f, 1.0f);
  const uint64_t sources = columns / 4 + 1;
  std::vector<float> mix(sources * columns);
  for (float& v : mix) v = normal(bits);
  Matrix m{samples, columns, std::vector<float>(samples * columns)};
  std::vector<float> source(sources);
  for (uint64_t s = 0; s < samples; ++s) {
    for (float& v : source) v = normal(bits);
    for (uint64_t c = 0; c < columns; ++c) {
      float x = 0.3f * normal(bits);
      for (uint64_t k = 0; k < sources; ++k) {
        x += 0.2f * source[k] * mix[k * columns + c];
      }
      m.values[s * columns + c] = c % 16 < large ? 20.0f * x : x;
    }
  }
  return m;
}

inline bnq::OptimizeRequest Request(const std::string& config,
                                    const Matrix& weights,
                                    const std::string& method) {
  bnq::OptimizeRequest request;
  request.config = bnq::Config::FromText(config);
  request.options.SetText("method", method);
  request.source = weights.View();
  return request;
}

inline double FigureOf(const bnq::OptimizeResult& result, bnq::Figure figure) {
  return result.figures[static_cast<int>(figure)];
}

inline std::vector<float> ValuesOf(const bnq::QuantizedTensor& tensor) {
  std::vector<float> values(tensor.shape().elements());
  bnq::Dequantizer(bnq::Context(), tensor)
      .DecodeParallel(0, values.size(), bnq::DType::kF32,
                      reinterpret_cast<uint8_t*>(values.data()));
  return values;
}

inline double Mse(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0.0;
  for (size_t i = 0; i < a.size(); ++i) {
    sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  }
  return sum / static_cast<double>(a.size());
}

// The mean squared difference of the outputs x w^T and (x / s) y^T, written as
// that.
inline double OutputError(const Matrix& w, const std::vector<float>& y,
                          const Matrix& x, const std::vector<float>& s) {
  double sum = 0.0;
  for (uint64_t n = 0; n < x.rows; ++n) {
    for (uint64_t r = 0; r < w.rows; ++r) {
      double out = 0.0;
      for (uint64_t k = 0; k < w.columns; ++k) {
        const double input = x.values[n * w.columns + k];
        out += input * w.values[r * w.columns + k] -
               input / (s.empty() ? 1.0 : s[k]) * y[r * w.columns + k];
      }
      sum += out * out;
    }
  }
  return sum / static_cast<double>(x.rows * w.rows);
}

inline bool SameBytes(const bnq::QuantizedTensor& a,
                      const bnq::QuantizedTensor& b) {
  return bnq::SameTensor(a, b);
}

}  // namespace bnq_test

#endif  // BNQ_TESTS_OPTIMIZE_OPTIMIZE_TEST_UTIL_H_
