// What the calibration methods make of distributions: the error of static
// quantization with the range that each of them finds, as Markdown.
//
//   bnq_calibration_study [MODEL.safetensors IMAGES.safetensors]
//       > CALIBRATION.md
//
// Uses the C ABI alone, and no function whose result may differ from machine to
// machine, so the output is the same everywhere. The claims that it makes are
// checked: it exits with 1, and says why on stderr, where one does not hold.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/calibration_data.h"
#include "bench/study.h"
#include "bnq/bnq.h"

namespace bnq_bench {
namespace {

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
std::vector<Method> Methods() {
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

std::vector<Target> Targets() {
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

const char kExhaustive[] = "mse exhaustive";
const char kPyTorch[] = "mse pytorch";

constexpr uint64_t kBatches = 16;

// A calibrator that has seen the matrix, in batches of rows.
Calibrator Calibrate(bnq_context* context, const Matrix& matrix,
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

Handle<bnq_tensor> Quantize(bnq_context* context, const Matrix& matrix,
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

double Decibel(double error) { return -10 * std::log10(error); }

// The squared error that a set loses over its sum of squares, where `quantize`
// makes a tensor of a matrix.
template <class F>
double RelativeError(bnq_context* context, const DataSet& set, F quantize) {
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
Handle<bnq_tensor> QuantizeSearched(bnq_context* context, const Matrix& matrix,
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
int RightOf(bnq_context* context, const Network& network, const Target& target,
            const Method& method) {
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

class Claims {
 public:
  bool Hold() const { return failures_ == 0; }
  void Expect(bool holds, const std::string& what) {
    if (holds) return;
    ++failures_;
    std::fprintf(stderr, "does not hold: %s\n", what.c_str());
  }

 private:
  int failures_ = 0;
};

// The least and the greatest of some numbers.
struct Span {
  double least = HUGE_VAL, greatest = -HUGE_VAL;
  void Add(double x) {
    least = std::min(least, x);
    greatest = std::max(greatest, x);
  }
};

bool IsInt4(const Target& target) {
  int64_t format = 0;
  Check(bnq_options_get_int(bnq_config_options(target.config.get()),
                            BNQ_OPT_FORMAT, &format));
  return format == BNQ_FORMAT_INT4;
}

void PrintIntroduction() {
  std::printf(
      "# Calibration methods\n\n"
      "What static quantization loses with the range that each calibration "
      "method finds, per tensor. Made by `build/bnq_calibration_study > "
      "bench/CALIBRATION.md`: change `calibration_study.cc`, not this file. "
      "The numbers are the same on every machine, and the program fails where "
      "a claim of the text does not hold.\n\n"
      "- Cells: relative MSE, the sum of squared errors over the sum of "
      "squares; the same as SQNR; and the dB that are won over min-max. The "
      "best calibration method of a column is bold.\n"
      "- **Methods**: at their defaults, with the bits of the format. They see "
      "the data in %d batches, and the same data are then quantized. "
      "**`%s`** is no calibration but the yardstick: the scale that a search "
      "over the values themselves finds.\n"
      "- **Gaussian**, **Laplace**, **Student-t** (4 degrees of freedom): %d "
      "values each. **outliers**: Gaussian, where 0.01 %% of the values are 20 "
      "deviations further out; **equal outliers**: where these are +-20 "
      "exactly. **ReLU** of Gaussian values.\n"
      "- **demo weights**, **demo activations**: the matrices of "
      "`tests/models/digits.safetensors`, and the inputs and outputs of its "
      "layers on the held-out images, each with a range of its own.\n\n",
      static_cast<int>(kBatches), kSearch, static_cast<int>(kCount));
}

void PrintTable(const Results& r, const Target& target) {
  std::printf("## %s\n\n| method |", target.name.c_str());
  std::string rule = "|---|";
  for (const std::string& name : r.names) {
    std::printf(" %s |", name.c_str());
    rule += "--:|";
  }
  std::printf("\n%s\n", rule.c_str());
  std::vector<std::string> labels;
  for (const Method& method : r.methods) labels.push_back(method.label);
  labels.push_back(kSearch);
  for (const std::string& label : labels) {
    std::printf("| `%s` |", label.c_str());
    for (int s = 0; s < kNumSets; ++s) {
      const double error = r.Error(target.name, label, s);
      const bool best =
          label != kSearch &&
          std::all_of(r.methods.begin(), r.methods.end(), [&](const Method& m) {
            return error <= r.Error(target.name, m.label, s);
          });
      const char* mark = best ? "**" : "";
      std::printf(" %s%#.3g, %.1f dB%s", mark, error, Decibel(error), mark);
      if (label != kMinMax) {
        const double gain = r.Gain(target.name, label, s);
        std::printf(" (%+.1f)", std::fabs(gain) < 0.05 ? 0.0 : gain);
      }
      std::printf(" |");
    }
    std::printf("\n");
  }
  std::printf("\n");
}

void PrintAccuracy(const Results& r) {
  std::printf(
      "## Accuracy of the demo model\n\n"
      "Of %d held-out images, those that are classified rightly, in percent, "
      "where the inputs of all layers are quantized with ranges from the other "
      "half of the images. The weights are not quantized. Without quantization "
      "%.1f.\n\n| method |",
      static_cast<int>(r.images), r.Percent(r.right_unquantized));
  std::string rule = "|---|";
  for (const Target& target : r.targets) {
    std::printf(" %s |", target.name.c_str());
    rule += "--:|";
  }
  std::printf("\n%s\n", rule.c_str());
  for (const Method& method : r.methods) {
    std::printf("| `%s` |", method.label.c_str());
    for (const Target& target : r.targets) {
      std::printf(" %.1f |", r.Percent(r.Right(target.name, method.label)));
    }
    std::printf("\n");
  }
}

// The text about the tables. What it says beyond its numbers is checked.
class Findings {
 public:
  Findings(const Results& results, Claims& claims)
      : r_(results), claims_(claims) {}

  void Print() {
    std::printf("## What stands out\n\n");
    PrintMse();
    PrintKl();
    PrintOthers();
    PrintAccuracies();
    std::printf("\n");
  }

 private:
  // The dB over min-max of the methods of this id, or with this label, with
  // int4 or int8, on these sets.
  Span Gains(int64_t id, const std::string& label, bool int4,
             const std::vector<int>& sets) const {
    Span span;
    for (const Target& target : r_.targets) {
      if (IsInt4(target) != int4) continue;
      for (const Method& method : r_.methods) {
        if (label.empty() ? method.id != id : method.label != label) continue;
        for (int s : sets) span.Add(r_.Gain(target.name, method.label, s));
      }
    }
    return span;
  }
  Span Gains(int64_t id, bool int4, const std::vector<int>& sets) const {
    return Gains(id, "", int4, sets);
  }
  Span Gains(const char* label, bool int4, const std::vector<int>& sets) const {
    return Gains(-1, label, int4, sets);
  }

  void PrintMse() {
    const std::vector<int> tails = {kStudentT, kOutliers};
    std::vector<int> all;
    for (int s = 0; s < kNumSets; ++s) all.push_back(s);
    const Span int8 = Gains(kExhaustive, false, tails);
    const Span int4 = Gains(kExhaustive, true, tails);
    claims_.Expect(int8.least > 0.5, "mse beats min-max on outliers, int8");
    claims_.Expect(int4.least > 10, "mse beats min-max on outliers, int4");
    for (bool narrow : {false, true}) {
      claims_.Expect(Gains(kExhaustive, narrow, all).least >= 0.0,
                     "mse never loses");
    }
    // How far the better of mse and the percentiles is from the best.
    Span behind;
    for (const Target& target : r_.targets) {
      for (int s : all) {
        Span best, ours;
        for (const Method& method : r_.methods) {
          const double gain = r_.Gain(target.name, method.label, s);
          best.Add(gain);
          if (method.label == kExhaustive ||
              method.id == BNQ_METHOD_PERCENTILE) {
            ours.Add(gain);
          }
        }
        behind.Add(best.greatest - ours.greatest);
      }
    }
    claims_.Expect(behind.greatest <= 0.1,
                   "mse or percentile is best, or within 0.1 dB of the best");
    std::printf(
        "- **mse** is the method to take where nothing is known of the data. "
        "Where they have outliers (Student-t, outliers) it wins %.1f to %.1f "
        "dB over min-max with int8 and %.1f to %.1f dB with int4, and nowhere "
        "does it lose any. In every column it or percentile is best, or within "
        "0.1 dB of the best.",
        int8.least, int8.greatest, int4.least, int4.greatest);
    const double found = r_.Gain("int4 symmetric", kExhaustive, kEqualOutliers);
    const double stuck = r_.Gain("int4 symmetric", kPyTorch, kEqualOutliers);
    claims_.Expect(stuck < 0.05 && found > 10,
                   "PyTorch's search does not get past equal outliers");
    std::printf(
        " PyTorch's search is one step by step: where narrowing the range only "
        "helps after many steps it stops early, as before the equal outliers "
        "(int4 symmetric: %.1f dB, where exhaustive search wins %.1f dB).\n",
        std::fabs(stuck), found);
  }

  void PrintKl() {
    const Span int8 = Gains(BNQ_METHOD_KL, false, {kStudentT});
    const Span int4 = Gains(BNQ_METHOD_KL, true, {kStudentT, kOutliers});
    const Span lost = Gains(BNQ_METHOD_KL, false, {kOutliers});
    claims_.Expect(int8.least > 1, "kl beats min-max on Student-t, int8");
    claims_.Expect(int4.least > 10, "kl beats min-max on outliers, int4");
    claims_.Expect(lost.greatest < -5, "kl cuts off outliers, int8");
    std::printf(
        "- **kl** wins as much with int4 on the data with outliers (%.1f to "
        "%.1f dB) and on Student-t with int8 (%.1f to %.1f dB). But it looks "
        "at the shape of the distribution, not at the error: few outliers, far "
        "out, it cuts off even where int8 could hold them, and loses %.1f to "
        "%.1f dB.",
        int4.least, int4.greatest, int8.least, int8.greatest, -lost.greatest,
        -lost.least);
    const Span relu = Gains("kl onnxruntime", false, {kRelu});
    claims_.Expect(relu.greatest < -5, "kl onnxruntime loses on ReLU, int8");
    std::printf(
        " ONNX Runtime's variant also loses %.1f to %.1f dB on values after "
        "ReLU with int8.\n",
        -relu.greatest, -relu.least);
  }

  void PrintOthers() {
    const std::vector<int> generated = {kGaussian, kLaplace, kOutliers, kRelu};
    const Span int8 = Gains("percentile 99.9", false, generated);
    const Span int4 = Gains("percentile 99.9", true, generated);
    claims_.Expect(int8.greatest < -1, "percentile 99.9 is too low for int8");
    claims_.Expect(int4.least > 3, "percentile 99.9 is good for int4");
    std::printf(
        "- **percentile** takes a number that suits the bits: 99.9 wins %.1f "
        "to %.1f dB with int4 on Gaussian, Laplace, outliers and ReLU, and "
        "loses %.1f to %.1f dB with int8.\n",
        int4.least, int4.greatest, -int8.greatest, -int8.least);

    const Span weights = Gains(BNQ_METHOD_MOVING_AVERAGE, false, {kWeights});
    claims_.Expect(weights.greatest < -5, "moving_average loses on weights");
    double apart = 0;
    for (const Target& target : r_.targets) {
      for (int s = 0; s < kNumSets; ++s) {
        apart = std::max(
            apart, std::fabs(r_.Error(target.name, "adaptive", s) /
                                 r_.Error(target.name, "moving_average", s) -
                             1));
      }
    }
    claims_.Expect(apart < 1e-3, "adaptive does as moving_average");
    std::printf(
        "- **moving_average** is for many batches that are alike: after %d of "
        "them the range is mostly the first one's, which costs int8 %.1f to "
        "%.1f dB on the demo weights. **adaptive** does the same here, since "
        "no batch is wild enough for its bounds.\n",
        static_cast<int>(kBatches), -weights.greatest, -weights.least);

    const double relu = Decibel(r_.Error("int8 asymmetric", kMinMax, kRelu)) -
                        Decibel(r_.Error("int8 symmetric", kMinMax, kRelu));
    claims_.Expect(relu > 5, "asymmetric saves a bit after ReLU");
    std::printf(
        "- **asymmetric** is worth a bit for values of one sign: %.1f dB after "
        "ReLU (int8, min-max).\n",
        relu);
  }

  void PrintAccuracies() {
    Span int8, int4, tensorrt;
    for (const Target& target : r_.targets) {
      for (const Method& method : r_.methods) {
        const int right = r_.Right(target.name, method.label);
        const double lost = r_.Percent(r_.right_unquantized - right);
        const bool cut = IsInt4(target) && method.label == "kl tensorrt";
        (cut ? tensorrt : IsInt4(target) ? int4 : int8).Add(lost);
      }
    }
    claims_.Expect(int8.greatest < 0.5, "int8 activations cost no accuracy");
    claims_.Expect(int4.greatest < 2, "int4 activations cost two points");
    claims_.Expect(tensorrt.least > 30, "kl tensorrt cuts off too much, int4");
    std::printf(
        "- **The demo model** hardly notices int8 activations: whatever the "
        "method, %.1f points of accuracy are lost at most. int4 costs up to "
        "%.1f points, except with TensorRT's kl, which is made for 8 bits "
        "(it starts its search with as many bins as there are levels, here "
        "8): %.0f points.\n",
        std::max(int8.greatest, 0.0), int4.greatest, tensorrt.greatest);
  }

  const Results& r_;
  Claims& claims_;
};

int Main(const char* model_path, const char* images_path) {
  bnq_context* context = nullptr;
  Check(bnq_context_create(nullptr, &context));
  const Handle<bnq_context> context_owner(context);
  Check(bnq_context_set_threads(context, 0));
  bnq_file *model = nullptr, *images = nullptr;
  Check(bnq_file_open(context, model_path, 0, &model));
  const Handle<bnq_file> model_owner(model);
  Check(bnq_file_open(context, images_path, 0, &images));
  const Handle<bnq_file> images_owner(images);
  const Network network(model, images);

  std::vector<DataSet> sets(kNumSets);
  sets[kGaussian] = Generated("Gaussian", Gaussian(kCount));
  sets[kLaplace] = Generated("Laplace", Laplace(kCount));
  sets[kStudentT] = Generated("Student-t", StudentT(kCount));
  sets[kOutliers] = Generated("outliers", WithOutliers(kCount, false));
  sets[kEqualOutliers] =
      Generated("equal outliers", WithOutliers(kCount, true));
  sets[kRelu] = Generated("ReLU", Relu(Gaussian(kCount)));
  sets[kWeights] = Weights(model);
  sets[kWeights].name = "demo weights";
  sets[kActivations] = LayerValues(network);

  const Results results(context, sets, network);
  Claims claims;
  PrintIntroduction();
  Findings(results, claims).Print();
  for (const Target& target : results.targets) PrintTable(results, target);
  PrintAccuracy(results);
  if (std::fflush(stdout) != 0) {
    std::perror("bnq_calibration_study: standard output");
    return 1;
  }
  return claims.Hold() ? 0 : 1;
}

}  // namespace
}  // namespace bnq_bench

int main(int argc, char** argv) {
  if (argc != 1 && argc != 3) {
    std::fprintf(stderr,
                 "usage: bnq_calibration_study [MODEL.safetensors "
                 "IMAGES.safetensors]\n");
    return 2;
  }
  return argc > 1 ? bnq_bench::Main(argv[1], argv[2])
                  : bnq_bench::Main(BNQ_DEMO_MODEL, BNQ_DEMO_IMAGES);
}
