#include "core/kernels/span.h"

#include <string.h>

// Nothing here gains from what AVX3_DL adds (core/flags.txt).
#undef BNQ_LEFT_OUT
#define BNQ_LEFT_OUT HWY_AVX3_DL
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/span.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "core/kernels/reduce-inl.h"
#include "core/kernels/runs-inl.h"
#include "core/kernels/small_groups-inl.h"
#include "core/scheme/rules.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {

static_assert(kFloatSlack <= kSpanSlack, "slack");

// The range of a run, chunk by chunk. x is the run where its floats can be read
// in place, else nullptr.
HWY_NOINLINE Partial ReduceRun(const EncodeArgs& args, uint64_t element,
                               const float* x, size_t count, size_t readable,
                               Statistic statistic) {
  HWY_ALIGN float scratch[kChunk + kFloatSlack];
  Partial total;
  for (size_t i = 0; i < count; i += kChunk) {
    const size_t n = count - i < kChunk ? count - i : kChunk;
    if (x != nullptr) {
      total.Merge(Reduce(x + i, n, readable - i, statistic));
    } else {
      LoadElements(args.source, element + i, n, scratch);
      total.Merge(Reduce(scratch, n, n, statistic));
    }
  }
  return total;
}

// The range of a run; false, and no range, where it is not finite. The
// statistics that most runs take are inlined here.
HWY_INLINE bool FindRange(const EncodeArgs& args, uint64_t element,
                          const float* x, size_t count, size_t readable,
                          Statistic statistic, Range* range) {
  if (x != nullptr && count <= kChunk) {
    if (statistic == Statistic::kAbsMax) {
      const uint32_t bits = MaxAbsBits(x, count, readable);
      if (bits >= 0x7F800000u) return false;
      memcpy(&range->hi, &bits, sizeof bits);
      range->lo = -range->hi;
      return true;
    }
    if (statistic == Statistic::kMinMax) {
      const Partial p = MinMax(x, count, readable);
      if (!p.finite()) return false;
      *range = {p.min, p.max};
      return true;
    }
    if (statistic == Statistic::kAbsMean) {
      const double sum = SumAbs(x, count);
      // A sum of kChunk floats is finite in double just when all of them are.
      if (!(sum <= 1.7976931348623157e308)) return false;
      range->hi = static_cast<float>(
          sum / static_cast<double>(static_cast<int64_t>(count)));
      range->lo = -range->hi;
      return true;
    }
  }
  const Partial partial =
      ReduceRun(args, element, x, count, readable, statistic);
  if (!partial.finite()) return false;
  *range = partial.ToRange(statistic, count);
  return true;
}

// Runs whose ranges are found before their parameters are made.
constexpr size_t kBatch = 32;

// The span's runs.
HWY_INLINE void CutIntoParts(const EncodeArgs& args, RunCursor* cursor,
                             EncodeSpan* span) {
  span->within = cursor->offset();
  span->last_rest = cursor->rest();
  const uint64_t run = args.layout->run;
  span->group = 0;
  if (IsSmallGroup(run) && span->within == 0 && span->count % run == 0 &&
      args.layout->InOrder()) {
    span->group = static_cast<size_t>(run);
    span->first_param = cursor->param() - args.param_base;
    span->num_parts = span->count / span->group;
    span->last_rest = run;
    cursor->AdvanceRuns(span->num_parts);
    return;
  }
  size_t num_parts = 0;
  for (size_t at = 0; at < span->count; ++num_parts) {
    span->last_rest = cursor->rest();
    const size_t left = span->count - at;
    const size_t n =
        left < span->last_rest ? left : static_cast<size_t>(span->last_rest);
    span->parts[num_parts] = {cursor->param() - args.param_base, n};
    cursor->Advance(n);
    at += n;
  }
  span->num_parts = num_parts;
}

