#include "core/tensor/search.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/base/checked.h"
#include "core/base/half.h"
#include "core/kernels/reduce.h"
#include "core/scheme/rules.h"
#include "core/tensor/chunks.h"

namespace bnq {
namespace {

// Products of these, not pow(), whose last bit differs between systems.
constexpr double kFine = 0.957;
constexpr double kCoarse = kFine * kFine * kFine * kFine;
constexpr int kCoarseSteps = 16;
constexpr int kFineSteps = 3;  // on each side
constexpr int kLloydSteps = 8;
// Chunks whose results are held at a time.
constexpr uint64_t kWaveChunks = 1024;

Range Times(Range range, double lo, double hi) {
  return {static_cast<float>(range.lo * lo), static_cast<float>(range.hi * hi)};
}

struct Ranges {
  Range v[kMaxCandidates];
  size_t count = 0;
  void Add(Range range) { v[count++] = range; }
};
static_assert(2 + kCoarseSteps <= kMaxCandidates, "");

// The best of the candidates tried so far.
class Best {
 public:
  Best(const Format& format, const Variant& variant, const FitFunction& fit)
      : format_(format), variant_(variant), fit_(fit) {}

  // Whether one of them is better than all before.
  bool Try(const Ranges& ranges) {
    Range changed[kMaxCandidates];
    std::copy_n(ranges.v, ranges.count, changed);
    Params candidates[kMaxCandidates];
    ParamsOf(format_, variant_, changed, ranges.count, candidates);
    const int index = TryParams(candidates, ranges.count);
    if (index >= 0) range_ = ranges.v[index];
    return index >= 0;
  }
  // The index of the best, or -1.
  int TryParams(const Params* candidates, size_t count) {
    FitSums sums[kMaxCandidates];
    fit_(candidates, count, sums);
    int best = -1;
    for (size_t i = 0; i < count; ++i) {
      // Never where an error is NaN.
      if (none_ || sums[i].error < sums_.error) {
        none_ = false;
        sums_ = sums[i];
        params_ = candidates[i];
        best = static_cast<int>(i);
      }
    }
    return best;
  }

  Params params() const { return params_; }
  const FitSums& sums() const { return sums_; }
  Range range() const { return range_; }

