#include "core/training/gradient.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/kernels/elements.h"
#include "core/kernels/function.h"
#include "core/kernels/gradient.h"
#include "core/kernels/random.h"
#include "core/kernels/reduce.h"
#include "core/kernels/span.h"
#include "core/kernels/traversal.h"
#include "core/parallel/runner.h"
#include "core/scheme/layout.h"
#include "core/scheme/rules.h"
#include "core/tensor/chunks.h"
#include "core/tensor/clipping.h"
#include "core/tensor/outliers.h"
#include "core/tensor/source.h"
#include "core/tensor/static.h"
#include "core/training/soften.h"

namespace bnq {
namespace {

// Elements of a task of whole segments; longer ones are cut.
constexpr uint64_t kTask = 65536;
// Chunks whose sums are held at a time.
constexpr uint64_t kWaveChunks = 1024;
// Segments that are worked on together, where they are as short as that.
constexpr size_t kTogether = 128;

// What there is in units of a scale, of the segments of one zero point.
struct Steps {
  Reach reach;
  float lo, hi;  // the values of the least and the greatest code
};

// The elements that share parameters, and these.
struct Shared {
  Layout::Spread elements;
  Params params;
  const Steps& steps;
};

struct SegmentSums {
  GradientSums sums;
  double beyond = 0.0;  // dy times how far x lies beyond the range
  void Merge(const SegmentSums& next) {
    sums.Merge(next.sums);
    beyond += next.beyond;
  }
};

// Room for a chunk, or for short segments.
struct Scratch {
  float x[kChunk + kLanes], y[kChunk + kLanes], dy[kChunk + kLanes];
  float shares[kChunk], kept[kChunk];
  uint32_t words[kChunk + kLanes];
  RoundTripArgs trip;
  EncodeSpan span;
  GradientSegment segments[kTogether];
  GradientSums sums[kTogether];
};

// f(element, count, where in the chunk) for what lies together of elements
// [at, at + n).
template <class F>
void ForRuns(const Layout::Spread& e, uint64_t at, size_t n, const F& f) {
  for (size_t done = 0; done < n;) {
    const uint64_t i = (at + done) % e.length;
    const size_t piece =
        static_cast<size_t>(std::min<uint64_t>(n - done, e.length - i));
    f(e.first + (at + done) / e.length * e.stride + i, piece, done);
    done += piece;
  }
}

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
        passing_(PassingColumns(context, job)),
        features_(job.x.shape.features()),
        splits_(!softening_.none() || !passing_.empty()),
        estimator_(job.training.estimator()),
        size_(Info(job.dtype).bits / 8),
        greatest_(GreatestValue(format_, rule_.range, 0)),
        alike_(layout_.InOrder() && layout_.matrix_rows == 0 &&
               layout_.row_params * layout_.run == layout_.columns),
        in_place_(layout_.contiguous && x_.direct() && dy_.direct() &&
                  job.dtype == DType::kF32 && IsAligned(job.dx) && !splits_ &&
                  estimator_ != Estimator::kSoft),
        // With the slope, dy is read again.
        after_(job.dx != job.dy.data),
        stream_(in_place_ && after_ && job.dx != job.x.data &&
                job.x.shape.elements() >= kStreamElements),
        sums_(job.scales != nullptr || job.shifts != nullptr ||
              job.ends != nullptr || job.slope != nullptr),
        slopes_(job.slope != nullptr ? layout_.num_params : 0) {
    const bool varies = !params.zero_points.empty();
    first_zero_ = varies ? rule_.range.lo : params.zero_point;
    const int32_t last = varies ? rule_.range.hi : params.zero_point;
    for (int32_t zero = first_zero_; zero <= last; ++zero) {
      steps_.push_back(StepsOf(zero));
    }
  }

  void Run() {
    const uint64_t segments = layout_.num_params;
    if (segments == 0 || job_.x.shape.elements() == 0) return;
    // Segments differ in length only at ends.
    const uint64_t longest = layout_.ElementsOf(0).count();
    if (longest > kTask) {
      for (uint64_t p = 0; p < segments; ++p) {
        const Shared shared = SharedOf(p);
        Finish(p, shared, RunLong(shared));
      }
    } else {
      const uint64_t per_task = std::max<uint64_t>(1, kTask / longest);
      const bool together = alike_ && in_place_ && longest <= kSpan / 2;
      ParallelFor(context_, DivCeil(segments, per_task), [&](uint64_t task) {
        const auto scratch = NewScratch();
        const uint64_t begin = task * per_task;
        const uint64_t end = std::min(segments, begin + per_task);
        if (together) {
          RunTogether(begin, end, scratch.get());
          return;
        }
        for (uint64_t p = begin; p < end; ++p) {
          const Shared shared = SharedOf(p);
          Finish(p, shared, RunShort(shared, scratch.get()));
        }
        if (stream_) FlushStream();
      });
    }
    if (job_.slope == nullptr) return;
    double total = 0.0;
    for (double slope : slopes_) total += slope;
    *job_.slope = static_cast<float>(total);
  }

