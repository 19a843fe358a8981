#include "core/optimize/optimize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/kernels/elements.h"
#include "core/kernels/reduce.h"
#include "core/optimize/methods.h"
#include "core/parallel/runner.h"
#include "core/scheme/rules.h"
#include "core/tensor/chunks.h"
#include "core/tensor/dequantize.h"
#include "core/tensor/metrics.h"
#include "core/tensor/quantize.h"
#include "core/tensor/search.h"

namespace bnq {
namespace {

// Segments from this size on are searched one after another, by all threads;
// smaller ones are shared out, a wave of this many elements at a time.
constexpr uint64_t kLargeSegment = uint64_t{1} << 17;
constexpr uint64_t kWaveElements = uint64_t{1} << 20;
constexpr uint64_t kTaskElements = 16384;

double Count(uint64_t n) {
  return static_cast<double>(static_cast<int64_t>(n));
}

bool Same(Params a, Params b) {
  return a.scale == b.scale && a.zero_point == b.zero_point;
}

bool NeedsLayer(const OptimizeRequest& request) {
  const OptimizeMethod method = request.options.method();
  return method == OptimizeMethod::kGptq || method == OptimizeMethod::kAwq ||
         (method == OptimizeMethod::kGradient && request.activations);
}

// One optimisation: the start, and what is made of it.
class Run {
 public:
  Run(const Context& context, const OptimizeRequest& request)
      : context_(context),
        request_(request),
        config_(request.config),
        options_(request.options),
        format_(FormatOf(config_)),
        variant_(config_.variant()),
        source_(MakeSource(request.source, &config_)),
        quantizer_(context, config_, request.source),
        elements_(quantizer_.elements()),
        bytes_(elements_ * source_.element_size()) {
    start_ = ParamSet(quantizer_.layout().num_params,
                      config_.scheme() == Scheme::kAsymmetric);
    Report(0);
    FindParams(&quantizer_, start_.span(), nullptr);
    params_ = start_;
  }

  OptimizeResult Finish() {
    if (elements_ == 0) {
      result_.tensor = Quantize(context_, config_, request_.source);
      std::fill(result_.figures, result_.figures + kNumFigures,
                std::numeric_limits<double>::quiet_NaN());
      At(Figure::kSegments) = At(Figure::kImproved) = 0.0;
      return std::move(result_);
    }
    if (NeedsLayer(request_)) {
      OnLayer();
    } else {
      if (options_.scope() == OptimizeScope::kTensor) {
        OneRatio();
      } else {
        EachSegment();
      }
      Compare();
    }
    Report(bytes_);
    return std::move(result_);
  }

 private:
  double& At(Figure figure) {
    return result_.figures[static_cast<int>(figure)];
  }
  void Report(uint64_t done) const {
    if (request_.progress) {
      request_.progress(done, bytes_, options_.method_name());
    }
  }

  // f(parameter's index, segment's values, their number, context for work
  // within it, tick).
  using SegmentWork =
      std::function<void(uint64_t p, const float* x, uint64_t count,
                         const Context& inner, const std::function<void()>&)>;
  void ForSegments(const SegmentWork& work) {
    const Layout& layout = quantizer_.layout();
    const uint64_t segments = layout.num_params;
    const auto run = [&](uint64_t p, Buffer* values, const Context& inner,
                         const std::function<void()>& tick) {
      const Segment segment(source_, layout, p);
      const uint64_t n = segment.count();
      const uint64_t bytes = (n + kLanes) * sizeof(float);
      if (values->size() < bytes) *values = context_.Allocate(bytes);
      float* const x = values->as<float>();
      // Methods may read behind the values, and shall find numbers there.
      std::fill(x + n, x + n + kLanes, 0.0f);
      for (uint64_t at = 0; at < n; at += kChunk) {
        segment.Read(at,
                     static_cast<size_t>(std::min<uint64_t>(n - at, kChunk)),
                     x + at);
      }
      work(p, x, n, inner, tick);
    };
    const uint64_t size = Segment(source_, layout, 0).count();
    if (size >= kLargeSegment ||
        options_.objective() == ObjectiveKind::kCustom) {
      Buffer values;
      for (uint64_t p = 0; p < segments; ++p) {
        const std::function<void()> tick = [&] {
          Report(p * (bytes_ / segments));
        };
        run(p, &values, context_, tick);
        tick();
      }
      return;
    }
    const std::function<void()> no_tick = [] {};
    const uint64_t per_task = std::max<uint64_t>(1, kTaskElements / size);
    const uint64_t per_wave = std::max<uint64_t>(1, kWaveElements / size);
    for (uint64_t wave = 0; wave < segments; wave += per_wave) {
      const uint64_t end = std::min(segments, wave + per_wave);
      ParallelFor(context_, DivCeil(end - wave, per_task), [&](uint64_t task) {
        const Context serial;
        Buffer values;
        const uint64_t first = wave + task * per_task;
        const uint64_t last = std::min(end, first + per_task);
        for (uint64_t p = first; p < last; ++p) {
          run(p, &values, serial, no_tick);
        }
      });
      Report(end * (bytes_ / segments));
    }
  }

