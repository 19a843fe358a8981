// Learned step size quantization (LSQ, arXiv:1902.08153): scales and zero
// points follow the gradient of the squared error.
//
// With y = (code - z) s and the straight-through estimator, as PyTorch's
// learnable fake quantization:
//   x within the codes' range   dy/ds = (y - x) / s,   dy/dz = 0
//   x beyond it                 dy/ds = code - z,      dy/dz = -s
// Where the scheme is offset, y = (code - z) s + o with z the least code, and
// o moves in place of z: dy/do is 0 within and 1 beyond.
// x is within where x / s, rounded but not yet clamped, is a code (for formats
// of 16 values: where |x / s| <= 1; code - z is then the table's value). The
// zero point moves as a real number and is rounded to be used.
//
// Adam (arXiv:1412.6980; 0.9, 0.999) with a rate that falls linearly to 0:
// learning_rate times the start's scale a step for scales, ten times
// learning_rate codes for zero points, or so many scales for offsets. (LSQ's
// factor 1 / sqrt(n q) on the gradient is no matter to Adam, whose steps do not
// depend on its size.) The result is the best of all steps.
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

// A segment's scale, and its zero point or offset.
struct Learned {
  Adam scale, zero;
  Learned(Params start, double rate, bool offset)
      : scale(start.scale, rate * std::fabs(start.scale)),
        zero(offset ? start.offset : start.zero_point,
             rate * kZeroPointRate * (offset ? start.scale : 1.0f)) {}
};

struct Slope {
  double error;        // y - x
  double scale, zero;  // of y by the scale, and the zero point or offset
};

class Slopes {
 public:
  Slopes(const Format& format, const Variant& variant)
      : format_(format),
        rule_(RuleOf(format, variant)),
        integer_(format.Has(kInteger)) {}

  Slope Of(float x, Params params) const {
    const int32_t code = format_.encode(x, params, rule_, 0);
    const double y = static_cast<double>(format_.decode(code, params, rule_));
    Params unit = params;
    unit.scale = 1.0f;
    unit.offset = 0.0f;
    const float v = (x - params.offset) * InverseScale(params.scale);
    const float n = std::nearbyint(v) + static_cast<float>(params.zero_point);
    const bool within = integer_ ? n >= static_cast<float>(rule_.range.lo) &&
                                       n <= static_cast<float>(rule_.range.hi)
                                 : std::fabs(v) <= 1.0f;
    Slope slope;
    slope.error = y - static_cast<double>(x);
    if (within) {
      slope.scale = slope.error / static_cast<double>(params.scale);
      slope.zero = 0.0;
    } else {
      slope.scale = static_cast<double>(format_.decode(code, unit, rule_));
      slope.zero = rule_.offset ? 1.0 : -static_cast<double>(params.scale);
    }
    return slope;
  }

 private:
  const Format& format_;
  const CodeRule rule_;
  bool integer_;
};

int IterationsOf(const OptimizeOptions& options) {
  const int n = options.As<int>(OptimizeOption::kIterations);
  return n == 0 ? kIterations : n;
}

