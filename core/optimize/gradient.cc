// Learned step size quantization (LSQ, arXiv:1902.08153): scales and zero
// points follow the gradient of the squared error.
//
// With y = (code - z) s and the straight-through estimator, as PyTorch's
// learnable fake quantization:
//   x within the codes' range   dy/ds = (y - x) / s,   dy/dz = 0
//   x beyond it                 dy/ds = code - z,      dy/dz = -s
// x is within where x / s, rounded but not yet clamped, is a code (for formats
// of 16 values: where |x / s| <= 1; code - z is then the table's value). The
// zero point moves as a real number and is rounded to be used.
//
// Adam (arXiv:1412.6980; 0.9, 0.999) with a rate that falls linearly to 0:
// learning_rate times the start's scale a step for scales, ten times
// learning_rate codes for zero points. (LSQ's factor 1 / sqrt(n q) on the
// gradient is no matter to Adam, whose steps do not depend on its size.) The
// result is the best of all steps.
//
// On a tensor the error is that of its weights, segment by segment; with
// activations that of the layer's outputs, d H d^T for a row's d = y - x and
// H = 2 X^T X / samples, of all parameters together.

#include <algorithm>
#include <cmath>

#include "core/base/checked.h"
#include "core/kernels/product.h"
#include "core/optimize/methods.h"
#include "core/parallel/runner.h"

namespace bnq {
namespace {

constexpr int kIterations = 60;
constexpr double kDecay1 = 0.9, kDecay2 = 0.999;
constexpr double kZeroPointRate = 10.0;

// One number that moves.
class Adam {
 public:
  explicit Adam(double value = 0.0, double rate = 0.0)
      : value_(value), rate_(rate) {}
  // `left` is the share of the rate that is left.
  void Step(double gradient, double left) {
    mean_ = kDecay1 * mean_ + (1.0 - kDecay1) * gradient;
    square_ = kDecay2 * square_ + (1.0 - kDecay2) * gradient * gradient;
    power1_ *= kDecay1;
    power2_ *= kDecay2;
    const double size = std::sqrt(square_ / (1.0 - power2_));
    if (!(size > 0.0)) return;
    value_ -= rate_ * left * (mean_ / (1.0 - power1_)) / size;
  }
  double value() const { return value_; }

 private:
  double value_, rate_;
  double mean_ = 0.0, square_ = 0.0;
  double power1_ = 1.0, power2_ = 1.0;
};

// A segment's scale and zero point.
struct Learned {
  Adam scale, zero;
  Learned(Params start, double rate)
      : scale(start.scale, rate * std::fabs(start.scale)),
        zero(start.zero_point, rate * kZeroPointRate) {}
};

struct Slope {
  double error;  // y - x
  double scale, zero;
};

class Slopes {
 public:
  Slopes(const Format& format, const Variant& variant)
      : format_(format),
        variant_(variant),
        range_(format.code_range(variant)),
        integer_(format.Has(kInteger)) {}

  Slope Of(float x, Params params) const {
    const int32_t code = format_.encode(x, params, variant_, 0);
    const double y = static_cast<double>(format_.decode(code, params));
    Params unit = params;
    unit.scale = 1.0f;
    const float v = x * InverseScale(params.scale);
    const float n = std::nearbyint(v) + static_cast<float>(params.zero_point);
    const bool within = integer_ ? n >= static_cast<float>(range_.lo) &&
                                       n <= static_cast<float>(range_.hi)
                                 : std::fabs(v) <= 1.0f;
    Slope slope;
    slope.error = y - static_cast<double>(x);
    if (within) {
      slope.scale = slope.error / static_cast<double>(params.scale);
      slope.zero = 0.0;
    } else {
      slope.scale = static_cast<double>(format_.decode(code, unit));
      slope.zero = -static_cast<double>(params.scale);
    }
    return slope;
  }

