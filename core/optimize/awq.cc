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

#include "core/base/portable_math.h"
#include "core/optimize/methods.h"
#include "core/tensor/dequantize.h"
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

std::vector<float> AwqSearch(const LayerTask& task) {
  const int ratios = task.options.As<int>(OptimizeOption::kRatios);
  const std::vector<double> a = task.layer.MeanAbs();
  const uint64_t rows = task.rows, columns = task.columns;
  const uint64_t n = rows * columns;
  // The weights' own non-finite values and clip have been dealt with.
  Config config = task.config;
  config.SetFloat(static_cast<int32_t>(Option::kClip), 0.0);
  Buffer scaled = task.context.Allocate(n * sizeof(float));
  Buffer values = task.context.Allocate(n * sizeof(float));
  std::vector<double> errors(rows);
  std::vector<float> best(columns, 1.0f);
  double least = HUGE_VAL;
  for (int i = 0; i < ratios; ++i) {
    const std::vector<float> s = AwqScales(a, static_cast<double>(i) / ratios);
    double error = 0.0;
    bool finite = true;
    for (uint64_t e = 0; e < n; ++e) {
      const float v = task.weights[e] * s[e % columns];
      finite = finite && std::isfinite(v);
      scaled.as<float>()[e] = v;
    }
    if (finite) {
      ArrayView view;
      view.data = scaled.data();
      view.shape = task.shape;
      const auto tensor = Quantize(task.context, config, view);
      Dequantizer(task.context, *tensor)
          .DecodeParallel(0, n, DType::kF32, values.data());
      task.layer.OutputErrors(
          rows,
          [&](uint64_t r, uint64_t k) {
            const uint64_t e = r * columns + k;
            return static_cast<double>(task.weights[e]) -
                   static_cast<double>(values.as<float>()[e]) /
                       static_cast<double>(s[k]);
          },
          errors.data());
      for (double row : errors) error += row;
      if (error < least) {
        least = error;
        best = s;
      }
    }
    task.progress(static_cast<uint64_t>(i) + 1, static_cast<uint64_t>(ratios));
  }
  return best;
}

}  // namespace bnq
