#include "core/optimize/segments.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "core/base/checked.h"
#include "core/kernels/reduce.h"
#include "core/optimize/methods.h"
#include "core/parallel/runner.h"
#include "core/scheme/rules.h"
#include "core/tensor/dequantize.h"
#include "core/tensor/segment.h"

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
  return a.scale == b.scale && a.zero_point == b.zero_point &&
         a.offset == b.offset;
}

// A segment's values in `buffer`, with kLanes zeros behind them: methods may
// read behind the values, and shall find numbers there. Behind these the
// weights, where there are some.
uint64_t ReadSegment(const Subject& subject, uint64_t p, Buffer* buffer) {
  const Segment segment(subject.source(), subject.layout(), p);
  const uint64_t n = segment.count();
  const bool weighted = subject.importance().weights != nullptr;
  const uint64_t bytes = (n + kLanes + (weighted ? n : 0)) * sizeof(float);
  if (buffer->size() < bytes) *buffer = subject.context().Allocate(bytes);
  float* const x = buffer->as<float>();
  if (weighted) {
    segment.Weights(subject.importance(), 0, static_cast<size_t>(n),
                    x + n + kLanes);
  }
  std::fill(x + n, x + n + kLanes, 0.0f);
  for (uint64_t at = 0; at < n; at += kChunk) {
    segment.Read(at, static_cast<size_t>(std::min<uint64_t>(n - at, kChunk)),
                 x + at);
  }
  return n;
}

// f(parameter's index, segment's values, their number, context for work within
// it).
using SegmentWork = std::function<void(uint64_t p, const float* x,
                                       uint64_t count, const Context& inner)>;

void ForSegments(const Subject& subject, const SegmentWork& work) {
  const Context& context = subject.context();
  const uint64_t segments = subject.layout().num_params;
  const uint64_t size = Segment(subject.source(), subject.layout(), 0).count();
  // A caller's metric runs on the caller's thread.
  if (size >= kLargeSegment ||
      subject.options().objective() == ObjectiveKind::kCustom) {
    Buffer values;
    for (uint64_t p = 0; p < segments; ++p) {
      const uint64_t n = ReadSegment(subject, p, &values);
      work(p, values.as<float>(), n, context);
      subject.Report(p + 1, segments);
    }
    return;
  }
  const uint64_t per_task = std::max<uint64_t>(1, kTaskElements / size);
  const uint64_t per_wave = std::max<uint64_t>(1, kWaveElements / size);
  for (uint64_t wave = 0; wave < segments; wave += per_wave) {
    const uint64_t end = std::min(segments, wave + per_wave);
    ParallelFor(context, DivCeil(end - wave, per_task), [&](uint64_t task) {
      const Context serial;
      Buffer values;
      const uint64_t first = wave + task * per_task;
      const uint64_t last = std::min(end, first + per_task);
      for (uint64_t p = first; p < last; ++p) {
        const uint64_t n = ReadSegment(subject, p, &values);
        work(p, values.as<float>(), n, serial);
      }
    });
    subject.Report(end, segments);
  }
}

Range WidestOf(const Subject& subject, const float* x, uint64_t n) {
  Variant absmax = subject.variant();
  absmax.scale_rule = ScaleRule::kAbsMax;
  const Statistic statistic = StatisticOf(subject.format(), absmax);
  Partial total;
  for (uint64_t at = 0; at < n; at += kChunk) {
    const size_t count =
        static_cast<size_t>(std::min<uint64_t>(kChunk, n - at));
    total.Merge(Reduce(x + at, count, count, statistic));
  }
  return total.ToRange(statistic, n);
}

// Of a ratio; 0 stands for the start, which an all-zero segment keeps.
Params ParamsOfRatio(const Subject& subject, uint64_t p, const float* x,
                     uint64_t n, double ratio) {
  const Params start = subject.start().At(p);
  if (ratio == 0.0 || start.scale == 0.0f) return start;
  return NarrowedParams(subject.format(), subject.variant(),
                        WidestOf(subject, x, n), ratio, ratio);
}

ParamSet ParamsOfRatio(const Subject& subject, double ratio) {
  ParamSet params = subject.start();
  if (ratio == 0.0) return params;
  ForSegments(subject,
              [&](uint64_t p, const float* x, uint64_t n, const Context&) {
                params.Set(p, ParamsOfRatio(subject, p, x, n, ratio));
              });
  return params;
}