  Range WidestOf(const float* x, uint64_t n) const {
    Variant absmax = variant_;
    absmax.scale_rule = ScaleRule::kAbsMax;
    const Statistic statistic = StatisticOf(format_, absmax);
    Partial total;
    for (uint64_t at = 0; at < n; at += kChunk) {
      const size_t count =
          static_cast<size_t>(std::min<uint64_t>(kChunk, n - at));
      total.Merge(Reduce(x + at, count, count, statistic));
    }
    return total.ToRange(statistic, n);
  }

  SegmentObjective ObjectiveOf(const float* x, uint64_t n) const {
    return SegmentObjective(format_, variant_, options_, request_.metric, x, n);
  }

  void EachSegment() {
    const uint64_t segments = start_.scales.size();
    std::vector<double> before(segments), after(segments);
    std::vector<uint8_t> improved(segments);
    ForSegments([&](uint64_t p, const float* x, uint64_t n,
                    const Context& inner, const std::function<void()>& tick) {
      const Params start = start_.At(p);
      const SegmentObjective objective = ObjectiveOf(x, n);
      const double error = objective.Exact(start);
      before[p] = after[p] = error * Count(n);
      // An all-zero segment is what it is.
      if (start.scale == 0.0f) return;
      const SegmentTask task = {inner,          format_, variant_, options_,
                                objective,      x,       n,        start,
                                WidestOf(x, n), tick};
      Params found = start;
      switch (options_.method()) {
        case OptimizeMethod::kHqq:
          found = HqqRefine(task);
          break;
        case OptimizeMethod::kGradient:
          found = GradientRefine(task);
          break;
        default:
          found = GridSearch(task);
      }
      if (Same(found, start)) return;
      const double now = objective.Exact(found);
      if (!(now < error)) return;
      after[p] = now * Count(n);
      improved[p] = 1;
      params_.Set(p, found);
    });
    double b = 0.0, a = 0.0, count = 0.0;
    for (uint64_t p = 0; p < segments; ++p) {
      b += before[p];
      a += after[p];
      count += improved[p];
    }
    At(Figure::kObjectiveBefore) = b / Count(elements_);
    At(Figure::kObjectiveAfter) = a / Count(elements_);
    At(Figure::kSegments) = Count(segments);
    At(Figure::kImproved) = count;
  }

