// What can be optimised, and what a method needs for it.
#include "core/base/error.h"
#include "core/optimize/methods.h"

namespace bnq {

void CheckRequest(const Format& format, const OptimizeRequest& request) {
  const Config& config = request.config;
  const OptimizeOptions& options = request.options;
  const char* const method = options.method_name();
  const OptimizeMethod m = options.method();
  CheckSupported(format, config);
  if (!format.Has(kScaled)) {
    Fail(Code::kUnsupported, "format %s has no scales to optimise",
         format.name);
  }
  if (config.outlier_threshold() != 0.0f) {
    Fail(Code::kUnsupported, "outlier_threshold = %g, must be 0 to optimise",
         static_cast<double>(config.outlier_threshold()));
  }
  if (config.rounding() == Rounding::kStochastic) {
    Fail(Code::kUnsupported,
         "rounding = stochastic: errors of single draws are not to be "
         "optimised");
  }
  if (m == OptimizeMethod::kHqq && !format.Has(kInteger)) {
    Fail(Code::kUnsupported,
         "method = hqq takes an integer format, which %s is not", format.name);
  }
  const bool searches = m == OptimizeMethod::kGrid || m == OptimizeMethod::kHqq;
  if (options.objective() != ObjectiveKind::kMse && !searches) {
    Fail(Code::kUnsupported,
         "method = %s makes the squared error small: objective must be mse",
         method);
  }
  if (options.scope() == OptimizeScope::kTensor && m != OptimizeMethod::kGrid) {
    Fail(Code::kUnsupported, "method = %s takes scope = segment", method);
  }
  if (options.objective() == ObjectiveKind::kCustom) {
    if (!request.metric) {
      Fail(Code::kInvalidArgument,
           "objective = custom, but the optimizer has no metric");
    }
    if (config.double_quant()) {
      Fail(Code::kUnsupported,
           "objective = custom takes double_quant = off: what a scale will be "
           "depends on the others");
    }
  }
  if (request.activations == nullptr &&
      (m == OptimizeMethod::kGptq || m == OptimizeMethod::kAwq)) {
    Fail(Code::kInvalidArgument,
         "activations is NULL, but method = %s needs the layer's inputs",
         method);
  }
  if (request.activations != nullptr && searches) {
    Fail(Code::kInvalidArgument,
         "activations must be NULL: method = %s does not use them", method);
  }
}

}  // namespace bnq
