// What calibration_study.cc measures: every method on every data set, for every
// target.
#ifndef BNQ_BENCH_CALIBRATION_RESULTS_H_
#define BNQ_BENCH_CALIBRATION_RESULTS_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/calibration_data.h"
#include "bench/study.h"
#include "bnq/bnq.h"

namespace bnq_bench {

using Options = std::vector<std::pair<std::string, std::string>>;

struct DestroyCalibrator {
  void operator()(bnq_calibrator* p) const { bnq_calibrator_destroy(p); }
};
using Calibrator = std::unique_ptr<bnq_calibrator, DestroyCalibrator>;

// ---------------------------------------------------------------------------
// Methods and targets

struct Method {
  std::string label;
  int64_t id;
  Options options;
};

// Every method of the library, and of those that have variants each of them.
inline std::vector<Method> Methods() {
  std::vector<Method> methods;
  const auto names = [](int32_t option) {
    std::vector<std::string> list;
    for (int64_t v = 0;; ++v) {
      const char* name =
          bnq_option_value_name(BNQ_OPTIONS_CALIBRATOR, option, v);
      if (name == nullptr) return list;
      list.push_back(name);
    }
  };
  const std::vector<std::string> all = names(BNQ_CALIBRATION_METHOD);
  for (size_t id = 0; id < all.size(); ++id) {
    int32_t option = 0;
    std::vector<std::string> values;
    switch (id) {
      case BNQ_METHOD_PERCENTILE:
        option = BNQ_CALIBRATION_PERCENTILE;
        values = {"99.99", "99.9"};
        break;
      case BNQ_METHOD_KL:
        option = BNQ_CALIBRATION_KL_VARIANT;
        values = names(option);
        break;
      case BNQ_METHOD_MSE:
        option = BNQ_CALIBRATION_MSE_VARIANT;
        values = names(option);
        break;
      default:
        break;
    }
    const Options method = {{"method", all[id]}};
    if (option == 0) {
      methods.push_back({all[id], static_cast<int64_t>(id), method});
    }
    for (const std::string& value : values) {
      Options options = method;
      options.emplace_back(bnq_option_name(BNQ_OPTIONS_CALIBRATOR, option),
                           value);
      methods.push_back(
          {all[id] + " " + value, static_cast<int64_t>(id), options});
    }
  }
  return methods;
}

// What is quantized into: format and scheme.
struct Target {
  std::string name;
  Handle<bnq_config> config;
  Options options;  // of the calibrator
};

inline std::vector<Target> Targets() {
  std::vector<Target> targets;
  for (const int32_t format : {BNQ_FORMAT_INT8, BNQ_FORMAT_INT4}) {
    int64_t bits = 0;
    Check(bnq_format_property(format, BNQ_FORMAT_CODE_BITS, &bits));
    for (const int64_t scheme : {BNQ_SCHEME_SYMMETRIC, BNQ_SCHEME_ASYMMETRIC}) {
      const std::string scheme_name =
          bnq_option_value_name(BNQ_OPTIONS_CONFIG, BNQ_OPT_SCHEME, scheme);
      const std::string name = bnq_format_name(format);
      targets.push_back(
          {name + " " + scheme_name,
           Parse("format=" + name +
                 ",granularity=tensor,scheme=" + scheme_name),
           {{"scheme", scheme_name}, {"bits", std::to_string(bits)}}});
    }
  }
  return targets;
}

constexpr char kExhaustive[] = "mse exhaustive";
constexpr char kPyTorch[] = "mse pytorch";

constexpr uint64_t kBatches = 16;

// A calibrator that has seen the matrix, in batches of rows.
inline Calibrator Calibrate(bnq_context* context, const Matrix& matrix,
                            const Target& target, const Method& method) {
  bnq_calibrator* made = nullptr;
  Check(bnq_calibrator_create(&made));
  Calibrator calibrator(made);
  for (const Options& options : {target.options, method.options}) {
    for (const auto& o : options) {
      Check(bnq_options_set_text(bnq_calibrator_settings(made), o.first.c_str(),
                                 o.second.c_str()));
    }
  }
  const uint64_t rows = matrix.shape[0];
  for (uint64_t b = 0; b < kBatches; ++b) {
    const uint64_t begin = rows * b / kBatches;
    const uint64_t end = rows * (b + 1) / kBatches;
    const Matrix batch = Rows(matrix, begin, end - begin);
    const bnq_array view = batch.View();
    Check(bnq_calibrator_observe(context, made, &view));
  }
  return calibrator;
}

inline Handle<bnq_tensor> Quantize(bnq_context* context, const Matrix& matrix,
                                   const Target& target,
                                   const bnq_calibrator* calibrator) {
  const bnq_array view = matrix.View();
  bnq_tensor* tensor = nullptr;
  Check(bnq_tensor_quantize_calibrated(context, target.config.get(), calibrator,
                                       &view, nullptr, &tensor));
  return Handle<bnq_tensor>(tensor);
}

// ---------------------------------------------------------------------------
// Measuring

inline double Decibel(double error) { return -10 * std::log10(error); }

// The squared error that a set loses over its sum of squares, where `quantize`
// makes a tensor of a matrix.
template <class F>
inline double RelativeError(bnq_context* context, const DataSet& set,
                            F quantize) {
  double errors = 0, squares = 0;
  for (const Matrix& m : set.matrices) {
    const Handle<bnq_tensor> tensor = quantize(m);
    const bnq_array view = m.View();
    double mse = 0;
    Check(bnq_tensor_compare(context, &view, tensor.get(), &mse,
                             BNQ_METRIC_MSE + 1));
    const double n = static_cast<double>(m.Elements());
    errors += mse * n;
    const std::vector<float> zeros(m.Elements());
    bnq_array zero = view;
    zero.data = zeros.data();
    zero.dtype = BNQ_DTYPE_F32;
    Check(bnq_compare(context, &view, &zero, &mse, BNQ_METRIC_MSE + 1));
    squares += mse * n;
  }
  return errors / squares;
}

// With the scale that a search over the values themselves finds.
inline Handle<bnq_tensor> QuantizeSearched(bnq_context* context,
                                           const Matrix& matrix,
                                           const Target& target) {
  const Handle<bnq_config> config =
      Parse(ToText(target.config.get()) + ",scale_rule=mse");
  const bnq_array view = matrix.View();
  bnq_tensor* tensor = nullptr;
  Check(bnq_tensor_quantize(context, config.get(), &view, &tensor));
  return Handle<bnq_tensor>(tensor);
}

// Images of the second half that are classified rightly where the inputs of
// all layers are quantized with ranges of the first half's.
inline int RightOf(bnq_context* context, const Network& network,
                   const Target& target, const Method& method) {
  const uint64_t half = network.Images() / 2;
  Matrix seen = Rows(network.Input(), 0, half);
  Matrix x = Rows(network.Input(), half, network.Images() - half);
  for (size_t layer = 0; layer < network.Layers(); ++layer) {
    const Calibrator calibrator = Calibrate(context, seen, target, method);
    const Handle<bnq_tensor> tensor =
        Quantize(context, x, target, calibrator.get());
    std::vector<float> back(x.Elements());
    Check(bnq_tensor_dequantize(context, tensor.get(), BNQ_DTYPE_F32,
                                BNQ_OVERFLOW_ERROR, back.data(),
                                back.size() * sizeof(float)));
    x = network.Forward(layer, Owned(std::move(back), x.shape[1]));
    seen = network.Forward(layer, seen);
  }
  return network.Right(x, half);
}

// ---------------------------------------------------------------------------
// Results

constexpr char kMinMax[] = "minmax";
constexpr char kSearch[] = "(scale_rule=mse)";

// Columns of the tables.
enum {
  kGaussian,
  kLaplace,
  kStudentT,
  kOutliers,
  kEqualOutliers,
  kRelu,
  kWeights,
  kActivations,
  kNumSets
};

class Results {
 public:
  Results(bnq_context* context, const std::vector<DataSet>& sets,
          const Network& network)
      : targets(Targets()),
        methods(Methods()),
        images(network.Images() - network.Images() / 2) {
    for (const DataSet& set : sets) names.push_back(set.name);
    for (const Target& target : targets) {
      auto& rows = errors_[target.name];
      for (const Method& method : methods) {
        for (const DataSet& set : sets) {
          rows[method.label].push_back(
              RelativeError(context, set, [&](const Matrix& m) {
                return Quantize(context, m, target,
                                Calibrate(context, m, target, method).get());
              }));
        }
        right_[target.name][method.label] =
            RightOf(context, network, target, method);
      }
      for (const DataSet& set : sets) {
        rows[kSearch].push_back(
            RelativeError(context, set, [&](const Matrix& m) {
              return QuantizeSearched(context, m, target);
            }));
      }
    }
    Matrix x = Rows(network.Input(), network.Images() - images, images);
    for (size_t layer = 0; layer < network.Layers(); ++layer) {
      x = network.Forward(layer, x);
    }
    right_unquantized = network.Right(x, network.Images() - images);
  }

  double Error(const std::string& target, const std::string& method,
               int set) const {
    return errors_.at(target).at(method)[static_cast<size_t>(set)];
  }
  // dB won over min-max.
  double Gain(const std::string& target, const std::string& method,
              int set) const {
    return Decibel(Error(target, method, set)) -
           Decibel(Error(target, kMinMax, set));
  }
  int Right(const std::string& target, const std::string& method) const {
    return right_.at(target).at(method);
  }
  double Percent(int right) const {
    return 100.0 * right / static_cast<double>(images);
  }

  std::vector<std::string> names;  // of the sets
  std::vector<Target> targets;
  std::vector<Method> methods;
  uint64_t images;  // that were classified
  int right_unquantized = 0;

 private:
  // By target and method.
  std::map<std::string, std::map<std::string, std::vector<double>>> errors_;
  std::map<std::string, std::map<std::string, int>> right_;
};

}  // namespace bnq_bench

#endif  // BNQ_BENCH_CALIBRATION_RESULTS_H_
