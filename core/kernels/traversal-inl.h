// The block traversal, written once for every format: walks rows, spans and
// runs, finds ranges, and hands vectors of values to a Codec
// (core/scheme/format.h). Included once per target.
#if defined(BNQ_CORE_KERNELS_TRAVERSAL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BNQ_CORE_KERNELS_TRAVERSAL_INL_H_
#undef BNQ_CORE_KERNELS_TRAVERSAL_INL_H_
#else
#define BNQ_CORE_KERNELS_TRAVERSAL_INL_H_
#endif

#include <string.h>

#include <type_traits>

#include "core/kernels/compat-inl.h"
#include "core/kernels/random.h"
#include "core/kernels/reduce-inl.h"
#include "core/kernels/traversal.h"
#include "core/scheme/rules.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::ScalableTag<float>;
using DCode = hn::Rebind<int8_t, DF>;
// Floats and codes that may be touched behind a span: a vector of floats, or
// what packing needs.
constexpr size_t kFloatSlack = hn::MaxLanes(DF()) + kLanes;

// Walks the runs of a row without a division for each of them.
class RunCursor {
 public:
  RunCursor(const Layout& layout, uint64_t row, uint64_t column)
      : length_(layout.per_element ? layout.period() : layout.run),
        mod_(layout.per_element ? 1 : layout.mod),
        base_(row * layout.row_params),
        offset_(column % length_),
        number_(column / length_ % mod_) {}

  uint64_t offset() const { return offset_; }  // within the run
  uint64_t rest() const { return length_ - offset_; }
  uint64_t param() const { return base_ + number_; }
  // By no more than rest().
  void Advance(uint64_t count) {
    offset_ += count;
    if (offset_ == length_) {
      offset_ = 0;
      if (++number_ == mod_) number_ = 0;
    }
  }

 private:
  uint64_t length_, mod_, base_, offset_, number_;
};

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

// f(a null pointer to the encoder) of the kind that the rule asks for, from
// kKind on, or of the last one.
template <class Codec, class D, int kKind, class F>
HWY_INLINE void WithEncoder(const CodeRule& rule, F f) {
  if constexpr (kKind + 1 < Codec::kKinds) {
    if (Codec::KindOf(rule) != kKind) {
      return WithEncoder<Codec, D, kKind + 1>(rule, f);
    }
  }
  f(static_cast<const typename Codec::template Encoder<D, kKind>*>(nullptr));
}

template <class Pointer>
using EncoderOf = std::remove_const_t<std::remove_pointer_t<Pointer>>;

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
  Part parts[kSpan];
};

// The span's runs.
HWY_INLINE void CutIntoParts(const EncodeArgs& args, RunCursor* cursor,
                             EncodeSpan* span) {
  span->within = cursor->offset();
  span->last_rest = cursor->rest();
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
                           bool direct, const EncodeSpan& span) {
  bool finite = true;
  const Part* const parts = span.parts;
  const size_t num_parts = span.num_parts;
  // The last run goes on behind the span's end.
  const uint64_t behind =
      span.to_end - (span.count - parts[num_parts - 1].count);
  const size_t last =
      static_cast<size_t>(span.last_rest < behind ? span.last_rest : behind);
  size_t at = span.within != 0 ? parts[0].count : 0;
  for (size_t first = span.within != 0 ? 1 : 0; first < num_parts;) {
    const size_t end = num_parts - first < kBatch ? num_parts : first + kBatch;
    Range ranges[kBatch];
    for (size_t p = first; p < end; ++p) {
      const size_t n = parts[p].count;
      // Half of a later span here, the other half while this is coded.
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
      args.scales[parts[p].param] = params[p - first].scale;
      if (args.zero_points) {
        args.zero_points[parts[p].param] =
            static_cast<int8_t>(params[p - first].zero_point);
      }
      if (args.offsets) args.offsets[parts[p].param] = params[p - first].offset;
    }
    first = end;
  }
  return finite;
}