  // Errors of the whole tensor for ranges narrowed by each of the ratios; a
  // ratio of 0 stands for the start.
  std::vector<double> ErrorsOf(const std::vector<double>& ratios) {
    const size_t count = ratios.size();
    const uint64_t segments = start_.scales.size();
    const auto params_of = [&](uint64_t p, const float* x, uint64_t n,
                               double ratio) {
      const Params start = start_.At(p);
      return ratio == 0.0 || start.scale == 0.0f
                 ? start
                 : NarrowedParams(format_, variant_, WidestOf(x, n), ratio,
                                  ratio);
    };
    if (options_.objective() != ObjectiveKind::kCustom) {
      std::vector<double> totals(count), parts(segments * count);
      ForSegments([&](uint64_t p, const float* x, uint64_t n,
                      const Context& inner, const std::function<void()>&) {
        const SegmentObjective objective = ObjectiveOf(x, n);
        ParallelFor(inner, count, [&](uint64_t i) {
          parts[p * count + i] =
              objective.Exact(params_of(p, x, n, ratios[i])) * Count(n);
        });
      });
      for (uint64_t p = 0; p < segments; ++p) {
        for (size_t i = 0; i < count; ++i) totals[i] += parts[p * count + i];
      }
      for (double& total : totals) total /= Count(elements_);
      return totals;
    }
    std::vector<double> errors;
    Buffer x = LoadAll(), y = context_.Allocate(elements_ * sizeof(float));
    for (const double ratio : ratios) {
      SetRatio(ratio);
      const auto tensor = TensorOf(params_);
      Dequantizer(context_, *tensor)
          .DecodeParallel(0, elements_, DType::kF32, y.data());
      errors.push_back(
          request_.metric(x.as<float>(), y.as<float>(), elements_));
      Report(0);
    }
    return errors;
  }

  void SetRatio(double ratio) {
    params_ = start_;
    if (ratio == 0.0) return;
    ForSegments([&](uint64_t p, const float* x, uint64_t n, const Context&,
                    const std::function<void()>&) {
      if (start_.scales[p] == 0.0f) return;
      params_.Set(
          p, NarrowedParams(format_, variant_, WidestOf(x, n), ratio, ratio));
    });
  }

  void OneRatio() {
    std::vector<double> ratios = {0.0};
    for (const double r : GridRatios(options_)) ratios.push_back(r);
    double best = 0.0, least = 0.0, h = ratios[2];
    const auto try_all = [&] {
      const std::vector<double> errors = ErrorsOf(ratios);
      for (size_t i = 0; i < ratios.size(); ++i) {
        if (ratios[i] == 0.0) {
          least = At(Figure::kObjectiveBefore) = errors[i];
        } else if (errors[i] < least) {
          least = errors[i];
          best = ratios[i];
        }
      }
    };
    try_all();
    for (int i = 0; i < options_.As<int>(OptimizeOption::kRefinements); ++i) {
      if (best == 0.0) break;
      h = std::sqrt(h);
      ratios = {best * h};
      if (best / h <= 1.0) ratios.push_back(best / h);
      try_all();
    }
    SetRatio(best);
    At(Figure::kObjectiveAfter) = least;
    At(Figure::kSegments) = Count(start_.scales.size());
    uint64_t changed = 0;
    for (uint64_t p = 0; p < start_.scales.size(); ++p) {
      changed += !Same(start_.At(p), params_.At(p));
    }
    At(Figure::kImproved) = Count(changed);
  }

  // All values as the quantizer sees them; finite, since the start was found.
  Buffer LoadAll() const {
    Buffer buffer = context_.Allocate((elements_ + kLanes) * sizeof(float));
    ForEachChunk(context_, 0, elements_, [&](uint64_t, uint64_t at, size_t n) {
      float values[kChunk + kLanes];
      LoadElements(source_, at, n, values);
      std::copy_n(values, n, buffer.as<float>() + at);
    });
    return buffer;
  }

  void StoreParams(const ParamSet& params, QuantizedTensor* tensor) const {
    StoreScales(config_, params.scales.data(), params.scales.size(),
                tensor->mutable_scales());
    std::copy(params.zero_points.begin(), params.zero_points.end(),
              tensor->mutable_zero_points());
  }

  std::unique_ptr<QuantizedTensor> TensorOf(const ParamSet& params) {
    QuantizeJob job{config_, request_.source};
    job.params = &params;
    return Quantize(context_, job);
  }

  double MseOf(const QuantizedTensor& tensor) const {
    // Of the values as they are quantized: clipped, and without those that are
    // not finite.
    ErrorSums sums;
    const Dequantizer dequantizer(context_, tensor);
    sums.Add(
        context_, 0, elements_,
        [&](uint64_t begin, size_t count, float* out) {
          LoadElements(source_, begin, count, out);
        },
        [&](uint64_t begin, size_t count, float* out) {
          dequantizer.Decode(begin, count, DType::kF32, false,
                             reinterpret_cast<uint8_t*>(out));
        });
    return sums.Result().values[static_cast<int>(Metric::kMse)];
  }

