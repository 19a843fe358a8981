#include "core/training/gradient.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/kernels/elements.h"
#include "core/kernels/function.h"
#include "core/kernels/gradient.h"
#include "core/kernels/random.h"
#include "core/kernels/traversal.h"
#include "core/parallel/runner.h"
#include "core/scheme/layout.h"
#include "core/scheme/rules.h"
#include "core/tensor/chunks.h"
#include "core/tensor/clipping.h"
#include "core/tensor/source.h"
#include "core/tensor/static.h"
#include "core/training/soften.h"

namespace bnq {
namespace {

// Elements of a task of whole segments; longer ones are cut.
constexpr uint64_t kTask = 65536;
// Chunks whose sums are held at a time.
constexpr uint64_t kWaveChunks = 1024;

// What there is in units of a scale, of the segments of one zero point.
struct Steps {
  Reach reach;
  float lo, hi;  // the values of the least and the greatest code
};

struct SegmentSums {
  GradientSums sums;
  double beyond = 0.0;  // dy times how far x lies beyond the range
  void Merge(const SegmentSums& next) {
    sums.Merge(next.sums);
    beyond += next.beyond;
  }
};

class GradientRun {
 public:
  GradientRun(const Context& context, const GradientJob& job,
              const ParamSet& params)
      : context_(context),
        job_(job),
        params_(params),
        format_(FormatOf(job.config)),
        x_(MakeSource(job.x, &job.config)),
        dy_(MakeSource(job.dy, nullptr)),
        layout_(MakeLayout(format_, job.config, job.x.shape)),
        rule_(RuleOf(format_, job.config.variant())),
        softening_(job.training),
        size_(Info(job.dtype).bits / 8),
        slopes_(job.slope != nullptr ? layout_.num_params : 0) {}

  void Run() {
    const uint64_t segments = layout_.num_params;
    if (segments == 0 || job_.x.shape.elements() == 0) return;
    // Segments differ in length only at ends.
    const uint64_t longest = layout_.ElementsOf(0).count();
    if (longest > kTask) {
      for (uint64_t p = 0; p < segments; ++p) Finish(p, RunLong(p));
    } else {
      const uint64_t per_task = std::max<uint64_t>(1, kTask / longest);
      ParallelFor(context_, DivCeil(segments, per_task), [&](uint64_t task) {
        const uint64_t end = std::min(segments, (task + 1) * per_task);
        for (uint64_t p = task * per_task; p < end; ++p) Finish(p, RunShort(p));
      });
    }
    if (job_.slope == nullptr) return;
    double total = 0.0;
    for (double slope : slopes_) total += slope;
    *job_.slope = static_cast<float>(total);
  }

 private:
  SegmentSums RunShort(uint64_t p) const {
    const uint64_t n = layout_.ElementsOf(p).count();
    SegmentSums total;
    for (uint64_t at = 0; at < n; at += kChunk) {
      total.Merge(RunChunk(
          p, at, static_cast<size_t>(std::min<uint64_t>(kChunk, n - at))));
    }
    return total;
  }

  SegmentSums RunLong(uint64_t p) const {
    const uint64_t n = layout_.ElementsOf(p).count();
    SegmentSums total;
    for (uint64_t wave = 0; wave < n; wave += kWaveChunks * kChunk) {
      const uint64_t wave_end = std::min(n, wave + kWaveChunks * kChunk);
      std::vector<SegmentSums> parts(DivCeil(wave_end - wave, kChunk));
      ForEachChunk(context_, wave, wave_end,
                   [&](uint64_t chunk, uint64_t at, size_t count) {
                     parts[chunk] = RunChunk(p, at, count);
                   });
      for (const SegmentSums& part : parts) total.Merge(part);
    }
    return total;
  }

  // f(element, count, where in the chunk) for what lies together of a segment's
  // elements from `at` on.
  template <class F>
  void ForRuns(uint64_t p, uint64_t at, size_t n, const F& f) const {
    const Layout::Spread e = layout_.ElementsOf(p);
    for (size_t done = 0; done < n;) {
      const uint64_t i = (at + done) % e.length;
      const size_t piece =
          static_cast<size_t>(std::min<uint64_t>(n - done, e.length - i));
      f(e.first + (at + done) / e.length * e.stride + i, piece, done);
      done += piece;
    }
  }