 private:
  // Those that are no codes, by feature: outliers. Empty for none.
  static std::vector<uint8_t> PassingColumns(const Context& context,
                                             const GradientJob& job) {
    const float threshold = job.config.outlier_threshold();
    if (threshold == 0.0f) return {};
    return FindOutliers(context, MakeSource(job.x, &job.config), job.x.dtype,
                        job.x.shape.elements(), job.x.shape.features(),
                        threshold)
        .mask;
  }

  std::unique_ptr<Scratch> NewScratch() const {
    std::unique_ptr<Scratch> scratch(new Scratch);  // not filled with zeros
    scratch->trip.rule = rule_;
    return scratch;
  }

  Steps StepsOf(int32_t zero_point) const {
    const float most = static_cast<float>(greatest_);
    const bool integer = format_.Has(kInteger);
    return {ReachOf(format_, rule_.range, zero_point),
            integer ? static_cast<float>(rule_.range.lo - zero_point) : -most,
            integer ? static_cast<float>(rule_.range.hi - zero_point) : most};
  }

  Shared SharedOf(uint64_t p) const {
    // Without divisions where all are alike.
    const Params params = params_.At(p);
    return {alike_ ? Layout::Spread{p * layout_.run, layout_.run, 0, 1}
                   : layout_.ElementsOf(p),
            params, steps_[params.zero_point - first_zero_]};
  }

  GradientSegment SegmentOf(const Shared& shared) const {
    return {shared.params.offset, InverseScale(shared.params.scale),
            shared.steps.reach.lo, shared.steps.reach.hi};
  }

  float Outside() const {
    return estimator_ == Estimator::kStraight ? 1.0f
           : estimator_ == Estimator::kSlope  ? job_.training.slope()
                                              : 0.0f;
  }

  // Segments [begin, end), which lie one behind another, where they are.
  void RunTogether(uint64_t begin, uint64_t end, Scratch* scratch) {
    const size_t length = static_cast<size_t>(layout_.run);
    const uint64_t most = std::min<uint64_t>(kTogether, kSpan / length);
    for (uint64_t first = begin; first < end; first += most) {
      const size_t n = static_cast<size_t>(std::min(most, end - first));
      for (size_t j = 0; j < n; ++j) {
        const Params params = params_.At(first + j);
        scratch->segments[j] = SegmentOf(SharedOf(first + j));
        scratch->span.inverse[j] = scratch->segments[j].inverse;
        scratch->span.shift[j] = ShiftOf(rule_, params);
      }
      GradientArgs args = ArgsAt(first * length, n * length, scratch);
      args.segments = scratch->segments;
      args.num_segments = n;
      args.count = length;
      args.sums = sums_ ? scratch->sums : nullptr;
      if (sums_) {
        RoundTripArgs& trip = scratch->trip;
        scratch->span.group = length;
        scratch->span.first_param = first;
        trip.span = &scratch->span;
        trip.scales = params_.scales.data();
        RoundTripOf(args.x, n * length, scratch, [&](uint32_t* words) {
          RandomWords(job_.config.seed(), first * length, n * length, words);
        });
      }
      FinishTogether(first, args, scratch);
    }
    if (stream_) FlushStream();
  }

  void FinishTogether(uint64_t first, const GradientArgs& args,
                      const Scratch* scratch) {
    const size_t length = args.count;
    double beyond[kTogether] = {};
    const auto find = [&](size_t j) {
      const Shared shared = SharedOf(first + j);
      beyond[j] = Beyond(args.segments[j], args.x + j * length,
                         args.dy + j * length, length, shared);
    };
    for (size_t j = 0; NeedsBefore() && j < args.num_segments; ++j) find(j);
    Gradient(args);
    for (size_t j = 0; sums_ && j < args.num_segments; ++j) {
      if (NeedsAfter(args.sums[j])) find(j);
      Finish(first + j, SharedOf(first + j), {args.sums[j], beyond[j]});
    }
    Put(first * length, args.num_segments * length, scratch);
  }

  // Of elements from `at` on, as they lie, where floats are.
  GradientArgs ArgsAt(uint64_t at, size_t n, Scratch* scratch) const {
    GradientArgs args;
    args.x = reinterpret_cast<const float*>(x_.data) + at;
    args.y = scratch->y;
    args.dy = reinterpret_cast<const float*>(dy_.data) + at;
    args.count = n;
    args.outside = Outside();
    args.dx = stream_ ? scratch->y : reinterpret_cast<float*>(job_.dx) + at;
    return args;
  }

