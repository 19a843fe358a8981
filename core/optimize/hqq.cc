// HQQ: half-quadratic quantization (Badri & Shaji, 2023), for integer formats.
//
// It makes the sum of |x - y|^p, weighted by the columns' importance, small, p
// < 1, so that a few large errors weigh little: with e = shrink(x - y), which
// takes the large errors up, the rest is a least-squares problem of x - e. Each
// iteration, from the start's parameters:
//   codes of x, values y; e; the new zero point mean(code - (x - e) / scale) of
//   asymmetric schemes; then the scale that fits x - e best, or where the
//   scheme is offset scale and offset together; beta *= kappa.
// It ends where mean|x - y| is not below the best so far, as the original, or
// where nothing changes. The original moves only a real-valued zero point and
// leaves the scale; the zero points of this library are whole, and rounding
// them would undo nearly every step, so the scale moves instead. Of all
// iterations the one with the least error by the objective is kept.

#include <cmath>

#include "core/base/portable_math.h"
#include "core/optimize/methods.h"

namespace bnq {

double HqqShrink(double v, double beta, double p) {
  const double a = std::fabs(v);
  if (a == 0.0) return 0.0;
  const double kept = a - PortablePow(a, p - 1.0) / beta;
  return kept <= 0.0 ? 0.0 : v < 0.0 ? -kept : kept;
}

namespace {

Params HqqRefine(const SegmentTask& task) {
  constexpr int kIterations = 20;
  int iterations = task.options.As<int>(OptimizeOption::kIterations);
  if (iterations == 0) iterations = kIterations;
  double beta = task.options.Number(OptimizeOption::kBeta);
  const double norm = task.options.Number(OptimizeOption::kNorm);
  const bool asymmetric = task.variant.scheme == Scheme::kAsymmetric;
  const bool offset = task.variant.scheme == Scheme::kOffset;
  const CodeRange range = task.format.code_range(task.variant);
  // Codes of an offset count from it.
  const int32_t first = offset ? range.lo : 0;

  const CodeRule rule = RuleOf(task.format, task.variant);
  Params params = task.start, best = task.start;
  double least = task.objective.Error(best), least_mean = HUGE_VAL;
  for (int i = 0; i < iterations && params.scale != 0.0f; ++i) {
    // Below this nothing is taken up: |v|^(2 - p) = 1 / beta.
    const double threshold = PortablePow(1.0 / beta, 1.0 / (2.0 - norm));
    const double scale = static_cast<double>(params.scale);
    double n = 0.0, magnitude = 0.0, zero = 0.0;
    double t_code = 0.0, t_sum = 0.0, codes = 0.0, codes_squared = 0.0;
    for (uint64_t k = 0; k < task.count; ++k) {
      if (k % kTickElements == 0) task.context.Tick();
      const int32_t code = task.format.encode(task.x[k], params, rule, 0);
      const double x = static_cast<double>(task.x[k]);
      const double error =
          x - static_cast<double>(task.format.decode(code, params, rule));
      const double e =
          std::fabs(error) > threshold ? HqqShrink(error, beta, norm) : 0.0;
      const double t = x - e, c = code - first;
      const double w =
          task.weights == nullptr ? 1.0 : static_cast<double>(task.weights[k]);
      n += w;
      magnitude += w * std::fabs(error);
      zero += w * (c - t / scale);
      t_code += w * (t * c);
      t_sum += w * t;
      codes += w * c;
      codes_squared += w * (c * c);
    }
    if (!(magnitude < least_mean)) break;
    least_mean = magnitude;
    const double z =
        asymmetric
            ? std::fmin(std::fmax(std::nearbyint(zero / n), range.lo), range.hi)
            : 0.0;
    // The scale s of the least sum of (t - (code - z) s)^2, or of (t - code s -
    // o)^2, where codes are numbered from the offset on.
    double square = codes_squared - 2.0 * z * codes + n * z * z;
    double slope = t_code - z * t_sum, moved = z;
    if (offset) {
      square -= codes * codes / n;
      slope -= codes * t_sum / n;
      moved = (t_sum - slope / square * codes) / n;
    }
    if (!(square > 0.0)) break;
    const Params next =
        Usable(task.format, task.variant, slope / square, moved);
    if (next.scale == params.scale && next.zero_point == params.zero_point &&
        next.offset == params.offset) {
      break;
    }
    params = next;
    beta *= task.options.Number(OptimizeOption::kKappa);
    const double error = task.objective.Error(params);
    if (error < least) {
      least = error;
      best = params;
    }
  }
  return best;
}

}  // namespace

extern const OptimizationMethod kHqqMethod;
const OptimizationMethod kHqqMethod = {
    OptimizeMethod::kHqq,
    /*integers_only=*/true,
    /*any_objective=*/true,
    /*any_scope=*/false,
    /*takes_importance=*/true, NeedsInputs::kNever, HqqRefine, nullptr,
};

}  // namespace bnq
