#include "core/optimize/optimize.h"

#include <algorithm>
#include <cmath>

#include "capi/guard.h"

using namespace bnq;
using namespace bnq::capi;

struct bnq_optimizer : WithOptions<bnq_optimizer, BNQ_OPTIONS_OPTIMIZER> {
  OptimizeOptions& settings() { return core; }
  const OptimizeOptions& options() const { return core; }

  OptimizeOptions core;
  bnq_metric_fn metric = nullptr;
  void* opaque = nullptr;
  std::vector<float> importance;
};

namespace {

#define BNQ_SAME(option, id) \
  static_assert(             \
      static_cast<int>(OptimizeOption::option) == BNQ_OPTIMIZATION_##id, #id)
BNQ_SAME(kMethod, METHOD);
BNQ_SAME(kObjective, OBJECTIVE);
BNQ_SAME(kScope, SCOPE);
BNQ_SAME(kSteps, STEPS);
BNQ_SAME(kMinRatio, MIN_RATIO);
BNQ_SAME(kRefinements, REFINEMENTS);
BNQ_SAME(kZeroPointSteps, ZERO_POINT_STEPS);
BNQ_SAME(kBins, BINS);
BNQ_SAME(kIterations, ITERATIONS);
BNQ_SAME(kLearningRate, LEARNING_RATE);
BNQ_SAME(kBeta, BETA);
BNQ_SAME(kNorm, NORM);
BNQ_SAME(kKappa, KAPPA);
BNQ_SAME(kDamping, DAMPING);
BNQ_SAME(kBlock, BLOCK);
BNQ_SAME(kActOrder, ACT_ORDER);
BNQ_SAME(kRatios, RATIOS);
BNQ_SAME(kAttachInputScales, ATTACH_INPUT_SCALES);
#undef BNQ_SAME
#define BNQ_SAME(value, id) \
  static_assert(static_cast<int>(value) == BNQ_##id, #id)
BNQ_SAME(OptimizeMethod::kGrid, OPTIMIZE_GRID);
BNQ_SAME(OptimizeMethod::kGradient, OPTIMIZE_GRADIENT);
BNQ_SAME(OptimizeMethod::kHqq, OPTIMIZE_HQQ);
BNQ_SAME(OptimizeMethod::kGptq, OPTIMIZE_GPTQ);
BNQ_SAME(OptimizeMethod::kAwq, OPTIMIZE_AWQ);
BNQ_SAME(ObjectiveKind::kMse, OBJECTIVE_MSE);
BNQ_SAME(ObjectiveKind::kKl, OBJECTIVE_KL);
BNQ_SAME(ObjectiveKind::kCosine, OBJECTIVE_COSINE);
BNQ_SAME(ObjectiveKind::kCustom, OBJECTIVE_CUSTOM);
BNQ_SAME(OptimizeScope::kSegment, SCOPE_SEGMENT);
BNQ_SAME(OptimizeScope::kTensor, SCOPE_TENSOR);
BNQ_SAME(Figure::kObjectiveBefore, FIGURE_OBJECTIVE_BEFORE);
BNQ_SAME(Figure::kObjectiveAfter, FIGURE_OBJECTIVE_AFTER);
BNQ_SAME(Figure::kMseBefore, FIGURE_MSE_BEFORE);
BNQ_SAME(Figure::kMseAfter, FIGURE_MSE_AFTER);
BNQ_SAME(Figure::kSegments, FIGURE_SEGMENTS);
BNQ_SAME(Figure::kImproved, FIGURE_IMPROVED);
BNQ_SAME(kNumFigures, NUM_FIGURES);
#undef BNQ_SAME

CustomMetric MetricOf(const bnq_optimizer& optimizer) {
  if (optimizer.metric == nullptr) return nullptr;
  return [metric = optimizer.metric, opaque = optimizer.opaque](
             const float* original, const float* dequantized, uint64_t count) {
    double error = std::nan("");
    if (CallOut([&] {
          return metric(opaque, original, dequantized, count, &error);
        }) != 0) {
      Fail(Status::kCancelled, "cancelled by the optimizer's metric");
    }
    if (std::isnan(error)) {
      Fail(Status::kInvalidArgument, "the optimizer's metric of ", count,
           " values is NaN, must be a number");
    }
    return error;
  };
}

}  // namespace

bnq_status bnq_optimizer_create(bnq_optimizer** out_optimizer) {
  return Guard([&] {
    bnq_optimizer*& out = Output(out_optimizer, "out_optimizer");
    out = new bnq_optimizer();
  });
}

bnq_status bnq_optimizer_clone(const bnq_optimizer* optimizer,
                               bnq_optimizer** out_optimizer) {
  return Guard([&] {
    bnq_optimizer*& out = Output(out_optimizer, "out_optimizer");
    out = new bnq_optimizer(Required(optimizer, "optimizer"));
  });
}

void bnq_optimizer_destroy(bnq_optimizer* optimizer) { delete optimizer; }

const bnq_options* bnq_optimizer_options(const bnq_optimizer* optimizer) {
  return optimizer;
}

bnq_options* bnq_optimizer_settings(bnq_optimizer* optimizer) {
  return optimizer;
}

bnq_status bnq_optimizer_set_importance(bnq_optimizer* optimizer,
                                        const float* importance,
                                        uint64_t importance_count) {
  return Guard([&] {
    bnq_optimizer& o = Required(optimizer, "optimizer");
    if (importance_count != 0) Required(importance, "importance");
    o.importance.assign(importance, importance + importance_count);
  });
}

bnq_status bnq_optimizer_set_metric(bnq_optimizer* optimizer,
                                    bnq_metric_fn metric, void* opaque) {
  return Guard([&] {
    bnq_optimizer& o = Required(optimizer, "optimizer");
    o.core.SetInt(BNQ_OPTIMIZATION_OBJECTIVE,
                  metric ? BNQ_OBJECTIVE_CUSTOM : BNQ_OBJECTIVE_MSE);
    o.metric = metric;
    o.opaque = opaque;
  });
}

uint32_t bnq_figure_count(void) { return kNumFigures; }

const char* bnq_figure_name(uint32_t index) {
  return index < bnq_figure_count() ? FigureName(static_cast<int>(index))
                                    : nullptr;
}

bnq_status bnq_optimize(bnq_context* context, const bnq_optimizer* optimizer,
                        const bnq_config* config, const bnq_array* source,
                        const bnq_array* activations, bnq_progress_fn progress,
                        void* opaque, bnq_tensor** out_tensor,
                        float* input_scales, uint64_t input_scale_count,
                        double* figures, uint32_t figure_count) {
  return Guard([&] {
    bnq_tensor*& out = Output(out_tensor, "out_tensor");
    const bnq_optimizer& o = Required(optimizer, "optimizer");
    OptimizeRequest request;
    request.options = o.core;
    request.config = Required(config, "config").core;
    request.source = ViewOf(source, "source");
    request.metric = MetricOf(o);
    if (!o.importance.empty()) {
      request.importance = o.importance.data();
      request.importance_count = o.importance.size();
    }
    request.progress = ProgressOf(progress, opaque);
    ArrayView inputs;
    if (activations != nullptr) {
      inputs = ViewOf(activations, "activations");
      request.activations = &inputs;
    }
    const uint64_t columns = request.source.shape.columns();
    if (input_scales != nullptr || input_scale_count != 0 ||
        (o.core.method() == OptimizeMethod::kAwq &&
         !o.core.attach_input_scales())) {
      CheckCount(input_scale_count, columns, "input_scale_count");
      if (columns != 0) Required(input_scales, "input_scales");
    }
    if (figure_count > bnq_figure_count()) {
      Fail(Status::kInvalidArgument, "figure_count = ", figure_count,
           ", must be 0 to ", bnq_figure_count());
    }
    if (figure_count != 0) Required(figures, "figures");
    auto tensor = std::make_unique<bnq_tensor>();
    OptimizeResult result = Optimize(ContextOf(context), request);
    tensor->core = std::move(result.tensor);
    if (input_scales != nullptr) {
      if (result.input_scales.empty()) {
        std::fill_n(input_scales, columns, 1.0f);
      } else {
        std::copy_n(result.input_scales.data(), columns, input_scales);
      }
    }
    std::copy_n(result.figures, figure_count, figures);
    out = tensor.release();
  });
}
