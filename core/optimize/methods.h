// The methods, a file and a row each, and what they are given.
#ifndef BNQ_CORE_OPTIMIZE_METHODS_H_
#define BNQ_CORE_OPTIMIZE_METHODS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/optimize/layer.h"
#include "core/optimize/objective.h"
#include "core/optimize/optimize.h"
#include "core/optimize/subject.h"
#include "core/scheme/format.h"
#include "core/scheme/layout.h"

namespace bnq {

// A segment for the methods that look at one at a time.
struct SegmentTask {
  const Context& context;  // for work within the segment; its tick cancels
  const Format& format;
  const Variant& variant;
  const OptimizeOptions& options;
  const SegmentObjective& objective;
  const float* x;        // of `count`, with kLanes more to read
  const float* weights;  // of their columns, as many; nullptr: 1
  uint64_t count;
  Params start;
  // The whole range of x, not all zero.
  Range widest;
};

// A linear layer for the methods that look at its inputs.
struct LayerTask {
  const Subject& subject;
  const Layer& layer;
  const float* weights;  // [rows, columns]
  uint64_t rows, columns;
  // The tensor of the start, and its output errors by rows.
  const QuantizedTensor& start;
  const std::vector<double>& start_errors;

  const Context& context() const { return subject.context(); }
  // Of element (row, column) of the matrix of weights.
  uint64_t ParamOf(uint64_t row, uint64_t column) const {
    const uint64_t e = row * columns + column;
    const Layout& layout = subject.layout();
    return layout.ParamIndex(e / layout.columns, e % layout.columns);
  }
  // The errors of the layer's outputs, row by row, with a tensor's values over
  // the input scales (nullptr: 1) in place of the weights.
  std::vector<double> OutputErrors(const QuantizedTensor& tensor,
                                   const float* input_scales) const;
};

struct LayerResult {
  std::unique_ptr<QuantizedTensor> tensor;
  std::vector<float> input_scales;  // empty: all 1
  // Of what the method decides about: how many, and how many are improved.
  uint64_t parts = 1, improved = 1;
};

enum class NeedsInputs { kNever, kMay, kAlways };

struct OptimizationMethod {
  OptimizeMethod id;
  // Whether it takes integer formats alone; every objective, or makes the
  // squared error small; scope = tensor.
  bool integers_only, any_objective, any_scope;
  // Whether errors of columns can be weighted.
  bool takes_importance;
  NeedsInputs inputs;
  // Parameters for a segment, which may be worse than the start's: the caller
  // compares. nullptr where inputs are always needed.
  Params (*segment)(const SegmentTask& task);
  // A tensor for a layer's inputs, which may be worse than the start.
  // nullptr where they are never looked at.
  LayerResult (*layer)(const LayerTask& task);
};

const OptimizationMethod& MethodOf(OptimizeMethod id);

extern const OptimizationMethod kGridMethod;
extern const OptimizationMethod kGradientMethod;
extern const OptimizationMethod kHqqMethod;
extern const OptimizationMethod kGptqMethod;
extern const OptimizationMethod kAwqMethod;

// UNSUPPORTED and INVALID_ARGUMENT for what cannot be optimised so
// (request.cc).
void CheckRequest(const Format& format, const OptimizeRequest& request);

// The nearest usable parameters to these: the scale bounded and rounded to the
// type it is stored in, its sign kept (positive under an offset); `zero`: the
// zero point, a code, or the offset, rounded as scales are.
Params Usable(const Format& format, const Variant& variant, double scale,
              double zero);
// What the config's rule makes of n values in memory, with kLanes more to read.
// False where one is not finite.
bool RuleParams(const Context& context, const Format& format,
                const Config& config, const float* x, size_t n, Params* params);

// Steps of the methods, which their tests look at.

// Ranges of the grid, as factors of the whole range: 1 down to min_ratio, in
// equal steps of their logarithm.
std::vector<double> GridRatios(const OptimizeOptions& options);
// The parameters of the range narrowed by these factors: each end towards 0, or
// where the scheme is offset towards the middle.
Params NarrowedParams(const Format& format, const Variant& variant,
                      Range widest, double lo, double hi);

// v towards 0, as far as the half-quadratic step for the norm p <= 1 goes:
// sign(v) max(0, |v| - |v|^(p - 1) / beta).
double HqqShrink(double v, double beta, double p);

// R, upper triangular, with R R^T = h + damping * mean(diagonal of h) * I, in
// place of h, [n, n]. INVALID_ARGUMENT where h is singular.
void GptqFactor(const Context& context, double* h, uint64_t n, double damping);

// The input scales of ratio r: a^r, at least 1e-4, over the root of their
// greatest times their least; a is the mean |x| of each input.
std::vector<float> AwqScales(const std::vector<double>& a, double r);

}  // namespace bnq

#endif  // BNQ_CORE_OPTIMIZE_METHODS_H_
