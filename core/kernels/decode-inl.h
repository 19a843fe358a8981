// Dequantizing a run of elements, for any codec. Included once per target.
#if defined(BNQ_CORE_KERNELS_DECODE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BNQ_CORE_KERNELS_DECODE_INL_H_
#undef BNQ_CORE_KERNELS_DECODE_INL_H_
#else
#define BNQ_CORE_KERNELS_DECODE_INL_H_
#endif

#include <string.h>

#include "core/kernels/runs-inl.h"
#include "core/kernels/small_groups-inl.h"
#include "core/scheme/rules.h"
#include "hwy/cache_control.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

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

// Scales as floats; may write kLanes of them behind.
HWY_INLINE void ReadScales(const StoredScales& stored, uint64_t begin,
                           uint64_t count, float* out) {
  const bool f16 = stored.dtype == ScaleDType::kF16;
  if (stored.double_quant || !(f16 || stored.dtype == ScaleDType::kBF16)) {
    stored.Read(begin, count, out);
    return;
  }
  SourceView view;
  view.data = stored.data;
  view.dtype = f16 ? DType::kF16 : DType::kBF16;
  LoadElements(view, begin, static_cast<size_t>(count), out);
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

// Values of the groups that whole vectors may be written for; how many
// elements.
template <class Decoder>
HWY_INLINE size_t DecodeGroups(const DecodeArgs& args, Decoder decoder,
                               const DecodeSpan& span, uint64_t param,
                               size_t group) {
  const DF d;
  const DCode d8;
  const hn::RebindToSigned<DF> di;
  const size_t N = hn::Lanes(d);
  const float* const scales = span.scales + (param - span.scale_base);
  const uint64_t first = param - args.param_base;
  const auto decode = [&](size_t i) HWY_ATTR {
    hn::StoreU(decoder(d, hn::PromoteTo(di, hn::LoadU(d8, span.codes + i))), d,
               span.values + i);
  };
  // Of small groups all sizes divide it.
  constexpr size_t kStep = 8 * hn::MaxLanes(d);
  size_t at = 0;
  for (size_t p = 0; at + group <= span.count && at + group <= span.writable;
       ++p, at += group) {
    if (args.stream && at % kStep == 0) {
      PrefetchCodes(args.packing, span.packed, at, kStep);
    }
    decoder.Begin(d, hn::Set(d, scales[p]),
                  hn::Set(d, ShiftOf(args, first + p)));
    for (size_t i = 0; i < group; i += N) decode(at + i);
  }
  return at;
}

// The span's values, run by run. Whole vectors may run into what comes next,
// which is written later.
template <class Decoder>
HWY_INLINE void DecodeParts(const DecodeArgs& args, Decoder decoder,
                            const DecodeSpan& span, RunCursor* cursor) {
  const DF d;
  size_t at = 0;
  // Small groups, whose parameters follow each other.
  const size_t group = static_cast<size_t>(args.layout->run);
  if (IsSmallGroup(group) && args.layout->InOrder() && cursor->offset() == 0 &&
      span.count >= group) {
    at = DecodeGroups(args, decoder, span, cursor->param(), group);
    cursor->AdvanceRuns(at / group);
  }
  while (at < span.count) {
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
      decoder.Begin(d, hn::Set(d, span.scales[param - span.scale_base]),
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
  float some_scales[kDecodeSpan + 1 + kLanes];
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
      ReadScales(*args.stored, span.scale_base, runs, some_scales);
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

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#endif  // include guard