  // The start again: nothing better was found.
  void GiveUp(std::unique_ptr<QuantizedTensor> start) {
    result_.tensor = std::move(start);
    At(Figure::kObjectiveAfter) = At(Figure::kObjectiveBefore);
    At(Figure::kMseAfter) = At(Figure::kMseBefore);
    At(Figure::kImproved) = 0.0;
  }

  // The tensor of the parameters found, against that of the start.
  void Compare() {
    auto start = TensorOf(start_);
    auto found = TensorOf(params_);
    At(Figure::kMseBefore) = MseOf(*start);
    At(Figure::kMseAfter) = MseOf(*found);
    if (options_.objective() == ObjectiveKind::kMse) {
      // With the scales as they are stored.
      At(Figure::kObjectiveBefore) = At(Figure::kMseBefore);
      At(Figure::kObjectiveAfter) = At(Figure::kMseAfter);
    }
    if (At(Figure::kObjectiveAfter) < At(Figure::kObjectiveBefore)) {
      result_.tensor = std::move(found);
    } else {
      GiveUp(std::move(start));
    }
  }

  // The errors of the layer's outputs, row by row, with a tensor's values over
  // the input scales in place of the weights.
  std::vector<double> OutputErrors(const Layer& layer, const float* weights,
                                   const QuantizedTensor& tensor,
                                   const float* input_scales) const {
    const uint64_t rows = request_.source.shape.rows();
    const uint64_t columns = layer.columns();
    Buffer values = context_.Allocate(elements_ * sizeof(float));
    Dequantizer(context_, tensor)
        .DecodeParallel(0, elements_, DType::kF32, values.data());
    std::vector<double> errors(rows);
    layer.OutputErrors(
        rows,
        [&](uint64_t r, uint64_t k) {
          const uint64_t e = r * columns + k;
          double y = static_cast<double>(values.as<float>()[e]);
          if (input_scales) y /= static_cast<double>(input_scales[k]);
          return static_cast<double>(weights[e]) - y;
        },
        errors.data());
    return errors;
  }

  // GPTQ's codes and parameters, row by row where they are better.
  std::unique_ptr<QuantizedTensor> GptqTensor(
      const LayerTask& task, const QuantizedTensor& start,
      const std::vector<double>& before) {
    std::vector<int8_t> codes;
    Gptq(task, &params_, &codes);
    const auto make = [&] {
      auto tensor = std::make_unique<QuantizedTensor>(context_, config_,
                                                      request_.source.shape);
      PackCodes(config_, request_.source.shape, codes.data(),
                tensor->mutable_codes());
      StoreParams(params_, tensor.get());
      return tensor;
    };
    auto tensor = make();
    const std::vector<double> after =
        OutputErrors(task.layer, task.weights, *tensor, nullptr);
    uint64_t kept = 0;
    for (uint64_t r = 0; r < task.rows; ++r) {
      if (after[r] < before[r]) {
        ++kept;
        continue;
      }
      UnpackCodes(start, r * task.columns, task.columns,
                  codes.data() + r * task.columns);
      for (uint64_t k = 0; k < task.columns; ++k) {
        const uint64_t p = task.ParamOf(r, k);
        params_.Set(p, start_.At(p));
      }
    }
    At(Figure::kSegments) = Count(task.rows);
    At(Figure::kImproved) = Count(kept);
    return kept == task.rows ? std::move(tensor) : make();
  }

  std::unique_ptr<QuantizedTensor> AwqTensor(const LayerTask& task) {
    const std::vector<float> s = AwqSearch(task);
    uint64_t scaled = 0;
    for (float v : s) scaled += v != 1.0f;
    At(Figure::kSegments) = Count(task.columns);
    At(Figure::kImproved) = Count(scaled);
    if (scaled == 0) return TensorOf(start_);
    result_.input_scales = s;
    Buffer weights = context_.Allocate(elements_ * sizeof(float));
    for (uint64_t e = 0; e < elements_; ++e) {
      weights.as<float>()[e] = task.weights[e] * s[e % task.columns];
    }
    Config plain = config_;
    plain.SetFloat(static_cast<int32_t>(Option::kClip), 0.0);
    ArrayView view;
    view.data = weights.data();
    view.shape = request_.source.shape;
    // It is the config's tensor, whose clip does not matter any more.
    const auto tensor = Quantize(context_, plain, view);
    return TensorOfParts(context_, config_, request_.source.shape,
                         tensor->parts(), /*borrow=*/false);
  }

