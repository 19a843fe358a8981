#include "core/tensor/search.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <vector>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/kernels/reduce.h"
#include "core/kernels/traversal.h"
#include "core/parallel/runner.h"
#include "core/scheme/rules.h"
#include "core/tensor/percentile.h"

namespace bnq {
namespace {

// The grid of ranges: from 0.8 to 1.2 times the widest in steps of 0.004.
constexpr int kGridSteps = 100;
constexpr double kGridFrom = 0.8, kGridStep = 0.004;
// Below it, a range for every 0.957^6: products of a constant, not pow(), whose
// last bit differs between systems.
constexpr double kFine = 0.957;
constexpr double kCoarse = kFine * kFine * kFine * kFine * kFine * kFine;
constexpr int kCoarseSteps = 10;
static_assert(2 + kGridSteps + kCoarseSteps == kMaxCandidates, "");
// 1, which wins ties; the others of the grid; the coarse ones.
struct Grid {
  double factors[kMaxCandidates - 1];
  float floats[kMaxCandidates - 1];
  constexpr Grid() : factors(), floats() {
    int n = 0;
    factors[n++] = 1.0;
    for (int k = 0; k <= kGridSteps; ++k) {
      if (2 * k != kGridSteps) factors[n++] = kGridFrom + kGridStep * k;
    }
    double factor = kGridFrom;
    for (int k = 1; k <= kCoarseSteps; ++k) {
      factor *= kCoarse;
      factors[n++] = factor;
    }
    for (int k = 0; k < n; ++k) floats[k] = static_cast<float>(factors[k]);
  }
};
constexpr Grid kGrid;
// Ranges beside the best, on each side: an eighth of the distance to the next
// one of the grid, or of the coarse ones, apart.
constexpr int kBeside = 8;
constexpr double kBesideGrid = 0.0005, kBesideCoarse = 0.03;
// Of an end by itself: what is best for one end says less about the other.
constexpr double kBesideEnd = 0.02;
constexpr int kLloydSteps = 8;
// Elements of a task that searches.
constexpr uint64_t kTaskElements = 65536;
// Segments up to this length are searched in memory.
constexpr uint64_t kMaxSegmentInMemory = uint64_t{1} << 20;

// Never infinite, which a range of the greatest values times 1.2 would be.
float Times(float x, double factor) {
  const double product = static_cast<double>(x) * factor;
  const double limit = static_cast<double>(FLT_MAX);
  return static_cast<float>(std::min(std::max(product, -limit), limit));
}

// A range of another width: about 0, or about its middle where ranges have no
// 0.
Range Widened(Scheme scheme, Range range, double factor) {
  if (scheme != Scheme::kOffset) {
    return {Times(range.lo, factor), Times(range.hi, factor)};
  }
  const double lo = static_cast<double>(range.lo);
  const double hi = static_cast<double>(range.hi);
  const double middle = 0.5 * (lo + hi), half = 0.5 * (hi - lo) * factor;
  const double limit = static_cast<double>(FLT_MAX);
  return {static_cast<float>(std::max(middle - half, -limit)),
          static_cast<float>(std::min(middle + half, limit))};
}

// The search of one segment, which has a value that is not 0.
class Search {
 public:
  Search(const Context& context, const SearchTask& task)
      : context_(context),
        task_(task),
        format_(task.format),
        variant_(task.config.variant()),
        kernels_(format_.kernels()),
        rule_(task.rule),
        proportional_(variant_.scheme == Scheme::kSymmetric &&
                      variant_.scale_dtype == ScaleDType::kF32) {
    const double most = GreatestValue(format_, rule_.range, 0);
    greatest_scale_ = FLT_MAX / static_cast<float>(most) * 0.999999f;
    most_regressed_ = static_cast<double>(FLT_MAX) / std::max(256.0, most);
  }

  // `start`: the default rule's range, `widest`: that of absmax.
  Params Run(Range start, Range widest) {
    unit_ = UnitOf(std::max(-widest.lo, widest.hi));
    TryGrid(start, widest);
    const bool from_grid = in_grid_;
    const double near = from_grid ? kBesideGrid : kBesideCoarse;
    if (variant_.scheme != Scheme::kSymmetric) {
      TryBeside(kBesideEnd, true, false);
      TryBeside(kBesideEnd, false, true);
    }
    TryBeside(near, true, true);
    Lloyd();
    return best_;
  }

