// Quantizing a block of the matrix, for any codec: walks rows, spans and runs,
// finds ranges and parameters, and hands vectors of values to an encoder.
// Included once per target.
#if defined(BNQ_CORE_KERNELS_ENCODE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BNQ_CORE_KERNELS_ENCODE_INL_H_
#undef BNQ_CORE_KERNELS_ENCODE_INL_H_
#else
#define BNQ_CORE_KERNELS_ENCODE_INL_H_
#endif

#include <string.h>

#include "core/kernels/random.h"
#include "core/kernels/reduce-inl.h"
#include "core/kernels/runs-inl.h"
#include "core/kernels/small_groups-inl.h"
#include "core/scheme/rules.h"
#include "hwy/cache_control.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// Asks for floats of a later span. While a span's runs are reduced and coded,
// none of it comes from memory any more: without this, memory would idle. May
// point behind the array, which is allowed.
constexpr size_t kAhead = 2 * kSpan;
HWY_INLINE void PrefetchFloats(const float* x, size_t count) {
  constexpr size_t kLine = 64 / sizeof(float);
  for (size_t i = 0; i < count; i += kLine) hwy::Prefetch(x + i);
}

// The range of a run, chunk by chunk. x is the run where its floats can be read
// in place, else nullptr. Through the common kernels: a call is little beside a
// run, and every codec's copy would be large.
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

// count codes of elements with the parameters that the encoder has begun with;
// reads no more than `readable` >= count floats, and a vector of random words
// behind count, and may write a vector of codes behind count.
template <class Encoder>
HWY_INLINE void EncodeRun(const Encoder& encoder, const float* x, size_t count,
                          size_t readable, const uint32_t* random,
                          int8_t* codes) {
  const DF d;
  const DCode d8;
  const size_t N = hn::Lanes(d);
  const auto encode = [&](size_t i) HWY_ATTR {
    return encoder(d, hn::LoadU(d, x + i), random + i);
  };
  size_t i = 0;
  for (; i + 4 * N <= count; i += 4 * N) {
    StoreFourAsInt8(encode(i), encode(i + N), encode(i + 2 * N),
                    encode(i + 3 * N), codes + i);
  }
  for (; i < count && i + N <= readable; i += N) {
    hn::StoreU(hn::DemoteTo(d8, encode(i)), d8, codes + i);
  }
  if (i < count) {
    HWY_ALIGN float last[hn::MaxLanes(d)] = {};
    memcpy(last, x + i, (count - i) * sizeof(float));
    hn::StoreU(hn::DemoteTo(d8, encoder(d, hn::Load(d, last), random + i)), d8,
               codes + i);
  }
}

// The same with parameters of their own for each element.
template <class Encoder>
HWY_INLINE void EncodeElements(Encoder& encoder, const float* x, size_t count,
                               size_t readable, const ElementParams& elements,
                               uint64_t at, const uint32_t* random,
                               int8_t* codes) {
  const DF d;
  const DCode d8;
  const size_t N = hn::Lanes(d);
  const auto encode = [&](const float* p, size_t i) HWY_ATTR {
    encoder.Begin(d, hn::LoadU(d, elements.inv_scale + at + i),
                  hn::LoadU(d, elements.shift + at + i));
    hn::StoreU(hn::DemoteTo(d8, encoder(d, hn::LoadU(d, p), random + i)), d8,
               codes + i);
  };
  size_t i = 0;
  for (; i < count && i + N <= readable; i += N) encode(x + i, i);
  if (i < count) {
    HWY_ALIGN float last[hn::MaxLanes(d)] = {};
    memcpy(last, x + i, (count - i) * sizeof(float));
    encode(last, i);
  }
}

