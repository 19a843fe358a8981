// Grid search over the range that codes stand for.
//
// Candidates, of which the least error by the objective wins, an earlier one
// where two are equal:
//   1. the start: what the config's rule makes;
//   2. the whole range of the segment times r_k = min_ratio^(k / steps), k =
//      0..steps;
//   3. from the best of these, `refinements` times, with h = min_ratio^(1 /
//      steps), its root, the root of that and so on: the range times h and
//      over h; for schemes that are not symmetric also each end by itself, as
//      long as that helps, at most eight times. Never more than the whole
//      range, which an offset's narrows about its middle, others about 0;
//   4. asymmetric: zero points beside the best with the same scale, up to
//      zero_point_steps away in the direction that helps.

#include <algorithm>
#include <cmath>

#include "core/base/checked.h"
#include "core/base/portable_math.h"
#include "core/optimize/methods.h"
#include "core/parallel/runner.h"
#include "core/scheme/rules.h"

namespace bnq {

std::vector<double> GridRatios(const OptimizeOptions& options) {
  const int steps = options.As<int>(OptimizeOption::kSteps);
  const double log = PortableLog(options.Number(OptimizeOption::kMinRatio));
  std::vector<double> ratios;
  for (int k = 0; k <= steps; ++k)
    ratios.push_back(PortableExp(log * k / steps));
  return ratios;
}

Params NarrowedParams(const Format& format, const Variant& variant,
                      Range widest, double lo, double hi) {
  // Not the rule absmean, which would make another range of this one.
  Variant plain = variant;
  plain.scale_rule = ScaleRule::kMse;
  if (variant.scheme == Scheme::kOffset) {
    const double a = static_cast<double>(widest.lo);
    const double b = static_cast<double>(widest.hi);
    const double middle = 0.5 * (a + b), half = 0.5 * (b - a);
    return ParamsOf(format, plain,
                    {static_cast<float>(middle - half * lo),
                     static_cast<float>(middle + half * hi)});
  }
  const Range range = {static_cast<float>(widest.lo * lo),
                       static_cast<float>(widest.hi * hi)};
  return ParamsOf(format, plain, range);
}

namespace {

// Zero points beside the best with the same scale, in the direction that helps.
Params MoveZeroPoint(const SegmentTask& task, Params best, double least) {
  const CodeRange codes = task.format.code_range(task.variant);
  const int steps = task.options.As<int>(OptimizeOption::kZeroPointSteps);
  for (const int direction : {1, -1}) {
    bool moved = false;
    for (int i = 0; i < steps; ++i) {
      Params p = best;
      p.zero_point += direction;
      if (p.zero_point < codes.lo || p.zero_point > codes.hi) break;
      const double error = task.objective.Error(p);
      if (!(error < least)) break;
      least = error;
      best = p;
      moved = true;
    }
    if (moved) break;
  }
  return best;
}

Params GridSearch(const SegmentTask& task) {
  const Scheme scheme = task.variant.scheme;
  double lo = 1.0, hi = 1.0;
  Params best = task.start;
  double least = task.objective.Error(best);

  const std::vector<double> ratios = GridRatios(task.options);
  std::vector<Params> candidates;
  for (const double r : ratios) {
    candidates.push_back(
        NarrowedParams(task.format, task.variant, task.widest, r, r));
  }
  std::vector<double> errors(candidates.size());
  const auto error_of = [&](uint64_t i) {
    errors[i] = task.objective.Error(candidates[i]);
  };
  if (task.options.objective() == ObjectiveKind::kCustom) {
    for (size_t i = 0; i < candidates.size(); ++i) error_of(i);
  } else {
    ParallelFor(task.context, candidates.size(), error_of);
  }
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (!(errors[i] < least)) continue;
    least = errors[i];
    best = candidates[i];
    lo = hi = ratios[i];
  }
  task.context.Tick();

  const auto attempt = [&](double l, double h) {
    if (l > 1.0 || h > 1.0) return false;
    const Params p =
        NarrowedParams(task.format, task.variant, task.widest, l, h);
    const double error = task.objective.Error(p);
    if (!(error < least)) return false;
    least = error;
    best = p;
    lo = l;
    hi = h;
    return true;
  };
  double h = ratios[1];
  for (int i = 0; i < task.options.As<int>(OptimizeOption::kRefinements); ++i) {
    if (scheme != Scheme::kSymmetric) {
      for (int again = 0; again < 8; ++again) {
        if (!(attempt(lo * h, hi) || attempt(lo / h, hi) ||
              attempt(lo, hi * h) || attempt(lo, hi / h))) {
          break;
        }
      }
    }
    h = std::sqrt(h);
    if (!attempt(lo * h, hi * h)) attempt(lo / h, hi / h);
    task.context.Tick();
  }
  return scheme == Scheme::kAsymmetric ? MoveZeroPoint(task, best, least)
                                       : best;
}

}  // namespace

extern const OptimizationMethod kGridMethod;
const OptimizationMethod kGridMethod = {
    OptimizeMethod::kGrid,
    /*integers_only=*/false,
    /*any_objective=*/true,
    /*any_scope=*/true,
    /*takes_importance=*/true, NeedsInputs::kNever, GridSearch, nullptr,
};

}  // namespace bnq