 private:
  void TryGrid(Range start, Range widest) {
    constexpr size_t kFactors = kMaxCandidates - 1;
    if (proportional_) {
      float scales[kMaxCandidates];
      const Params whole = ParamsOf(format_, variant_, widest);
      ScalesOf(whole.scale, kGrid.floats, kFactors, scales);
      scales[kFactors] = ParamsOf(format_, variant_, start).scale;
      in_grid_ = TryScales(whole, scales, kMaxCandidates) <= kGridSteps;
      return;
    }
    Range ranges[kMaxCandidates];
    for (size_t i = 0; i < kFactors; ++i) {
      ranges[i] = Widened(variant_.scheme, widest, kGrid.factors[i]);
    }
    ranges[kFactors] = start;
    in_grid_ = TryRanges(ranges, kMaxCandidates) <= kGridSteps;
  }

  void TryBeside(double step, bool lo, bool hi) {
    constexpr size_t kCount = 2 * kBeside;
    double factors[kCount];
    for (int k = 1; k <= kBeside; ++k) {
      factors[2 * k - 2] = 1.0 - step * k;
      factors[2 * k - 1] = 1.0 + step * k;
    }
    if (proportional_) {
      float floats[kCount], scales[kCount];
      for (size_t i = 0; i < kCount; ++i) {
        floats[i] = static_cast<float>(factors[i]);
      }
      const Params from = best_;
      ScalesOf(from.scale, floats, kCount, scales);
      TryScales(from, scales, kCount);
      return;
    }
    Range ranges[kCount];
    for (size_t i = 0; i < kCount; ++i) {
      const Range wider = Widened(variant_.scheme, range_, factors[i]);
      ranges[i] = {lo ? wider.lo : range_.lo, hi ? wider.hi : range_.hi};
    }
    TryRanges(ranges, kCount);
  }

  // The scale times the factors, usable as those of the format are.
  void ScalesOf(float scale, const float* factors, size_t count,
                float* scales) const {
    const float size = std::fabs(scale);
    const float most = std::max(greatest_scale_, size);
    const float sign = std::copysign(1.0f, scale);
    for (size_t i = 0; i < count; ++i) {
      const float product = size * factors[i];
      const float least = product < FLT_MIN ? FLT_MIN : product;
      scales[i] = (most < least ? most : least) * sign;
    }
  }

  // Symmetric parameters that differ in their scales alone. The index of the
  // one that is better than all before, or -1.
  int TryScales(const Params& like, const float* scales, size_t count) {
    alignas(64) const float none[kMaxCandidates] = {};
    const int index =
        BestOf(ErrorsOf(context_, task_, scales, none, count, unit_));
    if (index >= 0) {
      best_ = like;
      best_.scale = scales[index];
    }
    return index;
  }

  int TryRanges(const Range* ranges, size_t count) {
    Params candidates[kMaxCandidates];
    // They may be changed.
    Range changed[kMaxCandidates];
    std::copy_n(ranges, count, changed);
    ParamsOf(format_, variant_, changed, count, candidates);
    alignas(64) float scales[kMaxCandidates], shifts[kMaxCandidates] = {};
    for (size_t i = 0; i < count; ++i) {
      scales[i] = candidates[i].scale;
      shifts[i] = rule_.offset ? candidates[i].offset * unit_
                               : static_cast<float>(candidates[i].zero_point);
    }
    const int index =
        BestOf(ErrorsOf(context_, task_, scales, shifts, count, unit_));
    if (index >= 0) {
      best_ = candidates[index];
      range_ = ranges[index];
    }
    return index;
  }

  int BestOf(const CandidateErrors& errors) {
    int index = -1;
    for (size_t i = 0; i < errors.count; ++i) {
      // Never where an error is NaN.
      if (!(none_ || errors.v[i] < error_)) continue;
      none_ = false;
      error_ = errors.v[i];
      index = static_cast<int>(i);
    }
    return index;
  }

