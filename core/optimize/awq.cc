// AWQ (arXiv:2306.00978): weights of inputs that are large on average are
// scaled up before they are quantized, and the inputs down.
//
// a = mean |x| of each input. For r = 0, 1 / n, .., (n - 1) / n, n the option
// ratios: s = max(a^r, 1e-4), over sqrt(max s * min s), as float32; W s is
// quantized by the config's plain rule; the error is that of the layer's output
// with the inputs divided by s. The least wins, the first where two are equal;
// r = 0 is the plain rule itself.

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "core/base/portable_math.h"
#include "core/optimize/methods.h"
#include "core/tensor/quantize.h"

namespace bnq {

std::vector<float> AwqScales(const std::vector<double>& a, double r) {
  std::vector<double> s;
  for (double v : a) s.push_back(std::max(PortablePow(v, r), 1e-4));
  const auto ends = std::minmax_element(s.begin(), s.end());
  const double root = std::sqrt(*ends.first * *ends.second);
  std::vector<float> scales;
  for (double v : s) scales.push_back(static_cast<float>(v / root));
  return scales;
}

namespace {

// The plain rule's tensor of the weights times input scales; nullptr where one
// of the products is not finite.
std::unique_ptr<QuantizedTensor> Scaled(const LayerTask& task,
                                        const std::vector<float>& s,
                                        Buffer* scratch) {
  const uint64_t n = task.rows * task.columns;
  bool finite = true;
  float* const scaled = scratch->as<float>();
  for (uint64_t r = 0; r < task.rows; ++r) {
    for (uint64_t k = 0; k < task.columns; ++k) {
      const uint64_t e = r * task.columns + k;
      scaled[e] = task.weights[e] * s[k];
      finite = finite && std::isfinite(scaled[e]);
    }
    if (r % 64 == 0) task.context().Tick();
  }
  if (!finite || n == 0) return nullptr;
  // The weights' own non-finite values and clip have been dealt with.
  Config plain = task.subject.config();
  plain.SetFloat(static_cast<int32_t>(Option::kClip), 0.0);
  ArrayView view;
  view.data = scratch->data();
  view.shape = task.subject.shape();
  const auto tensor = Quantize(task.context(), plain, view);
  // It is the config's tensor, whose clip does not matter any more.
  return TensorOfParts(task.context(), task.subject.config(), view.shape,
                       tensor->parts(), /*borrow=*/false);
}

LayerResult AwqLayer(const LayerTask& task) {
  const int ratios = task.subject.options().As<int>(OptimizeOption::kRatios);
  const std::vector<double> a = task.layer.MeanAbs();
  Buffer scratch =
      task.context().Allocate(task.rows * task.columns * sizeof(float));
  LayerResult best;
  double least = HUGE_VAL;
  for (int i = 0; i < ratios; ++i) {
    const std::vector<float> s = AwqScales(a, static_cast<double>(i) / ratios);
    auto tensor = Scaled(task, s, &scratch);
    if (tensor != nullptr) {
      double error = 0.0;
      for (double row : task.OutputErrors(*tensor, s.data())) error += row;
      if (error < least) {
        least = error;
        best.tensor = std::move(tensor);
        best.input_scales = s;
      }
    }
    task.subject.Report(static_cast<uint64_t>(i) + 1,
                        static_cast<uint64_t>(ratios));
  }
  best.parts = task.columns;
  best.improved = 0;
  for (float v : best.input_scales) best.improved += v != 1.0f;
  if (best.improved == 0) {
    best.input_scales.clear();
    best.tensor = task.subject.TensorOf(task.subject.start());
  }
  return best;
}

}  // namespace

extern const OptimizationMethod kAwqMethod;
const OptimizationMethod kAwqMethod = {
    OptimizeMethod::kAwq,
    /*integers_only=*/false,
    /*any_objective=*/false,
    /*any_scope=*/false,
    /*takes_importance=*/false, NeedsInputs::kAlways, nullptr, AwqLayer,
};

}  // namespace bnq