  // Past the caches, if it is to be so.
  void Put(uint64_t at, size_t n, const Scratch* scratch) const {
    if (!stream_) return;
    StoreBytes(reinterpret_cast<const uint8_t*>(scratch->y), n * sizeof(float),
               true, job_.dx + at * sizeof(float));
  }

  // Whether how far values lie beyond is summed, and when.
  bool NeedsBefore() const { return job_.slope != nullptr && !after_; }
  bool NeedsAfter(const GradientSums& sums) const {
    return job_.slope != nullptr && after_ && sums.clipped;
  }

  SegmentSums RunShort(const Shared& shared, Scratch* scratch) const {
    const uint64_t n = shared.elements.count();
    SegmentSums total;
    for (uint64_t at = 0; at < n; at += kChunk) {
      total.Merge(RunChunk(
          shared, at, static_cast<size_t>(std::min<uint64_t>(kChunk, n - at)),
          scratch));
    }
    return total;
  }

  SegmentSums RunLong(const Shared& shared) const {
    const uint64_t n = shared.elements.count();
    SegmentSums total;
    for (uint64_t wave = 0; wave < n; wave += kWaveChunks * kChunk) {
      const uint64_t wave_end = std::min(n, wave + kWaveChunks * kChunk);
      std::vector<SegmentSums> parts(DivCeil(wave_end - wave, kChunk));
      ForEachChunk(context_, wave, wave_end,
                   [&](uint64_t chunk, uint64_t at, size_t count) {
                     Scratch scratch;  // not filled with zeros
                     scratch.trip.rule = rule_;
                     parts[chunk] = RunChunk(shared, at, count, &scratch);
                     if (stream_) FlushStream();
                   });
      for (const SegmentSums& part : parts) total.Merge(part);
    }
    return total;
  }

  // Where floats are, or in room for them.
  const float* Floats(const SourceView& source, const Layout::Spread& elements,
                      uint64_t at, size_t n, float* room) const {
    if (layout_.contiguous && source.direct()) {
      return reinterpret_cast<const float*>(source.data) + elements.first + at;
    }
    ForRuns(elements, at, n, [&](uint64_t element, size_t count, size_t i) {
      LoadElements(source, element, count, room + i);
    });
    return room;
  }

  void FakeValues(const Shared& shared, uint64_t at, const float* x, size_t n,
                  Scratch* scratch) const {
    if (softening_.makes_noise()) {
      const NoiseRange range =
          NoiseRangeOf(format_, rule_.range, shared.params);
      ForRuns(shared.elements, at, n,
              [&](uint64_t element, size_t count, size_t i) {
                softening_.MakeNoise(element, x + i, count, range,
                                     scratch->y + i);
              });
      return;
    }
    scratch->trip.params = shared.params;
    RoundTripOf(x, n, scratch, [&](uint32_t* words) {
      ForRuns(shared.elements, at, n,
              [&](uint64_t element, size_t count, size_t i) {
                RandomWords(job_.config.seed(), element, count, words + i);
              });
    });
  }

  // draw(words): for stochastic rounding, a word of each element.
  template <class F>
  void RoundTripOf(const float* x, size_t n, Scratch* scratch,
                   const F& draw) const {
    RoundTripArgs& trip = scratch->trip;
    trip.x = x;
    trip.count = n;
    trip.out = scratch->y;
    if (rule_.rounding == Rounding::kStochastic) {
      draw(scratch->words);
      trip.random = scratch->words;
    }
    kernels_.round_trip(trip);
  }

  // The estimator soft: 1 - tanh(u / width)^2 of the gradient.
  void SoftGradient(const GradientArgs& args, const Steps& steps,
                    float* dx) const {
    const GradientSegment& segment = args.segments[0];
    const float half = 0.5f * (steps.hi - steps.lo);
    const float middle = 0.5f * (steps.hi + steps.lo);
    const float unit = 1.0f / (half * job_.training.width());
    for (size_t i = 0; i < args.count; ++i) {
      const float v = (args.x[i] - segment.offset) * segment.inverse;
      dx[i] = (v - middle) * unit;
    }
    ApplyFunction(Function::kTanh, 0.0f, dx, args.count, dx);
    for (size_t i = 0; i < args.count; ++i) {
      dx[i] = args.dy[i] * (1.0f - dx[i] * dx[i]);
    }
  }

