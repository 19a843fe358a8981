// The block traversal, written once for every format: walks rows, spans and
// runs, finds ranges, and hands vectors of values to a Codec (core/format.h).
// Included once per target.
#if defined(BNQ_CORE_KERNELS_TRAVERSAL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BNQ_CORE_KERNELS_TRAVERSAL_INL_H_
#undef BNQ_CORE_KERNELS_TRAVERSAL_INL_H_
#else
#define BNQ_CORE_KERNELS_TRAVERSAL_INL_H_
#endif

#include <string.h>

#include "core/kernels/reduce-inl.h"
#include "core/kernels/traversal.h"
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

// The range of a run, chunk by chunk. x is the run where its floats can be read
// in place, else nullptr.
HWY_INLINE Partial ReduceRun(const EncodeArgs& args, uint64_t element,
                             const float* x, size_t count, size_t readable,
                             Statistic statistic) {
  if (x != nullptr && count <= kChunk) {
    return ReduceChunk(x, count, readable, statistic);
  }
  HWY_ALIGN float scratch[kChunk + kFloatSlack];
  Partial total;
  for (size_t i = 0; i < count; i += kChunk) {
    const size_t n = count - i < kChunk ? count - i : kChunk;
    if (x != nullptr) {
      total.Merge(ReduceChunk(x + i, n, readable - i, statistic));
    } else {
      args.common->load(args.source, element + i, n, scratch);
      total.Merge(ReduceChunk(scratch, n, n, statistic));
    }
  }
  return total;
}

// count codes of elements with common parameters; reads no more than
// `readable` >= count floats and may write a vector of codes behind count.
template <class Codec>
HWY_INLINE void EncodeRun(const float* x, size_t count, size_t readable,
                          Params params, CodeRange range, int8_t* codes) {
  const DF d;
  const DCode d8;
  const size_t N = hn::Lanes(d);
  const typename Codec::template Encoder<DF> encoder(
      d, hn::Set(d, InverseScale(params.scale)),
      hn::Set(d, static_cast<float>(params.zero_point)), range);
  size_t i = 0;
  for (; i < count && i + N <= readable; i += N) {
    hn::StoreU(hn::DemoteTo(d8, encoder(d, hn::LoadU(d, x + i))), d8,
               codes + i);
  }
  if (i < count) {
    HWY_ALIGN float last[hn::MaxLanes(d)] = {};
    memcpy(last, x + i, (count - i) * sizeof(float));
    hn::StoreU(hn::DemoteTo(d8, encoder(d, hn::Load(d, last))), d8, codes + i);
  }
}

// The same with parameters of their own for each element.
template <class Codec>
HWY_INLINE void EncodeElements(const float* x, size_t count, size_t readable,
                               const ElementParams& elements, uint64_t at,
                               CodeRange range, int8_t* codes) {
  const DF d;
  const DCode d8;
  const size_t N = hn::Lanes(d);
  const auto encode = [&](const float* p, size_t i) HWY_ATTR {
    const typename Codec::template Encoder<DF> encoder(
        d, hn::LoadU(d, elements.inv_scale + at + i),
        hn::LoadU(d, elements.zero_point + at + i), range);
    hn::StoreU(hn::DemoteTo(d8, encoder(d, hn::LoadU(d, p))), d8, codes + i);
  };
  size_t i = 0;
  for (; i < count && i + N <= readable; i += N) encode(x + i, i);
  if (i < count) {
    HWY_ALIGN float last[hn::MaxLanes(d)] = {};
    memcpy(last, x + i, (count - i) * sizeof(float));
    encode(last, i);
  }
}

template <class Codec>
bool EncodeBlock(const EncodeArgs& args) {
  const Layout& layout = *args.layout;
  const CodeRange range = args.format->code_range(args.scheme);
  const Statistic statistic = args.format->statistic(args.scheme);
  const uint64_t per_byte = CodesPerByte(args.format->packing);
  const bool direct = args.source.direct();
  const float* const floats =
      direct ? reinterpret_cast<const float*>(args.source.data) : nullptr;
  HWY_ALIGN float scratch[kSpan + kFloatSlack];
  HWY_ALIGN int8_t codes[kSpan + kPackSlack];
  bool finite = true;

  for (uint64_t row = args.row_begin; row < args.row_end; ++row) {
    Params params;
    for (uint64_t column = args.column_begin; column < args.column_end;) {
      const size_t span = static_cast<size_t>(
          args.column_end - column < kSpan ? args.column_end - column : kSpan);
      const uint64_t element = row * layout.columns + column;
      const float* x = scratch;
      if (direct) {
        x = floats + element;
      } else {
        args.common->load(args.source, element, span, scratch);
      }
      // The scratch space may be read to its end; an array only within the
      // block's row, behind which there may be nothing.
      const size_t readable =
          direct ? static_cast<size_t>(args.column_end - column)
                 : span + kFloatSlack;

      for (size_t at = 0; at < span;) {
        const uint64_t c = column + at;
        if (layout.per_element) {
          const uint64_t period = layout.period();
          const uint64_t offset = c % period;
          const uint64_t rest = period - offset;
          const size_t n =
              span - at < rest ? span - at : static_cast<size_t>(rest);
          EncodeElements<Codec>(x + at, n, readable - at, args.elements, offset,
                                range, codes + at);
          at += n;
          continue;
        }
        const uint64_t in_run = c % layout.run;
        const uint64_t rest = layout.run - in_run;
        const size_t n =
            span - at < rest ? span - at : static_cast<size_t>(rest);
        const uint64_t index = layout.ParamIndex(row, c) - args.param_base;
        if (args.find_params && in_run == 0) {
          const uint64_t to_end = args.column_end - c;
          const size_t run = static_cast<size_t>(rest < to_end ? rest : to_end);
          const bool in_place = direct || run <= span - at;
          const Partial partial =
              ReduceRun(args, element + at, in_place ? x + at : nullptr, run,
                        readable - at, statistic);
          finite = finite && partial.finite();
          params =
              args.format->params(partial.ToRange(statistic, run), args.scheme);
          args.scales[index] = params.scale;
          if (args.zero_points) args.zero_points[index] = params.zero_point;
        } else {
          params.scale = args.scales[index];
          params.zero_point = args.zero_points ? args.zero_points[index] : 0;
        }
        EncodeRun<Codec>(x + at, n, readable - at, params, range, codes + at);
        at += n;
      }
      args.packing->pack(codes, span, args.format->bias,
                         args.codes + (row * layout.row_bytes +
                                       column / per_byte - args.code_base));
      column += span;
    }
  }
  return finite;
}