// Gives codes of columns that are left out, from column `feature` on, the code
// of 0.
HWY_INLINE void LeaveOut(const uint8_t* left_out, uint64_t feature,
                         uint64_t features, size_t count, int8_t zero,
                         int8_t* codes) {
  for (size_t i = 0; i < count; ++i) {
    if (left_out[feature]) codes[i] = zero;
    if (++feature == features) feature = 0;
  }
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

// A span's part of a run.
struct Part {
  uint64_t param;  // relative to args.param_base
  size_t count;
};

// A span on its way to codes.
struct EncodeSpan {
  uint64_t element;  // its first, in the matrix
  size_t count;
  uint64_t to_end;  // from it to the end of the block's row
  const float* x;
  size_t readable;     // floats from x on
  uint64_t within;     // elements of the first part's run before the span
  uint64_t last_rest;  // of the last part's run, from the part on
  size_t num_parts;
  // Where all parts are whole runs of so many elements, a small group, with
  // parameters in order from the first; else 0, and there is a list of them.
  size_t group;
  uint64_t first_param;
  Part parts[kSpan];

  HWY_INLINE Part At(size_t p) const {
    return group != 0 ? Part{first_param + p, group} : parts[p];
  }
};

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
HWY_INLINE void ReadParams(const EncodeArgs& args, const EncodeSpan& span,
                           float* inverse, float* shift) {
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

// Codes, with parameters of their own for each element.
template <class Codec>
HWY_INLINE void EncodeByElement(const EncodeArgs& args, const EncodeSpan& span,
                                const uint32_t* random, int8_t* codes) {
  WithEncoder<Codec, DF, Codec::kGeneral>(args.rule, [&](auto* tag) HWY_ATTR {
    EncoderOf<decltype(tag)> encoder(DF(), args.rule);
    size_t at = 0;
    for (size_t p = 0; p < span.num_parts; at += span.parts[p].count, ++p) {
      EncodeElements(encoder, span.x + at, span.parts[p].count,
                     span.readable - at, args.elements,
                     p == 0 ? span.within : 0, random + at, codes + at);
    }
  });
}

// Codes of small groups, four vectors at a time.
template <class Encoder>
HWY_INLINE void EncodeGroups(Encoder& encoder, const EncodeSpan& span,
                             bool prefetch, const float* inverse,
                             const float* shift, const uint32_t* random,
                             int8_t* codes) {
  const DF d;
  const size_t N = hn::Lanes(d);
  const size_t vectors = span.group / N;
  size_t at = 0, part = 0;
  const auto encode = [&](size_t i) HWY_ATTR {
    return encoder(d, hn::LoadU(d, span.x + i), random + i);
  };
  const auto begin = [&](size_t p) HWY_ATTR {
    encoder.Begin(d, hn::Set(d, inverse[p]), hn::Set(d, shift[p]));
  };
  if (vectors >= 4) {
    for (; at < span.count; ++part) {
      begin(part);
      for (size_t i = 0; i < vectors; i += 4, at += 4 * N) {
        if (prefetch) {
          PrefetchFloats(span.x + kAhead + kSpan / 2 + at / 2, 2 * N);
        }
        StoreFourAsInt8(encode(at), encode(at + N), encode(at + 2 * N),
                        encode(at + 3 * N), codes + at);
      }
    }
    return;
  }
  for (; at + 4 * N <= span.count; at += 4 * N, part += 4 / vectors) {
    if (prefetch) {
      PrefetchFloats(span.x + kAhead + kSpan / 2 + at / 2, 2 * N);
    }
    begin(part);
    const auto a = encode(at);
    if (vectors == 1) begin(part + 1);
    const auto b = encode(at + N);
    begin(vectors == 1 ? part + 2 : part + 1);
    const auto c = encode(at + 2 * N);
    if (vectors == 1) begin(part + 3);
    StoreFourAsInt8(a, b, c, encode(at + 3 * N), codes + at);
  }
  for (; at < span.count; at += span.group, ++part) {
    begin(part);
    EncodeRun(encoder, span.x + at, span.group, span.readable - at, random + at,
              codes + at);
  }
}

// Codes, part by part.
template <class Codec>
HWY_INLINE void EncodeByPart(const EncodeArgs& args, bool prefetch,
                             const EncodeSpan& span, const uint32_t* random,
                             int8_t* codes) {
  HWY_ALIGN float inverse[kSpan + kFloatSlack];
  HWY_ALIGN float shift[kSpan + kFloatSlack];
  ReadParams(args, span, inverse, shift);
  WithEncoder<Codec, DF, 0>(args.rule, [&](auto* tag) HWY_ATTR {
    const DF d;
    EncoderOf<decltype(tag)> encoder(d, args.rule);
    if (span.group != 0) {
      EncodeGroups(encoder, span, prefetch, inverse, shift, random, codes);
      return;
    }
    size_t at = 0;
    for (size_t p = 0; p < span.num_parts; at += span.parts[p].count, ++p) {
      if (prefetch) {
        PrefetchFloats(span.x + kAhead + kSpan / 2 + at / 2,
                       span.parts[p].count / 2);
      }
      encoder.Begin(d, hn::Set(d, inverse[p]), hn::Set(d, shift[p]));
      EncodeRun(encoder, span.x + at, span.parts[p].count, span.readable - at,
                random + at, codes + at);
    }
  });
}

HWY_INLINE void LeaveOutColumns(const EncodeArgs& args, const EncodeSpan& span,
                                int8_t* codes) {
  size_t at = 0;
  for (size_t p = 0; p < span.num_parts; ++p) {
    const Part part = span.At(p);
    const int8_t zero = args.zero_points ? args.zero_points[part.param] : 0;
    LeaveOut(args.left_out, (span.element + at) % args.features, args.features,
             part.count, zero, codes + at);
    at += part.count;
  }
}

// A stage at a time for all of a span's runs: a stage's runs do not wait for
// each other, as a run's stages do.
template <class Codec>
bool EncodeBlock(const EncodeArgs& args) {
  const Layout& layout = *args.layout;
  const Statistic statistic = StatisticOf(*args.format, args.variant);
  const PackingKernels& packing = GetPackingKernels(args.packing);
  const int32_t bias = BiasOf(*args.format, args.rule);
  const bool stochastic = args.rule.rounding == Rounding::kStochastic;
  const bool direct = args.source.direct();
  const bool by_groups =
      GroupScales::Apply(*args.format, args.variant, statistic);
  const GroupScales group_scales(
      by_groups ? GroupScales(*args.format, args.variant) : GroupScales());
  const GroupScales* const scales = by_groups ? &group_scales : nullptr;
  const float* const floats =
      direct ? reinterpret_cast<const float*>(args.source.data) : nullptr;
  HWY_ALIGN float scratch[kSpan + kFloatSlack];
  HWY_ALIGN int8_t codes[kSpan + kPackSlack];
  HWY_ALIGN uint32_t random[kSpan + kFloatSlack];
  EncodeSpan span;
  bool finite = true;

  for (uint64_t row = args.row_begin; row < args.row_end; ++row) {
    RunCursor cursor(layout, row, args.column_begin);
    for (uint64_t column = args.column_begin; column < args.column_end;
         column += span.count) {
      span.element = row * layout.columns + column;
      span.to_end = args.column_end - column;
      span.count =
          span.to_end < kSpan ? static_cast<size_t>(span.to_end) : kSpan;
      // The scratch space may be read to its end; an array only within the
      // block's row, behind which there may be nothing.
      if (direct) {
        span.x = floats + span.element;
        span.readable = static_cast<size_t>(span.to_end);
      } else {
        LoadElements(args.source, span.element, span.count, scratch);
        span.x = scratch;
        span.readable = span.count + kFloatSlack;
      }
      CutIntoParts(args, &cursor, &span);
      if (args.find_params &&
          !FindParams(args, statistic, scales, direct, span)) {
        finite = false;
      }
      if (stochastic) RandomWords(args.seed, span.element, span.count, random);
      if (layout.per_element) {
        EncodeByElement<Codec>(args, span, random, codes);
      } else {
        EncodeByPart<Codec>(args, args.find_params && direct, span, random,
                            codes);
      }
      if (args.left_out != nullptr) LeaveOutColumns(args, span, codes);
      memset(codes + span.count, args.format->padding, kMaxUnitCodes);
      packing.pack(
          codes, span.count, bias,
          args.codes + (row * layout.row_bytes + ByteOf(args.packing, column) -
                        args.code_base));
    }
  }
  return finite;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#endif  // include guard
