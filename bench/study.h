// Data sets, and what configs make of them: relative MSE and bits per weight.
#ifndef BNQ_BENCH_STUDY_H_
#define BNQ_BENCH_STUDY_H_

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bnq/bnq.h"

namespace bnq_bench {

inline void Check(bnq_status status) {
  if (status == BNQ_OK) return;
  std::fprintf(stderr, "%s\n", bnq_last_error());
  std::exit(1);
}

struct Destroy {
  void operator()(bnq_context* p) const { bnq_context_destroy(p); }
  void operator()(bnq_config* p) const { bnq_config_destroy(p); }
  void operator()(bnq_tensor* p) const { bnq_tensor_destroy(p); }
  void operator()(bnq_file* p) const { bnq_file_close(p); }
};
template <class T>
using Handle = std::unique_ptr<T, Destroy>;

// ---------------------------------------------------------------------------
// Data

// SplitMix64 (Steele, Lea, Flood 2014) as a function of its counter.
inline uint64_t Bits(uint64_t counter) {
  uint64_t z = (counter + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

// In (0, 1), exact, from the upper 52 bits.
inline double Unit(uint64_t bits) {
  return (static_cast<double>(bits >> 12) + 0.5) * 0x1p-52;
}

// The natural logarithm, from exact and correctly rounded operations only:
// std::log may differ in the last bit from one C library to the next.
inline double Log(double x) {
  int exponent = 0;
  double m = std::frexp(x, &exponent);
  if (m < 0.70710678118654752) {
    m *= 2;
    --exponent;
  }
  const double t = (m - 1) / (m + 1);  // log m = 2 artanh t, |t| < 0.172
  double sum = 0;
  for (int k = 25; k > 0; k -= 2) sum = sum * (t * t) + 1.0 / k;
  return 2 * t * sum + exponent * 0.69314718055994531;
}

// Standard normal, two at a time: Marsaglia's polar method. Every pair has 256
// counters for its attempts, of which one in five fails. count is even.
inline std::vector<float> Gaussian(size_t count) {
  std::vector<float> x(count);
  for (size_t i = 0; i + 1 < count; i += 2) {
    for (uint64_t counter = uint64_t{i} << 7;; counter += 2) {
      const double u = 2 * Unit(Bits(counter)) - 1;
      const double v = 2 * Unit(Bits(counter + 1)) - 1;
      const double s = u * u + v * v;
      if (s >= 1 || s == 0) continue;
      const double factor = std::sqrt(-2 * Log(s) / s);
      x[i] = static_cast<float>(u * factor);
      x[i + 1] = static_cast<float>(v * factor);
      break;
    }
  }
  return x;
}

// Laplace of variance 1, by inversion; the lowest bit is the sign.
inline std::vector<float> Laplace(size_t count) {
  std::vector<float> x(count);
  for (size_t i = 0; i < count; ++i) {
    const uint64_t bits = Bits((uint64_t{1} << 48) + i);
    const double magnitude = -Log(Unit(bits)) * std::sqrt(0.5);
    x[i] = static_cast<float>(bits & 1 ? -magnitude : magnitude);
  }
  return x;
}

struct Matrix {
  std::vector<float> own;  // empty where the data lies in a file
  std::vector<uint64_t> shape;
  const void* data;
  int32_t dtype;

  bnq_array View() const {
    return {data, shape.data(), dtype, static_cast<int32_t>(shape.size())};
  }
  uint64_t Elements() const {
    uint64_t n = 1;
    for (uint64_t d : shape) n *= d;
    return n;
  }
};

struct DataSet {
  std::string name;
  std::vector<Matrix> matrices;
};

constexpr uint64_t kRows = 4096;
constexpr uint64_t kColumns = 1024;

inline DataSet Generated(const char* name, std::vector<float> values) {
  DataSet set;
  set.name = name;
  Matrix m;
  m.own = std::move(values);
  m.shape = {m.own.size() / kColumns, kColumns};
  m.data = m.own.data();
  m.dtype = BNQ_DTYPE_F32;
  set.matrices.push_back(std::move(m));
  return set;
}

// As the activations of large language models are (arXiv:2208.07339): some few
// features, in every token, are far greater than the others.
inline DataSet Activations() {
  std::vector<float> x = Gaussian(512 * kColumns);
  for (size_t i = 0; i < x.size(); ++i) {
    if (i % kColumns % 170 == 100) x[i] *= 20;
  }
  return Generated("activations", std::move(x));
}

// The weight matrices of a model file, which stays open: its arrays of F32,
// F16, BF16 or F64 and of rank 2 or more.
inline DataSet Weights(const bnq_file* file) {
  DataSet set;
  set.name = "demo model";
  for (uint64_t i = 0; i < bnq_file_count(file); ++i) {
    uint64_t shape[BNQ_MAX_RANK];
    const int32_t rank = bnq_file_shape(file, i, shape);
    const int32_t dtype = bnq_file_dtype(file, i);
    if (rank < 2 || dtype < BNQ_DTYPE_F32 || dtype > BNQ_DTYPE_F64) continue;
    Matrix m;
    m.shape.assign(shape, shape + rank);
    m.dtype = dtype;
    uint64_t bytes = 0;
    Check(bnq_file_data(file, i, &m.data, &bytes));
    set.matrices.push_back(std::move(m));
  }
  if (set.matrices.empty()) {
    std::fprintf(stderr, "the model file has no weight matrix\n");
    std::exit(1);
  }
  return set;
}

// ---------------------------------------------------------------------------
// Measuring

inline Handle<bnq_config> Parse(const std::string& text) {
  bnq_config* config = nullptr;
  Check(bnq_config_from_text(text.c_str(), &config));
  return Handle<bnq_config>(config);
}

inline std::string ToText(const bnq_config* config) {
  uint64_t size = 0;
  Check(bnq_config_to_text(config, nullptr, 0, &size));
  std::string text(size, '\0');
  Check(bnq_config_to_text(config, &text[0], size, nullptr));
  text.pop_back();  // the NUL
  return text;
}

struct Cell {
  double bits;   // per weight
  double error;  // sum of e^2 over sum of a^2
};
using Row = std::vector<Cell>;  // one cell for each data set

// Measures configs on some data sets, each once.
class Study {
 public:
  Study(bnq_context* context, std::vector<DataSet> sets)
      : context_(context), sets_(std::move(sets)) {
    for (const DataSet& set : sets_) {
      double sum = 0;
      for (const Matrix& m : set.matrices) {
        const std::vector<float> zeros(m.Elements());
        bnq_array zero = m.View();
        zero.data = zeros.data();
        zero.dtype = BNQ_DTYPE_F32;
        const bnq_array view = m.View();
        double mse = 0;
        Check(bnq_compare(context_, &view, &zero, &mse, BNQ_METRIC_MSE + 1));
        sum += mse * static_cast<double>(m.Elements());
      }
      squares_.push_back(sum);
    }
  }

  const std::vector<DataSet>& Sets() const { return sets_; }
  // What was measured, by the config's canonical text.
  const std::map<std::string, Row>& Rows() const { return rows_; }

  // The row of a config; empty where the library says that there is no such
  // combination.
  const Row& Measure(const std::string& config_text) {
    const Handle<bnq_config> config = Parse(config_text);
    const std::string text = ToText(config.get());
    const auto found = rows_.find(text);
    if (found != rows_.end()) return found->second;
    Row row;
    for (size_t s = 0; s < sets_.size(); ++s) {
      double errors = 0, bytes = 0, elements = 0;
      for (const Matrix& m : sets_[s].matrices) {
        const bnq_array view = m.View();
        bnq_tensor* made = nullptr;
        const bnq_status status =
            bnq_tensor_quantize(context_, config.get(), &view, &made);
        if (status == BNQ_ERROR_UNSUPPORTED) return rows_[text] = Row();
        Check(status);
        const Handle<bnq_tensor> tensor(made);
        double mse = 0;
        Check(bnq_tensor_compare(context_, &view, tensor.get(), &mse,
                                 BNQ_METRIC_MSE + 1));
        errors += mse * static_cast<double>(m.Elements());
        bytes += static_cast<double>(bnq_tensor_bytes(tensor.get()));
        elements += static_cast<double>(m.Elements());
      }
      row.push_back({8 * bytes / elements, errors / squares_[s]});
    }
    return rows_[text] = row;
  }

 private:
  bnq_context* context_;
  std::vector<DataSet> sets_;
  std::vector<double> squares_;  // sum of a^2, of each set
  std::map<std::string, Row> rows_;
};

}  // namespace bnq_bench

#endif  // BNQ_BENCH_STUDY_H_