  Steps StepsOfParam(uint64_t p) const {
    const Params params = params_.At(p);
    Steps steps;
    steps.reach = ReachOf(format_, rule_.range, params.zero_point);
    const float most =
        static_cast<float>(GreatestValue(format_, rule_.range, 0));
    const bool integer = format_.Has(kInteger);
    steps.lo = integer ? static_cast<float>(rule_.range.lo - params.zero_point)
                       : -most;
    steps.hi =
        integer ? static_cast<float>(rule_.range.hi - params.zero_point) : most;
    return steps;
  }

  // Where floats are, or in room for them.
  const float* Floats(const SourceView& source, uint64_t p, uint64_t at,
                      size_t n, float* room) const {
    if (layout_.contiguous && source.direct()) {
      return reinterpret_cast<const float*>(source.data) +
             layout_.ElementsOf(p).first + at;
    }
    ForRuns(p, at, n, [&](uint64_t element, size_t count, size_t i) {
      LoadElements(source, element, count, room + i);
    });
    return room;
  }

  void FakeValues(uint64_t p, uint64_t at, const float* x, size_t n,
                  float* y) const {
    const Params params = params_.At(p);
    if (softening_.makes_noise()) {
      const NoiseRange range = NoiseRangeOf(format_, rule_.range, params);
      ForRuns(p, at, n, [&](uint64_t element, size_t count, size_t i) {
        softening_.MakeNoise(element, x + i, count, range, y + i);
      });
      return;
    }
    uint32_t words[kChunk + kLanes];
    RoundTripArgs trip;
    trip.rule = rule_;
    trip.params = params;
    trip.x = x;
    trip.count = n;
    trip.out = y;
    if (rule_.rounding == Rounding::kStochastic) {
      ForRuns(p, at, n, [&](uint64_t element, size_t count, size_t i) {
        RandomWords(job_.config.seed(), element, count, words + i);
      });
      trip.random = words;
    }
    format_.kernels().round_trip(trip);
  }

  // The estimator soft: 1 - tanh(u / width)^2 of the gradient.
  void SoftGradient(const GradientArgs& args, const Steps& steps, float* room,
                    float* dx) const {
    const float half = 0.5f * (steps.hi - steps.lo);
    const float middle = 0.5f * (steps.hi + steps.lo);
    const float unit = 1.0f / (half * job_.training.width());
    for (size_t i = 0; i < args.count; ++i) {
      const float v = (args.x[i] - args.offset) * args.inverse;
      room[i] = (v - middle) * unit;
    }
    ApplyFunction(Function::kTanh, 0.0f, room, args.count, room);
    for (size_t i = 0; i < args.count; ++i) {
      dx[i] = args.dy[i] * (1.0f - room[i] * room[i]);
    }
  }

