// The methods, a file each, and what they are given.
#ifndef BNQ_CORE_OPTIMIZE_METHODS_H_
#define BNQ_CORE_OPTIMIZE_METHODS_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "core/optimize/layer.h"
#include "core/optimize/objective.h"
#include "core/optimize/optimize.h"
#include "core/scheme/format.h"
#include "core/scheme/layout.h"
#include "core/scheme/params.h"

namespace bnq {

// UNSUPPORTED and INVALID_ARGUMENT for what cannot be optimised so
// (request.cc).
void CheckRequest(const Format& format, const OptimizeRequest& request);

// The nearest usable parameters to these: the scale bounded and rounded to the
// type it is stored in, its sign kept; the zero point a code.
Params Usable(const Format& format, const Variant& variant, double scale,
              double zero_point);
// What the config's rule makes of n values in memory, with kLanes more to read.
// False where one is not finite.
bool RuleParams(const Context& context, const Format& format,
                const Config& config, const float* x, size_t n, Params* params);

// A segment for the methods that look at one at a time.
struct SegmentTask {
  const Context& context;  // for work within the segment
  const Format& format;
  const Variant& variant;
  const OptimizeOptions& options;
  const SegmentObjective& objective;
  const float* x;  // of `count`, with kLanes more to read
  uint64_t count;
  Params start;
  // The whole range of x, not all zero.
  Range widest;
  // Between steps; throws to cancel.
  const std::function<void()>& tick;
};

// Each returns parameters that may be worse than the start's: the caller
// compares.
Params GridSearch(const SegmentTask& task);
Params HqqRefine(const SegmentTask& task);
Params GradientRefine(const SegmentTask& task);

// Ranges of the grid, as factors of the whole range: 1 down to min_ratio, in
// equal steps of their logarithm.
std::vector<double> GridRatios(const OptimizeOptions& options);
// The parameters of the range narrowed by these factors.
Params NarrowedParams(const Format& format, const Variant& variant,
                      Range widest, double lo, double hi);

// v towards 0, as far as the half-quadratic step for the norm p <= 1 goes:
// sign(v) max(0, |v| - |v|^(p - 1) / beta).
double HqqShrink(double v, double beta, double p);

// For the methods that need the layer's inputs.
struct LayerTask {
  const Context& context;
  const Format& format;
  const Config& config;
  const OptimizeOptions& options;
  const Layout& layout;
  const Layer& layer;
  const Shape& shape;    // of the weights
  const float* weights;  // [rows, columns]
  uint64_t rows, columns;
  const std::function<void(uint64_t done, uint64_t total)>& progress;

  // Of element (row, column) of the matrix of weights.
  uint64_t ParamOf(uint64_t row, uint64_t column) const {
    const uint64_t e = row * columns + column;
    return layout.ParamIndex(e / layout.columns, e % layout.columns);
  }
};

// Moves the parameters down the gradient of the layer's output error; they end
// at the best of all steps.
void GradientRefineLayer(const LayerTask& task, ParamSet* params);

// Codes for all elements, and parameters: GPTQ. `params` starts as those of the
// plain rule, which `codes` are not read.
void Gptq(const LayerTask& task, ParamSet* params, std::vector<int8_t>* codes);
// R, upper triangular, with R R^T = h + damping * mean(diagonal of h) * I, in
// place of h, [n, n]. INVALID_ARGUMENT where h is singular.
void GptqFactor(const Context& context, double* h, uint64_t n, double damping);

// The input scales of ratio r: a^r, at least 1e-4, over the root of their
// greatest times their least; a is the mean |x| of each input.
std::vector<float> AwqScales(const std::vector<double>& a, double r);
// The best of `ratios` input scales by the layer's output error with weights
// quantized by the plain rule; all 1 where nothing is better.
std::vector<float> AwqSearch(const LayerTask& task);

}  // namespace bnq

#endif  // BNQ_CORE_OPTIMIZE_METHODS_H_