// A parameter's shift (CodeRule).
template <class Args>
HWY_INLINE float ShiftOf(const Args& args, uint64_t param) {
  if (args.offsets != nullptr) return args.offsets[param];
  if (args.zero_points == nullptr) return 0.0f;
  return static_cast<float>(args.zero_points[param]);
}

// The reciprocals of the parts' scales, and their shifts.
HWY_INLINE void ReadParams(const EncodeArgs& args, const Part* parts,
                           size_t count, float* inverse, float* shift) {
  for (size_t p = 0; p < count; ++p) {
    inverse[p] = args.scales[parts[p].param];
    shift[p] = ShiftOf(args, parts[p].param);
  }
  const DF d;
  for (size_t p = 0; p < count; p += hn::Lanes(d)) {
    const auto scale = hn::Load(d, inverse + p);
    hn::Store(hn::IfThenZeroElse(hn::Eq(scale, hn::Zero(d)),
                                 hn::Div(hn::Set(d, 1.0f), scale)),
              d, inverse + p);
  }
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

// Codes, part by part.
template <class Codec>
HWY_INLINE void EncodeByPart(const EncodeArgs& args, bool prefetch,
                             const EncodeSpan& span, const uint32_t* random,
                             int8_t* codes) {
  HWY_ALIGN float inverse[kSpan + kFloatSlack];
  HWY_ALIGN float shift[kSpan + kFloatSlack];
  ReadParams(args, span.parts, span.num_parts, inverse, shift);
  WithEncoder<Codec, DF, 0>(args.rule, [&](auto* tag) HWY_ATTR {
    const DF d;
    EncoderOf<decltype(tag)> encoder(d, args.rule);
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
  for (size_t p = 0; p < span.num_parts; at += span.parts[p].count, ++p) {
    const int8_t zero =
        args.zero_points ? args.zero_points[span.parts[p].param] : 0;
    LeaveOut(args.left_out, (span.element + at) % args.features, args.features,
             span.parts[p].count, zero, codes + at);
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
      if (args.find_params && !FindParams(args, statistic, direct, span)) {
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

// count values to out, which takes whole vectors only up to `writable` >=
// count floats; codes are readable for a vector behind count. begin(i) readies
// the decoder for the vector of element i.
template <class Decoder, class Begin>
HWY_INLINE void DecodeRun(const Decoder& decoder, const int8_t* codes,
                          size_t count, size_t writable, Begin begin,
                          float* out) {
  const DF d;
  const DCode d8;
  const hn::RebindToSigned<DF> di;
  const size_t N = hn::Lanes(d);
  const auto decode = [&](size_t i) HWY_ATTR {
    begin(i);
    return decoder(d, hn::PromoteTo(di, hn::LoadU(d8, codes + i)));
  };
  size_t i = 0;
  for (; i < count && i + N <= writable; i += N) {
    hn::StoreU(decode(i), d, out + i);
  }
  if (i < count) {
    HWY_ALIGN float last[hn::MaxLanes(d)];
    hn::Store(decode(i), d, last);
    memcpy(out + i, last, (count - i) * sizeof(float));
  }
}

// A span on its way from codes.
struct DecodeSpan {
  size_t count;
  const uint8_t* packed;  // from the first code's unit on
  const int8_t* codes;
  // Its values, and how many floats may be written from there on.
  float* values;
  size_t writable;
  const float* scales;  // entry 0 is parameter scale_base
  uint64_t scale_base;
};

// Codes of the next span, a few at a time, so that they come while the values
// of this one's part at .. at + count go.
HWY_INLINE void PrefetchCodes(Packing packing, const uint8_t* packed, size_t at,
                              size_t count) {
  const size_t ahead = ByteOf(packing, kDecodeSpan);
  const size_t last = ByteOf(packing, at + count);
  for (size_t b = ByteOf(packing, at); b < last; b += 64) {
    hwy::Prefetch(packed + ahead + b);
  }
}

// The span's values, run by run. Whole vectors may run into what comes next,
// which is written later.
template <class Decoder>
HWY_INLINE void DecodeParts(const DecodeArgs& args, Decoder decoder,
                            const DecodeSpan& span, RunCursor* cursor) {
  const DF d;
  for (size_t at = 0; at < span.count;) {
    const uint64_t rest = cursor->rest();
    const size_t n =
        span.count - at < rest ? span.count - at : static_cast<size_t>(rest);
    if (args.stream) PrefetchCodes(args.packing, span.packed, at, n);
    if (args.layout->per_element) {
      const float* scale = args.elements.scale + cursor->offset();
      const float* shift = args.elements.shift + cursor->offset();
      DecodeRun(
          decoder, span.codes + at, n, span.writable - at,
          [&](size_t i) HWY_ATTR {
            decoder.Begin(d, hn::LoadU(d, scale + i), hn::LoadU(d, shift + i));
          },
          span.values + at);
    } else {
      const uint64_t param = cursor->param();
      decoder.Begin(
          d, hn::Set(d, span.scales[param - span.scale_base]),
          hn::Set(d, ShiftOf(args, param - args.param_base)));
      DecodeRun(
          decoder, span.codes + at, n, span.writable - at, [](size_t) {},
          span.values + at);
    }
    cursor->Advance(n);
    at += n;
  }
}

// args.count is not 0.
template <class Codec>
bool DecodeElements(const DecodeArgs& args) {
  const Layout& layout = *args.layout;
  const uint64_t unit = CodesPerUnit(args.packing);
  const int32_t bias = BiasOf(*args.format, args.rule);
  const PackingKernels& packing = GetPackingKernels(args.packing);
  const DF d;
  const typename Codec::template Decoder<DF> decoder(d, args.rule);
  HWY_ALIGN float scratch[kDecodeSpan + kFloatSlack];
  // Of a span's runs, where they are not stored as floats.
  float some_scales[kDecodeSpan + 1];
  HWY_ALIGN int8_t codes[kDecodeSpan + kPackSlack];
  const bool direct =
      args.dtype == DType::kF32 && !args.stream &&
      reinterpret_cast<uintptr_t>(args.out) % sizeof(float) == 0;
  const size_t out_size = args.dtype == DType::kF32 ? 4 : 2;

  uint64_t row = args.begin / layout.columns;
  uint64_t column = args.begin % layout.columns;
  RunCursor cursor(layout, row, column);
  bool fits = true;
  DecodeSpan span;
  for (uint64_t done = 0; done < args.count; done += span.count) {
    const uint64_t left = args.count - done;
    const uint64_t to_end = layout.columns - column;
    // Codes are unpacked from a unit's first on.
    const size_t skip = static_cast<size_t>(column % unit);
    span.count = kDecodeSpan - skip;
    if (to_end < span.count) span.count = static_cast<size_t>(to_end);
    if (left < span.count) span.count = static_cast<size_t>(left);
    span.packed = args.codes + (row * layout.row_bytes +
                                ByteOf(args.packing, column) - args.code_base);
    packing.unpack(span.packed, skip + span.count, bias, codes);
    span.codes = codes + skip;
    span.scales = args.scales;
    span.scale_base = args.param_base;
    if (args.scales == nullptr) {
      span.scale_base = cursor.param();
      const uint64_t runs = (cursor.offset() + span.count - 1) / layout.run + 1;
      args.stored->Read(span.scale_base, runs, some_scales);
      span.scales = some_scales;
    }
    uint8_t* const out = args.out + done * out_size;
    span.values = direct ? reinterpret_cast<float*>(out) : scratch;
    span.writable =
        direct ? static_cast<size_t>(left) : span.count + kFloatSlack;
    DecodeParts(args, decoder, span, &cursor);
    if (!direct) {
      if (!FitsDType(args.dtype, args.overflow, scratch, span.count)) {
        fits = false;
      }
      StoreElements(scratch, span.count, args.dtype, args.stream, out);
    }
    column += span.count;
    if (column == layout.columns) {
      column = 0;
      cursor = RunCursor(layout, ++row, 0);
    }
  }
  if (args.stream) hwy::FlushStream();
  return fits;
}

template <class Codec>
void RoundTrip(const RoundTripArgs& args) {
  const DF d;
  const size_t N = hn::Lanes(d);
  const auto inv = hn::Set(d, InverseScale(args.params.scale));
  const auto scale = hn::Set(d, args.params.scale);
  const auto shift = hn::Set(d, ShiftOf(args.rule, args.params));
  // Read only where the rounding is stochastic.
  const uint32_t* const random =
      args.random != nullptr ? args.random
                             : reinterpret_cast<const uint32_t*>(args.x);
  typename Codec::template Decoder<DF> decoder(d, args.rule);
  decoder.Begin(d, scale, shift);
  WithEncoder<Codec, DF, 0>(args.rule, [&](auto* tag) HWY_ATTR {
    EncoderOf<decltype(tag)> encoder(d, args.rule);
    encoder.Begin(d, inv, shift);
    const auto value = [&](const float* x, size_t i) HWY_ATTR {
      return decoder(d, encoder(d, hn::LoadU(d, x), random + i));
    };
    size_t i = 0;
    for (; i + N <= args.count; i += N) {
      hn::StoreU(value(args.x + i, i), d, args.out + i);
    }
    if (i < args.count) {
      HWY_ALIGN float last[hn::MaxLanes(d)] = {};
      const size_t bytes = (args.count - i) * sizeof(float);
      memcpy(last, args.x + i, bytes);
      hn::Store(value(last, i), d, last);
      memcpy(args.out + i, last, bytes);
    }
  });
}

// Stochastic rounding is fitted as rounding to nearest.
HWY_INLINE CodeRule FittedRule(CodeRule rule) {
  if (rule.rounding == Rounding::kStochastic) {
    rule.rounding = Rounding::kHalfEven;
  }
  return rule;
}

// A lane is a candidate: no sum goes across lanes, so none depends on their
// number.
template <class Codec>
void Errors(const ErrorsArgs& args) {
  using D = hn::CappedTag<float, kLanes>;
  using V = hn::Vec<D>;
  const D d;
  constexpr size_t kBlock = 256;
  const CodeRule rule = FittedRule(args.rule);
  typename Codec::template Decoder<D> decoder(d, rule);
  WithEncoder<Codec, D, 0>(rule, [&](auto* tag) HWY_ATTR {
    EncoderOf<decltype(tag)> encoder(d, rule);
    for (size_t c = 0; c < args.candidates; c += hn::Lanes(d)) {
      const V scale = hn::LoadU(d, args.scales + c);
      const V shift = hn::LoadU(d, args.shifts + c);
      // As InverseScale.
      const V inverse = hn::IfThenZeroElse(hn::Eq(scale, hn::Zero(d)),
                                           hn::Div(hn::Set(d, 1.0f), scale));
      encoder.Begin(d, inverse, shift);
      decoder.Begin(d, scale, shift);
      const auto square = [&](float value) HWY_ATTR {
        const V x = hn::Set(d, value);
        const V e = hn::Sub(x, decoder(d, encoder(d, x, nullptr)));
        return hn::Mul(e, e);
      };
      V total = hn::Zero(d);
      for (size_t begin = 0; begin < args.count; begin += kBlock) {
        const float* const x = args.x + begin;
        const size_t n = HWY_MIN(kBlock, args.count - begin);
        V sum0 = hn::Zero(d), sum1 = sum0, sum2 = sum0, sum3 = sum0;
        size_t i = 0;
        for (; i + 4 <= n; i += 4) {
          sum0 = hn::Add(sum0, square(x[i]));
          sum1 = hn::Add(sum1, square(x[i + 1]));
          sum2 = hn::Add(sum2, square(x[i + 2]));
          sum3 = hn::Add(sum3, square(x[i + 3]));
        }
        if (i < n) sum0 = hn::Add(sum0, square(x[i]));
        if (i + 1 < n) sum1 = hn::Add(sum1, square(x[i + 1]));
        if (i + 2 < n) sum2 = hn::Add(sum2, square(x[i + 2]));
        total =
            hn::Add(total, hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3)));
      }
      HWY_ALIGN float sums[kLanes];
      hn::Store(total, d, sums);
      for (size_t k = 0; k < hn::Lanes(d); ++k) {
        args.errors[c + k] = static_cast<double>(sums[k]);
      }
    }
  });
}

template <class Codec>
FitSums Fit(const FitArgs& args) {
  using Sums = LaneSumsOf<float>;
  using D = Sums::DT;
  using V = hn::Vec<D>;
  const D d;
  constexpr size_t kN = Sums::kPerRegister;
  Sums error, xq, qq, x1, q1;
  const V unit = hn::Set(d, args.unit);
  const V shift = hn::Set(d, ShiftOf(args.rule, args.params));
  const CodeRule rule = FittedRule(args.rule);
  typename Codec::template Decoder<D> decoder(d, rule), steps(d, rule);
  decoder.Begin(d, hn::Set(d, args.params.scale), shift);
  steps.Begin(d, hn::Set(d, 1.0f), rule.offset ? hn::Zero(d) : shift);
  WithEncoder<Codec, D, Codec::kGeneral>(rule, [&](auto* tag) HWY_ATTR {
    EncoderOf<decltype(tag)> encoder(d, rule);
    encoder.Begin(d, hn::Set(d, InverseScale(args.params.scale)), shift);
    // `keep` of a register's lanes count.
    const auto add = [&](size_t k, const float* p, auto keep) HWY_ATTR {
      const V x = hn::LoadU(d, p);
      const auto code = encoder(d, x, nullptr);
      const V u = hn::Mul(x, unit);
      const V e = keep(hn::Mul(hn::Sub(x, decoder(d, code)), unit));
      const V q = keep(steps(d, code));
      error.Add(k, hn::Mul(e, e));
      xq.Add(k, hn::Mul(u, q));
      qq.Add(k, hn::Mul(q, q));
      x1.Add(k, u);
      q1.Add(k, q);
    };
    size_t i = 0;
    for (; i + kLanes <= args.count; i += kLanes) {
      for (size_t k = 0; k < Sums::kCount; ++k) {
        add(k, args.x + i + k * kN, [](V v) HWY_ATTR { return v; });
      }
    }
    if (i == args.count) return;
    HWY_ALIGN float last[kLanes] = {};
    memcpy(last, args.x + i, (args.count - i) * sizeof(float));
    for (size_t k = 0; k < Sums::kCount && i + k * kN < args.count; ++k) {
      const auto mask = hn::FirstN(d, args.count - i - k * kN);
      add(k, last + k * kN,
          [&](V v) HWY_ATTR { return hn::IfThenElseZero(mask, v); });
    }
  });
  FitSums sums;
  sums.error = static_cast<double>(error.Total());
  sums.xq = static_cast<double>(xq.Total());
  sums.qq = static_cast<double>(qq.Total());
  sums.x = static_cast<double>(x1.Total());
  sums.q = static_cast<double>(q1.Total());
  return sums;
}

// What a format's dispatch function returns.
template <class Codec>
const Kernels* MakeKernels() {
  static constexpr Kernels kKernels = {EncodeBlock<Codec>,
                                       DecodeElements<Codec>, Errors<Codec>,
                                       Fit<Codec>, RoundTrip<Codec>};
  return &kKernels;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#endif  // include guard