  // With the codes that the best parameters give, the parameters of least
  // error; again with the codes that these give, as long as it helps.
  void Lloyd() {
    FitSums sums = FitOf(best_);
    for (int step = 0; step < kLloydSteps && sums.qq > 0.0; ++step) {
      Params next = best_;
      if (!Regress(sums, &next)) return;
      if (next.scale == best_.scale && next.offset == best_.offset) return;
      const FitSums found = FitOf(next);
      if (!(found.error < sums.error)) return;
      best_ = next;
      sums = found;
    }
  }

  // False where no usable scale comes of it.
  bool Regress(const FitSums& sums, Params* params) const {
    // Sums are of x * unit, so this is the factor between the scales.
    const double unit = static_cast<double>(unit_);
    double slope = sums.xq / sums.qq, offset = 0.0;
    if (rule_.offset) {
      const double spread = sums.n * sums.qq - sums.q * sums.q;
      if (!(spread > 0.0)) return false;
      slope = (sums.n * sums.xq - sums.x * sums.q) / spread;
      offset = (sums.x - slope * sums.q) / sums.n / unit;
      if (!(slope > 0.0 && std::fabs(offset) <= FLT_MAX / 4.0)) return false;
    }
    const double factor = slope / unit;
    const double scale = std::fabs(factor);
    if (!(scale >= FLT_MIN && scale <= most_regressed_)) return false;
    params->scale =
        RoundScale(static_cast<float>(factor), variant_.scale_dtype);
    params->offset =
        RoundOffset(static_cast<float>(offset), variant_.scale_dtype);
    return true;
  }

  FitSums FitOf(Params params) const {
    FitArgs args;
    args.rule = rule_;
    args.params = params;
    args.unit = unit_;
    return OverChunks<FitSums>(
        context_, task_, [&](const float* x, const float* weights, size_t n) {
          FitArgs chunk = args;
          chunk.x = x;
          chunk.weights = weights;
          chunk.count = n;
          return kernels_.fit(chunk);
        });
  }

  const Context& context_;
  const SearchTask& task_;
  const Format& format_;
  const Variant variant_;
  const Kernels& kernels_;
  const CodeRule& rule_;
  // Scales are in proportion to ranges, and need no other work.
  const bool proportional_;
  float greatest_scale_ = 0.0f;
  double most_regressed_ = 0.0;
  float unit_ = 1.0f;

