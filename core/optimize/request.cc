// What can be optimised, and what a method needs for it.
#include "core/base/error.h"
#include "core/optimize/methods.h"
#include "core/scheme/support.h"

namespace bnq {

void CheckRequest(const Format& format, const OptimizeRequest& request) {
  const Config& config = request.config;
  const OptimizeOptions& options = request.options;
  const char* const method = options.method_name();
  const OptimizationMethod& row = MethodOf(options.method());
  CheckSupported(format, config);
  if (!format.Has(kScaled)) {
    Fail(Status::kUnsupported, "format ", format.name,
         " has no scales to optimise");
  }
  if (config.outlier_threshold() != 0.0f) {
    Fail(Status::kUnsupported,
         "outlier_threshold = ", config.outlier_threshold(),
         ", must be 0 to optimise");
  }
  if (format.Has(kCodebook)) {
    Fail(Status::kUnsupported, "format = ", format.name,
         ": scales and codebook are fitted together by scale_rule = mse; to "
         "optimise it must be one whose values are given");
  }
  if (config.rounding() == Rounding::kStochastic) {
    Fail(Status::kUnsupported,
         "rounding = stochastic: errors of single draws are not to be "
         "optimised");
  }
  if (row.integers_only && !format.Has(kInteger)) {
    Fail(Status::kUnsupported, "method = ", method,
         " takes an integer format, which ", format.name, " is not");
  }
  if (options.objective() != ObjectiveKind::kMse && !row.any_objective) {
    Fail(Status::kUnsupported, "method = ", method,
         " makes the squared error small: objective must be mse");
  }
  if (options.scope() == OptimizeScope::kTensor && !row.any_scope) {
    Fail(Status::kUnsupported, "method = ", method, " takes scope = segment");
  }
  if (options.objective() == ObjectiveKind::kCustom) {
    if (!request.metric) {
      Fail(Status::kInvalidArgument,
           "objective = custom, but the optimizer has no metric");
    }
    if (config.stores_together()) {
      Fail(Status::kUnsupported,
           "objective = custom takes double_quant = off and another "
           "scale_dtype than e4m3: what a scale will be depends on the others");
    }
  }
  if (request.importance != nullptr) {
    if (!row.takes_importance) {
      Fail(Status::kUnsupported, "importance takes method = grid or hqq, not ",
           method);
    }
    if (options.objective() != ObjectiveKind::kMse) {
      Fail(Status::kUnsupported, "importance takes objective = mse");
    }
    if (options.scope() == OptimizeScope::kTensor) {
      Fail(Status::kUnsupported, "importance takes scope = segment");
    }
  }
  if (request.activations == nullptr && row.inputs == NeedsInputs::kAlways) {
    Fail(Status::kInvalidArgument, "activations is NULL, but method = ", method,
         " needs the layer's inputs");
  }
  if (request.activations != nullptr && row.inputs == NeedsInputs::kNever) {
    Fail(Status::kInvalidArgument,
         "activations must be NULL: method = ", method, " does not use them");
  }
}

}  // namespace bnq