 private:
  const Format& format_;
  const Variant& variant_;
  CodeRange range_;
  bool integer_;
};

int IterationsOf(const OptimizeOptions& options) {
  const int n = options.As<int>(OptimizeOption::kIterations);
  return n == 0 ? kIterations : n;
}

}  // namespace

Params GradientRefine(const SegmentTask& task) {
  const Slopes slopes(task.format, task.variant);
  const int iterations = IterationsOf(task.options);
  Learned learned(task.start,
                  task.options.Number(OptimizeOption::kLearningRate));
  Params params = task.start, best = params;
  double least = HUGE_VAL;
  for (int i = 0; i <= iterations; ++i) {
    double error = 0.0, scale = 0.0, zero = 0.0;
    for (uint64_t k = 0; k < task.count; ++k) {
      const Slope slope = slopes.Of(task.x[k], params);
      error += slope.error * slope.error;
      scale += slope.error * slope.scale;
      zero += slope.error * slope.zero;
    }
    if (error < least) {
      least = error;
      best = params;
    }
    const double left = 1.0 - static_cast<double>(i) / iterations;
    learned.scale.Step(scale, left);
    learned.zero.Step(zero, left);
    params = Usable(task.format, task.variant, learned.scale.value(),
                    learned.zero.value());
    task.tick();
  }
  return best;
}

void GradientRefineLayer(const LayerTask& task, ParamSet* params) {
  constexpr uint64_t kTileRows = 32;
  const Variant variant = task.config.variant();
  const Slopes slopes(task.format, variant);
  const int iterations = IterationsOf(task.options);
  const double rate = task.options.Number(OptimizeOption::kLearningRate);
  const uint64_t rows = task.rows, columns = task.columns;
  const uint64_t count = params->scales.size();
  const Buffer gram = task.layer.Gram();
  const double* const h = gram.as<double>();

  std::vector<Learned> learned;
  for (uint64_t p = 0; p < count; ++p)
    learned.emplace_back(params->At(p), rate);
  ParamSet best = *params;
  double least = HUGE_VAL;
  Buffer scale_slopes = task.context.Allocate(rows * columns * sizeof(double));
  Buffer zero_slopes = task.context.Allocate(
      params->zero_points.empty() ? 0 : rows * columns * sizeof(double));
  std::vector<double> losses(rows);
  for (int i = 0; i <= iterations; ++i) {
    ParallelFor(task.context, DivCeil(rows, kTileRows), [&](uint64_t tile) {
      const uint64_t first = tile * kTileRows;
      const uint64_t height = std::min(kTileRows, rows - first);
      Buffer scratch =
          task.context.Allocate(2 * height * columns * sizeof(double));
      double* const d = scratch.as<double>();
      double* const gradient = d + height * columns;
      std::fill(gradient, gradient + height * columns, 0.0);
      for (uint64_t r = 0; r < height; ++r) {
        for (uint64_t k = 0; k < columns; ++k) {
          const uint64_t e = (first + r) * columns + k;
          const Slope slope = slopes.Of(task.weights[e],
                                        params->At(task.ParamOf(first + r, k)));
          d[r * columns + k] = slope.error;
          scale_slopes.as<double>()[e] = slope.scale;
          if (zero_slopes.size() != 0) {
            zero_slopes.as<double>()[e] = slope.zero;
          }
        }
      }
      ProductArgs product;
      product.rows = height;
      product.inner = product.columns = columns;
      product.a = d;
      product.a_row = columns;
      product.b = h;
      product.b_row = columns;
      product.c = gradient;
      product.c_row = columns;
      AddProduct(product);
      for (uint64_t r = 0; r < height; ++r) {
        double loss = 0.0;
        for (uint64_t k = 0; k < columns; ++k) {
          const double g = gradient[r * columns + k];
          const uint64_t e = (first + r) * columns + k;
          loss += d[r * columns + k] * g;
          scale_slopes.as<double>()[e] *= g;
          if (zero_slopes.size() != 0) zero_slopes.as<double>()[e] *= g;
        }
        losses[first + r] = loss;
      }
    });
    double loss = 0.0;
    for (double row : losses) loss += row;
    if (loss < least) {
      least = loss;
      best = *params;
    }
    // In the order of elements, since rows may share parameters.
    std::vector<double> scales(count), zeros(count);
    for (uint64_t r = 0; r < rows; ++r) {
      for (uint64_t k = 0; k < columns; ++k) {
        const uint64_t p = task.ParamOf(r, k), e = r * columns + k;
        scales[p] += scale_slopes.as<double>()[e];
        if (zero_slopes.size() != 0) zeros[p] += zero_slopes.as<double>()[e];
      }
    }
    const double left = 1.0 - static_cast<double>(i) / iterations;
    for (uint64_t p = 0; p < count; ++p) {
      // An all-zero segment stays one.
      if (params->scales[p] == 0.0f) continue;
      learned[p].scale.Step(scales[p], left);
      learned[p].zero.Step(zeros[p], left);
      params->Set(p, Usable(task.format, variant, learned[p].scale.value(),
                            learned[p].zero.value()));
    }
    task.progress(static_cast<uint64_t>(i), static_cast<uint64_t>(iterations));
  }
  *params = best;
}

}  // namespace bnq