  // The best so far.
  bool none_ = true, in_grid_ = false;
  double error_ = 0.0;
  Params best_;
  Range range_;  // of the best, but where scales are in proportion
};

}  // namespace

float UnitOf(float greatest) {
  int exponent;
  std::frexp(greatest, &exponent);
  return std::ldexp(1.0f, std::min(std::max(-exponent, -126), 126));
}

CandidateErrors ErrorsOf(const Context& context, const SearchTask& task,
                         const float* candidates, const float* shifts,
                         size_t count, float unit) {
  alignas(64) float scales[kMaxCandidates];
  const size_t whole = DivCeil(count, kLanes) * kLanes;
  for (size_t i = 0; i < count; ++i) scales[i] = candidates[i] * unit;
  std::fill(scales + count, scales + whole, 0.0f);
  ErrorsArgs args;
  args.rule = task.rule;
  args.candidates = whole;
  args.scales = scales;
  args.shifts = shifts;
  const Kernels& kernels = task.format.kernels();
  CandidateErrors errors = OverChunks<CandidateErrors>(
      context, task, [&](const float* x, const float* weights, size_t n) {
        float scaled[kChunk];
        for (size_t i = 0; i < n; ++i) scaled[i] = x[i] * unit;
        CandidateErrors part;
        part.count = whole;
        ErrorsArgs chunk = args;
        chunk.x = scaled;
        chunk.weights = weights;
        chunk.count = n;
        chunk.errors = part.v;
        kernels.errors(chunk);
        return part;
      });
  errors.count = count;
  return errors;
}

bool MindsImportance(const Config& config) {
  const Format& format = FormatOf(config);
  return config.scale_rule() == ScaleRule::kMse && format.Has(kScaled) &&
         !format.Has(kSigns);
}

std::vector<float> CheckedImportance(const Config& config, const Shape& shape,
                                     const float* weights, uint64_t count,
                                     bool by_method) {
  if (!by_method && !MindsImportance(config)) {
    Fail(Status::kInvalidArgument,
         "importance has no effect with format = ", FormatOf(config).name,
         " and scale_rule = ", config.ValueName(Option::kScaleRule),
         ": it takes scale_rule = mse and a format that is searched for");
  }
  if (count != shape.features()) {
    Fail(Status::kInvalidArgument, "importance has ", count,
         " weights, must be ", shape.features(),
         ", the last dimension of shape [", shape.ToString(), "]");
  }
  float greatest = 0.0f;
  for (uint64_t i = 0; i < count; ++i) {
    if (!(weights[i] >= 0.0f && weights[i] <= FLT_MAX)) {
      Fail(Status::kInvalidArgument, "importance ", i, " = ", weights[i],
           ", must be finite and not negative");
    }
    greatest = std::max(greatest, weights[i]);
  }
  if (greatest == 0.0f && shape.elements() != 0) {
    Fail(Status::kInvalidArgument,
         "importance is 0 throughout, some weight must be greater");
  }
  int exponent;
  std::frexp(greatest, &exponent);
  std::vector<float> scaled(weights, weights + count);
  for (float& w : scaled) w = std::ldexp(w, -exponent);
  return scaled;
}

bool FindSegmentParams(const Context& context, const SearchTask& task,
                       Params* params) {
  const Format& format = task.format;
  const Variant variant = task.config.variant();
  *params = Params();
  if (task.segment.count() == 0) return true;
  // The ranges that the rules absmax and default give, from one pass.
  struct Both {
    Partial wide, own;
    void Merge(const Both& next) {
      wide.Merge(next.wide);
      own.Merge(next.own);
    }
  };
  Variant absmax = variant, plain = variant;
  absmax.scale_rule = ScaleRule::kAbsMax;
  plain.scale_rule = ScaleRule::kDefault;
  const Statistic wide = StatisticOf(format, absmax);
  const Statistic own = StatisticOf(format, plain);
  const Both both = OverChunks<Both>(
      context, task, [&](const float* x, const float*, size_t n) {
        Both b;
        b.wide = Reduce(x, n, n, wide);
        b.own = own == wide ? b.wide : Reduce(x, n, n, own);
        return b;
      });
  if (!both.wide.finite() || !both.own.finite()) return false;
  if (task.config.scale_rule() == ScaleRule::kPercentile) {
    *params = ParamsOf(
        format, variant,
        PercentileRange(context, task.config, task.segment, task.values));
    return true;
  }
  const uint64_t count = task.segment.count();
  const Range widest = both.wide.ToRange(wide, count);
  if (widest.lo == 0.0f && widest.hi == 0.0f) {
    *params = ParamsOf(format, variant, widest);
    return true;
  }
  *params = Search(context, task).Run(both.own.ToRange(own, count), widest);
  return true;
}

void ForEachSegment(const Quantizer& quantizer, const SegmentWork& work) {
  const Context& context = quantizer.context();
  const Layout& layout = quantizer.layout();
  const uint64_t params = layout.num_params;
  const auto call = [&](uint64_t p, const Segment& segment, const float* values,
                        const Context& on) {
    work(p,
         {quantizer.format(), quantizer.config(), quantizer.rule(), segment,
          values, quantizer.importance()},
         on);
  };
  if (Segment(quantizer.source(), layout, 0).count() > kMaxSegmentInMemory) {
    for (uint64_t p = 0; p < params; ++p) {
      call(p, Segment(quantizer.source(), layout, p), nullptr, context);
    }
    return;
  }
  const uint64_t per_task = std::max<uint64_t>(
      1, kTaskElements * params / std::max<uint64_t>(quantizer.elements(), 1));
  ParallelFor(context, DivCeil(params, per_task), [&](uint64_t task) {
    const Context serial;
    Buffer values;
    const uint64_t last = std::min(params, (task + 1) * per_task);
    for (uint64_t p = task * per_task; p < last; ++p) {
      const Segment segment(quantizer.source(), layout, p);
      const uint64_t bytes = (segment.count() + kLanes) * sizeof(float);
      if (values.size() < bytes) values = context.Allocate(bytes);
      segment.Read(0, segment.count(), values.as<float>());
      call(p, segment, values.as<float>(), serial);
    }
  });
}

}  // namespace bnq