 private:
  const Format& format_;
  const Variant& variant_;
  const FitFunction& fit_;
  bool none_ = true;
  Params params_;
  FitSums sums_;
  Range range_;
};

// Calls f(values, count) for the segment's chunks, and merges what it returns
// in their order.
template <class T, class F>
T OverChunks(const Context& context, const Segment& segment,
             const float* values, F f) {
  const uint64_t n = segment.count();
  T total;
  if (values != nullptr) {
    for (uint64_t at = 0; at < n; at += kChunk) {
      total.Merge(f(values + at,
                    static_cast<size_t>(std::min<uint64_t>(n - at, kChunk))));
    }
    return total;
  }
  for (uint64_t wave = 0; wave < n; wave += kWaveChunks * kChunk) {
    const uint64_t wave_end = std::min(n, wave + kWaveChunks * kChunk);
    std::vector<T> parts(DivCeil(wave_end - wave, kChunk));
    ForEachChunk(context, wave, wave_end,
                 [&](uint64_t chunk, uint64_t at, size_t count) {
                   float scratch[kChunk + kLanes];
                   segment.Read(at, count, scratch);
                   parts[chunk] = f(scratch, count);
                 });
    for (const T& part : parts) total.Merge(part);
  }
  return total;
}

struct AllFits {
  FitSums sums[kMaxCandidates];
  void Merge(const AllFits& next) {
    for (size_t i = 0; i < kMaxCandidates; ++i) sums[i].Merge(next.sums[i]);
  }
};

// Orders floats as unsigned integers: of |x|, or of x.
uint32_t KeyOf(float x, bool magnitude) {
  const uint32_t bits = BitsOfF32(x);
  if (magnitude) return bits & 0x7FFFFFFFu;
  return bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
}

float OfKey(uint32_t key, bool magnitude) {
  if (magnitude) return F32OfBits(key);
  return F32OfBits(key >> 31 != 0 ? key & 0x7FFFFFFFu : ~key);
}

// The k-th greatest of the n keys, or with flip = ~0 the k-th least; 1 <= k <=
// kFew. Percentiles are mostly near an end of a segment, where few keys need to
// be kept.
constexpr uint64_t kFew = 16;
uint32_t KthGreatest(const float* values, uint64_t n, uint64_t k,
                     bool magnitude, uint32_t flip) {
  uint32_t greatest[kFew] = {};  // ascending
  for (uint64_t i = 0; i < n; ++i) {
    const uint32_t key = KeyOf(values[i], magnitude) ^ flip;
    if (key <= greatest[0]) continue;
    uint64_t at = 1;
    for (; at < k && greatest[at] < key; ++at) greatest[at - 1] = greatest[at];
    greatest[at - 1] = key;
  }
  return greatest[0] ^ flip;
}

// The value of rank `rank`, 0 the least.
float ValueOfRank(const Segment& segment, const float* values, uint64_t rank,
                  bool magnitude) {
  if (values != nullptr) {
    const uint64_t n = segment.count();
    if (n - rank <= kFew) {
      return OfKey(KthGreatest(values, n, n - rank, magnitude, 0), magnitude);
    }
    if (rank < kFew) {
      return OfKey(KthGreatest(values, n, rank + 1, magnitude, ~0u), magnitude);
    }
    std::vector<uint32_t> keys(n);
    for (size_t i = 0; i < keys.size(); ++i) {
      keys[i] = KeyOf(values[i], magnitude);
    }
    const auto nth = keys.begin() + static_cast<int64_t>(rank);
    std::nth_element(keys.begin(), nth, keys.end());
    return OfKey(*nth, magnitude);
  }
  // By the upper halves of the keys, then by the lower ones of those that have
  // the upper half found.
  uint32_t upper = 0;
  for (int pass = 0; pass < 2; ++pass) {
    std::vector<uint64_t> bins(65536);
    const uint64_t n = segment.count();
    std::vector<float> scratch(kChunk + kLanes);
    for (uint64_t at = 0; at < n; at += kChunk) {
      const size_t count =
          static_cast<size_t>(std::min<uint64_t>(n - at, kChunk));
      segment.Read(at, count, scratch.data());
      for (size_t i = 0; i < count; ++i) {
        const uint32_t key = KeyOf(scratch[i], magnitude);
        if (pass == 0) {
          ++bins[key >> 16];
        } else if (key >> 16 == upper) {
          ++bins[key & 0xFFFF];
        }
      }
    }
    uint32_t bin = 0;
    while (rank >= bins[bin]) rank -= bins[bin++];
    if (pass == 1) return OfKey(upper << 16 | bin, magnitude);
    upper = bin;
  }
  return 0.0f;
}

Range PercentileRange(const Config& config, const Segment& segment,
                      const float* values) {
  const double n = static_cast<double>(static_cast<int64_t>(segment.count()));
  const double p = config.percentile();
  if (config.scheme() == Scheme::kAsymmetric) {
    const uint64_t cut = std::min<uint64_t>(
        static_cast<uint64_t>(std::floor((100.0 - p) / 200.0 * n)),
        segment.count() - 1);
    return {ValueOfRank(segment, values, cut, false),
            ValueOfRank(segment, values, segment.count() - 1 - cut, false)};
  }
  const double rank = std::ceil(p / 100.0 * n);
  const uint64_t index = rank < 1.0 ? 0 : static_cast<uint64_t>(rank) - 1;
  const float m =
      ValueOfRank(segment, values, std::min(index, segment.count() - 1), true);
  return {-m, m};
}

}  // namespace

Params SearchParams(const Format& format, const Variant& variant, Range start,
                    Range widest, const FitFunction& fit) {
  Best best(format, variant, fit);
  Ranges ranges;
  ranges.Add(widest);
  ranges.Add(start);
  double narrowed = 1.0;
  for (int k = 1; k <= kCoarseSteps; ++k) {
    narrowed *= kCoarse;
    ranges.Add(Times(widest, narrowed, narrowed));
  }
  best.Try(ranges);
  const auto refine = [&](bool lo, bool hi) {
    const Range from = best.range();
    Ranges near;
    double factor = 1.0;
    for (int k = 1; k <= kFineSteps; ++k) {
      factor *= kFine;
      for (const double f : {factor, 1.0 / factor}) {
        near.Add(Times(from, lo ? f : 1.0, hi ? f : 1.0));
      }
    }
    best.Try(near);
  };
  refine(true, true);
  if (variant.scheme == Scheme::kAsymmetric) {
    refine(true, false);
    refine(false, true);
  }
  for (int step = 0; step < kLloydSteps; ++step) {
    const FitSums& sums = best.sums();
    Params params = best.params();
    if (!(sums.qq > 0.0)) break;
    // u is x * unit, so this is the factor between the two scales.
    const double factor = sums.xq / sums.qq;
    const double scale = std::fabs(factor);
    if (!(scale >= FLT_MIN && scale <= FLT_MAX / 256.0)) break;
    params.scale = RoundScale(static_cast<float>(factor), variant.scale_dtype);
    if (params.scale == best.params().scale) break;
    if (best.TryParams(&params, 1) < 0) break;
  }
  return best.params();
}

Segment::Segment(const SourceView& source, const Layout& layout, uint64_t param)
    : source_(source),
      layout_(layout),
      param_(param),
      first_(0),
      count_(layout.rows * layout.columns) {
  if (!layout.contiguous) {
    count_ = layout.outer * layout.inner;
  } else if (layout.row_params != 0) {
    const uint64_t row = param / layout.row_params;
    const uint64_t column = param % layout.row_params * layout.run;
    first_ = row * layout.columns + column;
    count_ = std::min(layout.run, layout.columns - column);
  }
}

void Segment::Read(uint64_t begin, size_t n, float* out) const {
  if (layout_.contiguous) {
    LoadElements(source_, first_ + begin, n, out);
    return;
  }
  for (size_t done = 0; done < n;) {
    const uint64_t o = (begin + done) / layout_.inner;
    const uint64_t i = (begin + done) % layout_.inner;
    const size_t piece =
        static_cast<size_t>(std::min<uint64_t>(n - done, layout_.inner - i));
    LoadElements(source_, (o * layout_.channels + param_) * layout_.inner + i,
                 piece, out + done);
    done += piece;
  }
}

bool FindSegmentParams(const Context& context, const Format& format,
                       const Config& config, const Segment& segment,
                       const float* values, Params* params) {
  const Variant variant = config.variant();
  *params = Params();
  if (segment.count() == 0) return true;
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
  const Both both =
      OverChunks<Both>(context, segment, values, [&](const float* x, size_t n) {
        Both b;
        b.wide = Reduce(x, n, n, wide);
        b.own = own == wide ? b.wide : Reduce(x, n, n, own);
        return b;
      });
  if (!both.wide.finite() || !both.own.finite()) return false;
  if (config.scale_rule() == ScaleRule::kPercentile) {
    *params =
        ParamsOf(format, variant, PercentileRange(config, segment, values));
    return true;
  }
  const Range widest = both.wide.ToRange(wide, segment.count());
  const float greatest = std::max(-widest.lo, widest.hi);
  if (greatest == 0.0f) return true;
  const CodeRule rule = RuleOf(format, variant);
  const Kernels& kernels = format.kernels();
  // Of values of any size, within what a sum of squares can hold.
  const float unit =
      1.0f / std::min(std::max(greatest, FLT_MIN), FLT_MAX / 8.0f);
  const FitFunction fit = [&](const Params* candidates, size_t count,
                              FitSums* sums) {
    const AllFits all = OverChunks<AllFits>(
        context, segment, values, [&](const float* x, size_t n) {
          AllFits part;
          FitArgs args;
          args.rule = rule;
          args.x = x;
          args.count = n;
          args.unit = unit;
          for (size_t i = 0; i < count; ++i) {
            args.params = candidates[i];
            part.sums[i] = kernels.fit(args);
          }
          return part;
        });
    std::copy_n(all.sums, count, sums);
    // The least-squares factor is of u; scales are of x.
    for (size_t i = 0; i < count; ++i) {
      sums[i].xq /= static_cast<double>(unit);
    }
  };
  *params = SearchParams(format, variant,
                         both.own.ToRange(own, segment.count()), widest, fit);
  return true;
}

}  // namespace bnq