// count values to out, which takes whole vectors only up to `writable` >=
// count floats; codes are readable for a vector behind count.
template <class Codec, class Scale, class Zero>
HWY_INLINE void DecodeRun(const int8_t* codes, size_t count, size_t writable,
                          Scale scale, Zero zero_point, float* out) {
  const DF d;
  const DCode d8;
  const hn::RebindToSigned<DF> di;
  const size_t N = hn::Lanes(d);
  const auto decode = [&](size_t i) HWY_ATTR {
    return Codec::Decode(d, hn::PromoteTo(di, hn::LoadU(d8, codes + i)),
                         scale(i), zero_point(i));
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

template <class Codec>
void DecodeElements(const DecodeArgs& args) {
  const Layout& layout = *args.layout;
  const uint64_t per_byte = CodesPerByte(args.format->packing);
  const DF d;
  HWY_ALIGN float scratch[kSpan + kFloatSlack];
  HWY_ALIGN int8_t codes[kSpan + kPackSlack];
  const bool direct =
      args.dtype == DType::kF32 && !args.stream &&
      reinterpret_cast<uintptr_t>(args.out) % sizeof(float) == 0;
  const size_t out_size = args.dtype == DType::kF32 ? 4 : 2;

  uint64_t done = 0;
  while (done < args.count) {
    const uint64_t row = (args.begin + done) / layout.columns;
    const uint64_t column = (args.begin + done) % layout.columns;
    const uint64_t left = args.count - done;
    const uint64_t to_end = layout.columns - column;
    // Codes are unpacked from a byte's first on.
    const size_t skip = static_cast<size_t>(column % per_byte);
    size_t span = kSpan - skip;
    if (to_end < span) span = static_cast<size_t>(to_end);
    if (left < span) span = static_cast<size_t>(left);
    args.packing->unpack(
        args.codes + row * layout.row_bytes + column / per_byte, skip + span,
        args.format->bias, codes);

    uint8_t* const out = args.out + done * out_size;
    float* const values = direct ? reinterpret_cast<float*>(out) : scratch;
    const size_t writable =
        direct ? static_cast<size_t>(left) : span + kFloatSlack;
    for (size_t at = 0; at < span;) {
      const uint64_t c = column + at;
      const uint64_t length = layout.per_element ? layout.period() : layout.run;
      const uint64_t offset = c % length;
      const uint64_t rest = length - offset;
      const size_t n = span - at < rest ? span - at : static_cast<size_t>(rest);
      // Whole vectors may run into what comes next, which is written later.
      if (layout.per_element) {
        const float* scale = args.elements.scale + offset;
        const float* zero = args.elements.zero_point + offset;
        DecodeRun<Codec>(
            codes + skip + at, n, writable - at,
            [&](size_t i) HWY_ATTR { return hn::LoadU(d, scale + i); },
            [&](size_t i) HWY_ATTR { return hn::LoadU(d, zero + i); },
            values + at);
      } else {
        const uint64_t index = layout.ParamIndex(row, c);
        const auto scale = hn::Set(d, args.scales[index]);
        const auto zero = hn::Set(
            d, args.zero_points ? static_cast<float>(args.zero_points[index])
                                : 0.0f);
        DecodeRun<Codec>(
            codes + skip + at, n, writable - at,
            [&](size_t) HWY_ATTR { return scale; },
            [&](size_t) HWY_ATTR { return zero; }, values + at);
      }
      at += n;
    }
    if (!direct)
      args.common->store(scratch, span, args.dtype, args.stream, out);
    done += span;
  }
}

// What a format's dispatch function returns.
template <class Codec>
const Kernels* MakeKernels() {
  static constexpr Kernels kKernels = {EncodeBlock<Codec>,
                                       DecodeElements<Codec>};
  return &kKernels;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#endif  // include guard