  // In the lanes of a chunk.
  static double Beyond(const GradientSegment& segment, const float* x,
                       const float* dy, size_t count, const Shared& shared) {
    double lanes[kLanes] = {};
    for (size_t i = 0; i < count; ++i) {
      const float v = (x[i] - segment.offset) * segment.inverse;
      const bool below = v < segment.lo;
      if (below || v > segment.hi) {
        const float end = below ? shared.steps.lo : shared.steps.hi;
        lanes[i % kLanes] +=
            static_cast<double>(dy[i]) *
            static_cast<double>((v - end) * shared.params.scale);
      }
    }
    return SumLanes(lanes, kLanes);
  }

  SegmentSums RunChunk(const Shared& shared, uint64_t at, size_t n,
                       Scratch* scratch) const {
    const Layout::Spread& elements = shared.elements;
    const GradientSegment segment = SegmentOf(shared);
    SegmentSums sums;
    GradientArgs args;
    if (in_place_) {
      args = ArgsAt(elements.first + at, n, scratch);
    } else {
      args.x = Floats(x_, elements, at, n, scratch->x);
      args.y = args.dx = scratch->y;
      args.dy = Floats(dy_, elements, at, n, scratch->dy);
      args.count = n;
      args.outside = Outside();
    }
    args.segments = &segment;
    args.sums = sums_ ? &sums.sums : nullptr;
    if (sums_) FakeValues(shared, at, args.x, n, scratch);
    if (splits_) Split(elements, at, n, &args, scratch);
    const auto find = [&] {
      sums.beyond = Beyond(segment, args.x, args.dy, n, shared);
    };
    if (NeedsBefore()) find();
    Gradient(args);
    if (NeedsAfter(sums.sums)) find();
    if (in_place_) {
      Put(elements.first + at, n, scratch);
      return sums;
    }
    if (estimator_ == Estimator::kSoft) {
      SoftGradient(args, shared.steps, scratch->y);
    }
    for (size_t i = 0; splits_ && i < n; ++i) {
      scratch->y[i] += scratch->kept[i];
    }
    ForRuns(elements, at, n, [&](uint64_t element, size_t count, size_t i) {
      StoreElements(scratch->y + i, count, job_.dtype, false,
                    job_.dx + element * size_);
    });
    return sums;
  }

  // Takes what passes by quantization, of values that are softened and of
  // outliers, out of dy.
  void Split(const Layout::Spread& elements, uint64_t at, size_t n,
             GradientArgs* args, Scratch* scratch) const {
    ForRuns(elements, at, n, [&](uint64_t element, size_t count, size_t i) {
      float* const shares = scratch->shares + i;
      softening_.Shares(element, count, shares);
      for (size_t j = 0; !passing_.empty() && j < count; ++j) {
        if (passing_[(element + j) % features_] != 0) shares[j] = 1.0f;
      }
    });
    for (size_t i = 0; i < n; ++i) {
      scratch->kept[i] = scratch->shares[i] * args->dy[i];
      scratch->dy[i] = (1.0f - scratch->shares[i]) * args->dy[i];
    }
    args->dy = scratch->dy;
  }

  void Finish(uint64_t p, const Shared& shared, const SegmentSums& segment) {
    const GradientSums& sums = segment.sums;
    double factor = 1.0;
    if (job_.training.gradient_factor()) {
      const double count = static_cast<double>(shared.elements.count());
      factor = 1.0 / std::sqrt(count * (format_.Has(kInteger) ? rule_.range.hi
                                                              : greatest_));
    }
    if (job_.scales != nullptr) {
      const double sum =
          sums.inside * InverseScale(shared.params.scale) +
          (sums.below * shared.steps.lo + sums.above * shared.steps.hi);
      job_.scales[p] = static_cast<float>(sum * factor);
    }
    if (job_.shifts != nullptr) {
      const double by =
          rule_.offset ? 1.0 : -static_cast<double>(shared.params.scale);
      job_.shifts[p] =
          static_cast<float>((sums.below + sums.above) * by * factor);
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
  const Kernels& kernels_ = format_.kernels();
  const SourceView x_, dy_;
  const Layout layout_;
  const CodeRule rule_;
  const Softening softening_;
  const std::vector<uint8_t> passing_;
  const uint64_t features_;
  const bool splits_;  // some of dy passes by quantization
  const Estimator estimator_;
  const uint64_t size_;
  const double greatest_;
  const bool alike_;     // segments lie one behind another, all of a length
  const bool in_place_;  // floats are read and written where they are
  const bool after_;     // dy is still there when dx is
  const bool stream_;    // dx is written past the caches
  const bool sums_;      // any gradient but that of x is wanted
  std::vector<Steps> steps_;  // by zero point, from first_zero_ on
  int32_t first_zero_;
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
