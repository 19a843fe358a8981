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
#include <memory>
#include <string>
#include <vector>

#include "bench/calibration_data.h"
#include "bench/calibration_findings.h"
#include "bench/calibration_results.h"
#include "bench/study.h"
#include "bnq/bnq.h"

namespace bnq_bench {
namespace {

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