  // In the lanes of a chunk.
  static double Beyond(const GradientArgs& args, const Steps& steps,
                       float scale) {
    double lanes[kLanes] = {};
    for (size_t i = 0; i < args.count; ++i) {
      const float v = (args.x[i] - args.offset) * args.inverse;
      const float end = v < args.lo ? steps.lo : steps.hi;
      if (v < args.lo || v > args.hi) {
        lanes[i % kLanes] += static_cast<double>(args.dy[i]) *
                             static_cast<double>((v - end) * scale);
      }
    }
    for (size_t half = kLanes / 2; half != 0; half /= 2) {
      for (size_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
    }
    return lanes[0];
  }

  SegmentSums RunChunk(uint64_t p, uint64_t at, size_t n) const {
    float x[kChunk + kLanes], y[kChunk + kLanes], dy[kChunk + kLanes];
    float shares[kChunk], kept[kChunk];
    const Params params = params_.At(p);
    const Steps steps = StepsOfParam(p);
    GradientArgs args;
    args.x = Floats(x_, p, at, n, x);
    args.y = y;
    args.dy = Floats(dy_, p, at, n, dy);
    args.count = n;
    args.offset = params.offset;
    args.inverse = InverseScale(params.scale);
    args.lo = steps.reach.lo;
    args.hi = steps.reach.hi;
    FakeValues(p, at, args.x, n, y);
    const bool softened =
        !softening_.none() && Split(p, at, n, &args, shares, kept, dy);
    const Estimator estimator = job_.training.estimator();
    args.outside = estimator == Estimator::kStraight ? 1.0f
                   : estimator == Estimator::kSlope  ? job_.training.slope()
                                                     : 0.0f;
    SegmentSums sums;
    if (job_.slope != nullptr) sums.beyond = Beyond(args, steps, params.scale);
    const bool in_place = layout_.contiguous && job_.dtype == DType::kF32;
    uint8_t* const out = job_.dx + (layout_.ElementsOf(p).first + at) * size_;
    const bool soft = estimator == Estimator::kSoft;
    const bool direct = in_place && !soft && !softened;
    args.dx = direct ? reinterpret_cast<float*>(out) : y;
    sums.sums = Gradient(args);
    if (direct) return sums;
    if (soft) SoftGradient(args, steps, y, y);
    for (size_t i = 0; softened && i < n; ++i) y[i] += kept[i];
    ForRuns(p, at, n, [&](uint64_t element, size_t count, size_t i) {
      StoreElements(y + i, count, job_.dtype, false, job_.dx + element * size_);
    });
    return sums;
  }

  // Takes what passes by quantization, of values that are softened, out of dy.
  bool Split(uint64_t p, uint64_t at, size_t n, GradientArgs* args,
             float* shares, float* kept, float* dy) const {
    ForRuns(p, at, n, [&](uint64_t element, size_t count, size_t i) {
      softening_.Shares(element, count, shares + i);
    });
    for (size_t i = 0; i < n; ++i) {
      kept[i] = shares[i] * args->dy[i];
      dy[i] = (1.0f - shares[i]) * args->dy[i];
    }
    args->dy = dy;
    return true;
  }

  void Finish(uint64_t p, const SegmentSums& segment) {
    const Params params = params_.At(p);
    const Steps steps = StepsOfParam(p);
    const GradientSums& sums = segment.sums;
    const double count = static_cast<double>(layout_.ElementsOf(p).count());
    const double factor =
        job_.training.gradient_factor()
            ? 1.0 / std::sqrt(count *
                              (format_.Has(kInteger)
                                   ? rule_.range.hi
                                   : GreatestValue(format_, rule_.range, 0)))
            : 1.0;
    if (job_.scales != nullptr) {
      const double sum = sums.inside * InverseScale(params.scale) +
                         (sums.below * steps.lo + sums.above * steps.hi);
      job_.scales[p] = static_cast<float>(sum * factor);
    }
    if (job_.shifts != nullptr) {
      const double outside = sums.below + sums.above;
      const double by = rule_.offset ? 1.0 : -static_cast<double>(params.scale);
      job_.shifts[p] = static_cast<float>(outside * by * factor);
    }
    if (job_.ends != nullptr) {
      job_.ends[2 * p] = static_cast<float>(sums.below);
      job_.ends[2 * p + 1] = static_cast<float>(sums.above);
    }
    if (job_.slope != nullptr) slopes_[p] = segment.beyond;
  }

  const Context& context_;
  const GradientJob& job_;
  const ParamSet& params_;
  const Format& format_;
  const SourceView x_, dy_;
  const Layout layout_;
  const CodeRule rule_;
  const Softening softening_;
  const uint64_t size_;
  std::vector<double> slopes_;
};

// Of formats that clip nothing and have nothing else to learn.
void PassThrough(const Context& context, const GradientJob& job) {
  const SourceView dy = MakeSource(job.dy, nullptr);
  const uint64_t size = Info(job.dtype).bits / 8;
  ForEachChunk(context, 0, job.x.shape.elements(),
               [&](uint64_t, uint64_t at, size_t n) {
                 float room[kChunk + kLanes];
                 LoadElements(dy, at, n, room);
                 StoreElements(room, n, job.dtype, false, job.dx + at * size);
               });
}

}  // namespace

void FakeQuantizeGradient(const Context& context, const GradientJob& job) {
  const Format& format = FormatOf(job.config);
  if (job.dy.shape != job.x.shape) {
    Fail(Status::kInvalidArgument, "shape of dy = ", job.dy.shape.ToString(),
         ", must be that of x, ", job.x.shape.ToString());
  }
  if (job.config.outlier_threshold() != 0.0f) {
    Fail(Status::kUnsupported,
         "outlier_threshold = ", job.config.outlier_threshold(),
         ", must be 0: outlier columns have no gradients");
  }
  if (!format.Has(kScaled)) {
    PassThrough(context, job);
    return;
  }
  CheckTakesParams(format);
  const ParamSet params = UsableParams(
      job.config, format, PartSizes(job.config, job.x.shape), job.params);
  GradientRun(context, job, params).Run();
}

}  // namespace bnq