Params GradientRefine(const SegmentTask& task) {
  const Slopes slopes(task.format, task.variant);
  const int iterations = IterationsOf(task.options);
  Learned learned(task.start,
                  task.options.Number(OptimizeOption::kLearningRate),
                  task.variant.scheme == Scheme::kOffset);
  Params params = task.start, best = params;
  double least = HUGE_VAL;
  for (int i = 0; i <= iterations; ++i) {
    double error = 0.0, scale = 0.0, zero = 0.0;
    for (uint64_t k = 0; k < task.count; ++k) {
      if (k % kTickElements == 0) task.context.Tick();
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
  }
  return best;
}

constexpr uint64_t kTileRows = 32;

// The descent on a layer: the slopes of its output error at the parameters that
// there are, summed over what shares them, and a step.
class LayerDescent {
 public:
  explicit LayerDescent(const LayerTask& task)
      : task_(task),
        slopes_(task.subject.format(), task.subject.variant()),
        gram_(task.layer.Gram()),
        params_(task.subject.start()),
        scale_slopes_(
            task.context().Allocate(task.rows * task.columns * sizeof(double))),
        zero_slopes_(task.context().Allocate(scheme() == Scheme::kSymmetric
                                                 ? 0
                                                 : task.rows * task.columns *
                                                       sizeof(double))) {
    const double rate =
        task.subject.options().Number(OptimizeOption::kLearningRate);
    for (uint64_t p = 0; p < params_.scales.size(); ++p) {
      learned_.emplace_back(params_.At(p), rate, scheme() == Scheme::kOffset);
    }
  }

  const ParamSet& params() const { return params_; }

  // The error of the layer's outputs at params(); finds the slopes there.
  double Loss() {
    std::vector<double> losses(task_.rows);
    ParallelFor(task_.context(), DivCeil(task_.rows, kTileRows),
                [&](uint64_t tile) {
                  const uint64_t first = tile * kTileRows;
                  FindSlopes(first, std::min(kTileRows, task_.rows - first),
                             losses.data() + first);
                });
    double loss = 0.0;
    for (double row : losses) loss += row;
    return loss;
  }

  // `left` is the share of the rate that is left.
  void Step(double left) {
    const uint64_t count = params_.scales.size();
    // In the order of elements, since rows may share parameters.
    std::vector<double> scales(count), zeros(count);
    for (uint64_t r = 0; r < task_.rows; ++r) {
      for (uint64_t k = 0; k < task_.columns; ++k) {
        const uint64_t p = task_.ParamOf(r, k), e = r * task_.columns + k;
        scales[p] += scale_slopes_.as<double>()[e];
        if (zero_slopes_.size() != 0) zeros[p] += zero_slopes_.as<double>()[e];
      }
      task_.context().Tick();
    }
    for (uint64_t p = 0; p < count; ++p) {
      // An all-zero segment stays one.
      if (params_.scales[p] == 0.0f) continue;
      learned_[p].scale.Step(scales[p], left);
      learned_[p].zero.Step(zeros[p], left);
      params_.Set(p,
                  Usable(task_.subject.format(), task_.subject.variant(),
                         learned_[p].scale.value(), learned_[p].zero.value()));
    }
  }

 private:
  Scheme scheme() const { return task_.subject.variant().scheme; }

  // Of `height` rows; each row's loss to losses.
  void FindSlopes(uint64_t first, uint64_t height, double* losses) {
    const uint64_t columns = task_.columns;
    Buffer scratch =
        task_.context().Allocate(2 * height * columns * sizeof(double));
    double* const d = scratch.as<double>();
    double* const gradient = d + height * columns;
    std::fill(gradient, gradient + height * columns, 0.0);
    for (uint64_t r = 0; r < height; ++r) {
      for (uint64_t k = 0; k < columns; ++k) {
        const uint64_t e = (first + r) * columns + k;
        const Slope slope = slopes_.Of(task_.weights[e],
                                       params_.At(task_.ParamOf(first + r, k)));
        d[r * columns + k] = slope.error;
        scale_slopes_.as<double>()[e] = slope.scale;
        if (zero_slopes_.size() != 0) {
          zero_slopes_.as<double>()[e] = slope.zero;
        }
      }
    }
    ProductArgs product;
    product.rows = height;
    product.inner = product.columns = columns;
    product.a = d;
    product.a_row = columns;
    product.b = gram_.as<double>();
    product.b_row = columns;
    product.c = gradient;
    product.c_row = columns;
    AddProductInPieces(task_.context(), product);
    for (uint64_t r = 0; r < height; ++r) {
      double loss = 0.0;
      for (uint64_t k = 0; k < columns; ++k) {
        const double g = gradient[r * columns + k];
        const uint64_t e = (first + r) * columns + k;
        loss += d[r * columns + k] * g;
        scale_slopes_.as<double>()[e] *= g;
        if (zero_slopes_.size() != 0) zero_slopes_.as<double>()[e] *= g;
      }
      losses[r] = loss;
    }
  }

  const LayerTask& task_;
  const Slopes slopes_;
  const Buffer gram_;
  ParamSet params_;
  std::vector<Learned> learned_;
  // Of each element's value by its scale and zero point; then of the error.
  Buffer scale_slopes_, zero_slopes_;
};

// The best of all steps.
LayerResult GradientLayer(const LayerTask& task) {
  const int iterations = IterationsOf(task.subject.options());
  LayerDescent descent(task);
  ParamSet best = descent.params();
  double least = HUGE_VAL;
  for (int i = 0; i <= iterations; ++i) {
    const double loss = descent.Loss();
    if (loss < least) {
      least = loss;
      best = descent.params();
    }
    descent.Step(1.0 - static_cast<double>(i) / iterations);
    task.subject.Report(static_cast<uint64_t>(i),
                        static_cast<uint64_t>(iterations));
  }
  LayerResult result;
  result.tensor = task.subject.TensorOf(best);
  return result;
}

}  // namespace

extern const OptimizationMethod kGradientMethod;
const OptimizationMethod kGradientMethod = {
    OptimizeMethod::kGradient,
    /*integers_only=*/false,
    /*any_objective=*/false,
    /*any_scope=*/false,
    /*takes_importance=*/false,
    NeedsInputs::kMay,
    GradientRefine,
    GradientLayer,
};

}  // namespace bnq