// Ranges and parameters of the runs that begin in the span; false where one is
// not finite.
HWY_INLINE bool FindParams(const EncodeArgs& args, Statistic statistic,
                           const GroupScales* scales, bool direct,
                           const EncodeSpan& span) {
  bool finite = true;
  const size_t num_parts = span.num_parts;
  // The last run goes on behind the span's end.
  const uint64_t behind =
      span.to_end - (span.count - span.At(num_parts - 1).count);
  const size_t last =
      static_cast<size_t>(span.last_rest < behind ? span.last_rest : behind);
  size_t at = span.within != 0 ? span.parts[0].count : 0;
  for (size_t first = span.within != 0 ? 1 : 0; first < num_parts;) {
    if (span.group != 0 && scales != nullptr) {
      const size_t left = num_parts - first;
      const size_t groups = left < kGroupsAtATime ? left : kGroupsAtATime;
      const size_t n = groups * span.group;
      // Half of a later span here, the other half while this is coded.
      if (direct) PrefetchFloats(span.x + kAhead + at / 2, n / 2);
      if (scales->Find(span.x + at, span.group, groups,
                       args.scales + span.first_param + first)) {
        first += groups;
        at += n;
        continue;
      }
    }
    const size_t end = num_parts - first < kBatch ? num_parts : first + kBatch;
    Range ranges[kBatch];
    for (size_t p = first; p < end; ++p) {
      const size_t n = span.At(p).count;
      if (direct) PrefetchFloats(span.x + kAhead + at / 2, n / 2);
      const size_t run = p + 1 == num_parts ? last : n;
      const bool in_place = direct || run <= span.count - at;
      // What is not finite has no parameters; the caller reports it.
      if (!FindRange(args, span.element + at, in_place ? span.x + at : nullptr,
                     run, span.readable - at, statistic, &ranges[p - first])) {
        finite = false;
      }
      at += n;
    }
    Params params[kBatch];
    ParamsOf(*args.format, args.variant, ranges, end - first, params);
    for (size_t p = first; p < end; ++p) {
      const uint64_t param = span.At(p).param;
      args.scales[param] = params[p - first].scale;
      if (args.zero_points) {
        args.zero_points[param] =
            static_cast<int8_t>(params[p - first].zero_point);
      }
      if (args.offsets) args.offsets[param] = params[p - first].offset;
    }
    first = end;
  }
  return finite;
}

// The reciprocals of the parts' scales, and their shifts.
HWY_INLINE void ReadParams(const EncodeArgs& args, EncodeSpan* s) {
  EncodeSpan& span = *s;
  float* const inverse = span.inverse;
  float* const shift = span.shift;
  const DF d;
  const size_t count = span.num_parts;
  const auto invert = [&](size_t p, const float* scales) HWY_ATTR {
    const auto scale = hn::LoadU(d, scales);
    hn::Store(hn::IfThenZeroElse(hn::Eq(scale, hn::Zero(d)),
                                 hn::Div(hn::Set(d, 1.0f), scale)),
              d, inverse + p);
  };
  size_t p = 0;
  if (span.group != 0 && args.offsets == nullptr &&
      args.zero_points == nullptr) {
    const float* const scales = args.scales + span.first_param;
    for (; p + hn::Lanes(d) <= count; p += hn::Lanes(d)) {
      invert(p, scales + p);
      hn::Store(hn::Zero(d), d, shift + p);
    }
  }
  const size_t from = p;
  for (; p < count; ++p) {
    const uint64_t param = span.At(p).param;
    inverse[p] = args.scales[param];
    shift[p] = ShiftOf(args, param);
  }
  for (p = from; p < count; p += hn::Lanes(d)) invert(p, inverse + p);
}

}  // namespace

bool PrepareSpanOfTarget(const EncodeArgs& args, Statistic statistic,
                         RunCursor* cursor, EncodeSpan* span) {
  CutIntoParts(args, cursor, span);
  bool finite = true;
  if (args.find_params) {
    const bool direct = args.source.direct();
    if (GroupScales::Apply(*args.format, args.variant, statistic)) {
      const GroupScales scales(*args.format, args.variant, statistic);
      finite = FindParams(args, statistic, &scales, direct, *span);
    } else {
      finite = FindParams(args, statistic, nullptr, direct, *span);
    }
  }
  if (!args.layout->per_element) ReadParams(args, span);
  return finite;
}

}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bnq {

HWY_EXPORT(PrepareSpanOfTarget);

bool PrepareSpan(const EncodeArgs& args, Statistic statistic, RunCursor* cursor,
                 EncodeSpan* span) {
  return HWY_DYNAMIC_DISPATCH(PrepareSpanOfTarget)(args, statistic, cursor,
                                                   span);
}

bool EncodeAsValues(const EncodeArgs& args, const EncodeSpan& span,
                    const uint32_t* random) {
  // Parameters that were found here have seen all values.
  if (!args.find_params &&
      !Reduce(span.x, span.count, span.count, Statistic::kAbsMax).finite()) {
    return false;
  }
  HWY_ALIGN float values[kSpan];
  float* const out = args.values + span.element;
  RoundTripArgs trip;
  trip.rule = args.rule;
  trip.span = &span;
  trip.scales = args.scales;
  trip.prefetch = args.find_params && args.source.direct();
  trip.x = span.x;
  trip.count = span.count;
  trip.random = random;
  trip.out = args.stream ? values : out;
  args.format->kernels().round_trip(trip);
  if (args.stream) {
    StoreBytes(reinterpret_cast<const uint8_t*>(values),
               span.count * sizeof(float), true,
               reinterpret_cast<uint8_t*>(out));
  }
  return true;
}

}  // namespace bnq
#endif  // HWY_ONCE