// Of the whole tensor, by the caller's metric.
std::vector<double> CustomErrors(const Subject& subject,
                                 const std::vector<double>& ratios) {
  const Context& context = subject.context();
  std::vector<double> errors;
  Buffer x = subject.Load();
  Buffer y = context.Allocate(subject.elements() * sizeof(float));
  for (const double ratio : ratios) {
    const auto tensor = subject.TensorOf(ParamsOfRatio(subject, ratio));
    Dequantizer(context, *tensor)
        .DecodeParallel(0, subject.elements(), DType::kF32, y.data());
    errors.push_back(subject.request().metric(x.as<float>(), y.as<float>(),
                                              subject.elements()));
    subject.Report(0, 1);
  }
  return errors;
}

// Errors of the whole tensor for ranges narrowed by each of the ratios.
std::vector<double> ErrorsOf(const Subject& subject,
                             const std::vector<double>& ratios) {
  if (subject.options().objective() == ObjectiveKind::kCustom) {
    return CustomErrors(subject, ratios);
  }
  const size_t count = ratios.size();
  const uint64_t segments = subject.segments();
  std::vector<double> totals(count), parts(segments * count);
  ForSegments(subject, [&](uint64_t p, const float* x, uint64_t n,
                           const Context& inner) {
    const SegmentObjective objective(inner, subject.format(), subject.variant(),
                                     subject.options(),
                                     subject.request().metric, x, n);
    ParallelFor(inner, count, [&](uint64_t i) {
      parts[p * count + i] =
          objective.Exact(ParamsOfRatio(subject, p, x, n, ratios[i])) *
          Count(n);
    });
  });
  for (uint64_t p = 0; p < segments; ++p) {
    for (size_t i = 0; i < count; ++i) totals[i] += parts[p * count + i];
  }
  for (double& total : totals) total /= Count(subject.elements());
  return totals;
}

}  // namespace

SegmentsResult EachSegment(const Subject& subject) {
  const OptimizationMethod& method = MethodOf(subject.options().method());
  const uint64_t segments = subject.segments();
  SegmentsResult result;
  result.params = subject.start();
  std::vector<double> before(segments), after(segments);
  std::vector<uint8_t> improved(segments);
  ForSegments(subject, [&](uint64_t p, const float* x, uint64_t n,
                           const Context& inner) {
    const Params start = subject.start().At(p);
    const float* const weights =
        subject.importance().weights == nullptr ? nullptr : x + n + kLanes;
    const SegmentObjective objective(inner, subject.format(), subject.variant(),
                                     subject.options(),
                                     subject.request().metric, x, n, weights);
    const double error = objective.Exact(start);
    before[p] = after[p] = error * Count(n);
    // An all-zero segment is what it is.
    if (start.scale == 0.0f) return;
    const SegmentTask task = {inner,
                              subject.format(),
                              subject.variant(),
                              subject.options(),
                              objective,
                              x,
                              weights,
                              n,
                              start,
                              WidestOf(subject, x, n)};
    const Params found = method.segment(task);
    if (Same(found, start)) return;
    const double now = objective.Exact(found);
    if (!(now < error)) return;
    after[p] = now * Count(n);
    improved[p] = 1;
    result.params.Set(p, found);
  });
  for (uint64_t p = 0; p < segments; ++p) {
    result.before += before[p];
    result.after += after[p];
    result.improved += improved[p];
  }
  result.before /= Count(subject.elements());
  result.after /= Count(subject.elements());
  return result;
}

SegmentsResult OneRatio(const Subject& subject) {
  SegmentsResult result;
  std::vector<double> ratios = {0.0};
  for (const double r : GridRatios(subject.options())) ratios.push_back(r);
  double best = 0.0, h = ratios[2];
  const auto try_all = [&] {
    const std::vector<double> errors = ErrorsOf(subject, ratios);
    for (size_t i = 0; i < ratios.size(); ++i) {
      if (ratios[i] == 0.0) {
        result.after = result.before = errors[i];
      } else if (errors[i] < result.after) {
        result.after = errors[i];
        best = ratios[i];
      }
    }
  };
  try_all();
  const int refinements =
      subject.options().As<int>(OptimizeOption::kRefinements);
  for (int i = 0; i < refinements && best != 0.0; ++i) {
    h = std::sqrt(h);
    ratios = {best * h};
    if (best / h <= 1.0) ratios.push_back(best / h);
    try_all();
  }
  result.params = ParamsOfRatio(subject, best);
  for (uint64_t p = 0; p < subject.segments(); ++p) {
    result.improved += !Same(subject.start().At(p), result.params.At(p));
  }
  return result;
}

}  // namespace bnq
