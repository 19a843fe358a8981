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
#include "core/kernels/runs-inl.h"
#include "core/scheme/rules.h"
#include "hwy/cache_control.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

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
                             bool prefetch, const uint32_t* random,
                             int8_t* codes) {
  const DF d;
  const size_t N = hn::Lanes(d);
  const size_t vectors = span.group / N;
  size_t at = 0, part = 0;
  const auto encode = [&](size_t i) HWY_ATTR {
    return encoder(d, hn::LoadU(d, span.x + i), random + i);
  };
  const auto begin = [&](size_t p) HWY_ATTR {
    encoder.Begin(d, hn::Set(d, span.inverse[p]), hn::Set(d, span.shift[p]));
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
  WithEncoder<Codec, DF, 0>(args.rule, [&](auto* tag) HWY_ATTR {
    const DF d;
    EncoderOf<decltype(tag)> encoder(d, args.rule);
    if constexpr (EncoderOf<decltype(tag)>::kFast) {
      if (span.group != 0) {
        EncodeGroups(encoder, span, prefetch, random, codes);
        return;
      }
    }
    size_t at = 0;
    for (size_t p = 0; p < span.num_parts; ++p) {
      const size_t n = span.At(p).count;
      if (prefetch) {
        PrefetchFloats(span.x + kAhead + kSpan / 2 + at / 2, n / 2);
      }
      encoder.Begin(d, hn::Set(d, span.inverse[p]), hn::Set(d, span.shift[p]));
      EncodeRun(encoder, span.x + at, n, span.readable - at, random + at,
                codes + at);
      at += n;
    }
  });
}

HWY_INLINE void LeaveOutColumns(const EncodeArgs& args, const EncodeSpan& span,
                                int8_t* codes) {
  size_t at = 0;
  for (size_t p = 0; p < span.num_parts; ++p) {
    const RunPart part = span.At(p);
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
      if (!PrepareSpan(args, statistic, &cursor, &span)) finite = false;
      if (stochastic) RandomWords(args.seed, span.element, span.count, random);
      if (args.values != nullptr) {
        // What is not finite must still be there to be named.
        if (!finite || !EncodeAsValues(args, span, random)) return false;
        continue;
      }
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
  if (args.values != nullptr && args.stream) hwy::FlushStream();
  return finite;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#endif  // include guard