  void OnLayer() {
    const Shape& shape = request_.source.shape;
    const Layer layer(context_, *request_.activations, shape.columns());
    const Buffer weights = LoadAll();
    const std::function<void(uint64_t, uint64_t)> progress =
        [&](uint64_t done, uint64_t total) {
          Report(static_cast<uint64_t>(Count(bytes_) * Count(done) /
                                       Count(std::max<uint64_t>(1, total))));
        };
    const LayerTask task = {context_,
                            format_,
                            config_,
                            options_,
                            quantizer_.layout(),
                            layer,
                            shape,
                            weights.as<float>(),
                            shape.rows(),
                            shape.columns(),
                            progress};
    auto start = TensorOf(start_);
    const std::vector<double> before =
        OutputErrors(layer, task.weights, *start, nullptr);
    std::unique_ptr<QuantizedTensor> found;
    At(Figure::kSegments) = At(Figure::kImproved) = 1.0;
    switch (options_.method()) {
      case OptimizeMethod::kGptq:
        found = GptqTensor(task, *start, before);
        break;
      case OptimizeMethod::kAwq:
        found = AwqTensor(task);
        break;
      default:
        GradientRefineLayer(task, &params_);
        found = TensorOf(params_);
    }
    const float* const scales =
        result_.input_scales.empty() ? nullptr : result_.input_scales.data();
    const std::vector<double> after =
        OutputErrors(layer, task.weights, *found, scales);
    double b = 0.0, a = 0.0;
    for (double v : before) b += v;
    for (double v : after) a += v;
    At(Figure::kObjectiveBefore) = b / Count(task.rows);
    At(Figure::kObjectiveAfter) = a / Count(task.rows);
    At(Figure::kMseBefore) = MseOf(*start);
    if (!(a < b)) {
      result_.input_scales.clear();
      return GiveUp(std::move(start));
    }
    At(Figure::kMseAfter) =
        scales ? MseOver(task, *found, scales) : MseOf(*found);
    result_.tensor = std::move(found);
  }

  double MseOver(const LayerTask& task, const QuantizedTensor& tensor,
                 const float* input_scales) const {
    const Dequantizer dequantizer(context_, tensor);
    ErrorSums sums;
    sums.Add(
        context_, 0, elements_,
        [&](uint64_t begin, size_t count, float* out) {
          std::copy_n(task.weights + begin, count, out);
        },
        [&](uint64_t begin, size_t count, float* out) {
          dequantizer.Decode(begin, count, DType::kF32, false,
                             reinterpret_cast<uint8_t*>(out));
          for (size_t i = 0; i < count; ++i) {
            out[i] /= input_scales[(begin + i) % task.columns];
          }
        });
    return sums.Result().values[static_cast<int>(Metric::kMse)];
  }

  const Context& context_;
  const OptimizeRequest& request_;
  const Config& config_;
  const OptimizeOptions& options_;
  const Format& format_;
  const Variant variant_;
  const SourceView source_;
  Quantizer quantizer_;
  const uint64_t elements_, bytes_;
  ParamSet start_, params_;
  OptimizeResult result_;
};

}  // namespace

const char* FigureName(int index) {
  static const char* const kNames[kNumFigures] = {
      "objective_before", "objective_after", "mse_before",
      "mse_after",        "segments",        "improved"};
  return index >= 0 && index < kNumFigures ? kNames[index] : nullptr;
}

OptimizeResult Optimize(const Context& context,
                        const OptimizeRequest& request) {
  CheckRequest(FormatOf(request.config), request);
  return Run(context, request).Finish();
}

}  // namespace bnq
