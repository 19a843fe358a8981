#include "core/kernels/half.h"

#include <string.h>

// Nothing here gains from what AVX3_DL adds (core/flags.txt).
#undef BNQ_LEFT_OUT
#define BNQ_LEFT_OUT HWY_AVX3_DL
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/half.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "core/kernels/convert-inl.h"
#include "core/kernels/traversal.h"
#include "hwy/cache_control.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {

template <DType kType>
bool EncodeHalf(const EncodeArgs& args) {
  const Layout& layout = *args.layout;
  const bool direct = args.source.direct();
  const float* const floats =
      direct ? reinterpret_cast<const float*>(args.source.data) : nullptr;
  // |x| from which on it is infinity or NaN.
  constexpr uint32_t kSpecial =
      kType == DType::kF16 ? kOverflowsF16 : kOverflowsBF16;
  HWY_ALIGN float scratch[kSpan + kLanes];
  HWY_ALIGN uint16_t words[kSpan + kLanes];
  uint32_t special = 0;
  for (uint64_t row = args.row_begin; row < args.row_end; ++row) {
    for (uint64_t column = args.column_begin; column < args.column_end;) {
      const uint64_t left = args.column_end - column;
      const size_t span = left < kSpan ? static_cast<size_t>(left) : kSpan;
      const uint64_t element = row * layout.columns + column;
      const float* x = scratch;
      if (direct) {
        x = floats + element;
      } else {
        LoadElements(args.source, element, span, scratch);
      }
      uint8_t* const out = args.codes + (2 * element - args.code_base);
      // Some of the next span's floats with each part of this one's.
      constexpr size_t kPart = kSpan / 4;
      uint32_t most = 0;
      for (size_t at = 0; at < span; at += kPart) {
        const size_t n = span - at < kPart ? span - at : kPart;
        if (direct) {
          for (size_t i = 0; i < n; i += 16) hwy::Prefetch(x + kSpan + at + i);
        }
        uint32_t part;
        if (kType == DType::kF16) {
          part = NarrowAndLook(x + at, n, words + at,
                               [](VI b) HWY_ATTR { return NarrowF16(b); });
        } else {
          part = NarrowAndLook(x + at, n, words + at,
                               [](VI b) HWY_ATTR { return NarrowBF16(b); });
        }
        if (part > most) most = part;
      }
      special |= most >= kSpecial ? 1u : 0u;
      StoreBytes(reinterpret_cast<const uint8_t*>(words), 2 * span, args.stream,
                 out);
      column += span;
    }
  }
  if (args.stream) hwy::FlushStream();
  return special == 0 || args.keep_non_finite;
}

template <DType kType>
bool DecodeHalf(const DecodeArgs& args) {
  const size_t out_size = args.dtype == DType::kF32 ? 4 : 2;
  HWY_ALIGN float scratch[kDecodeSpan + kLanes];
  bool fits = true;
  for (uint64_t done = 0; done < args.count;) {
    const uint64_t left = args.count - done;
    const size_t span =
        left < kDecodeSpan ? static_cast<size_t>(left) : kDecodeSpan;
    const uint8_t* const in =
        args.codes + (2 * (args.begin + done) - args.code_base);
    // The next span's codes, so that they come while this span's values go.
    if (args.stream) {
      for (size_t b = 0; b < 2 * span; b += 64) {
        hwy::Prefetch(in + 2 * kDecodeSpan + b);
      }
    }
    if (kType == DType::kF16) {
      F32FromF16(in, span, scratch);
    } else {
      F32FromBF16(in, span, scratch);
    }
    if (!FitsDType(args.dtype, args.overflow, scratch, span)) fits = false;
    StoreElements(scratch, span, args.dtype, args.stream,
                  args.out + done * out_size);
    done += span;
  }
  if (args.stream) hwy::FlushStream();
  return fits;
}

template <DType kType>
void RoundTripHalf(const RoundTripArgs& args) {
  HWY_ALIGN uint16_t words[kSpan + kLanes];
  HWY_ALIGN float values[kSpan + kLanes];
  for (size_t at = 0; at < args.count; at += kSpan) {
    const size_t n = args.count - at < kSpan ? args.count - at : kSpan;
    uint8_t* const bytes = reinterpret_cast<uint8_t*>(words);
    if (kType == DType::kF16) {
      NarrowAndLook(args.x + at, n, words,
                    [](VI b) HWY_ATTR { return NarrowF16(b); });
      F32FromF16(bytes, n, values);
    } else {
      NarrowAndLook(args.x + at, n, words,
                    [](VI b) HWY_ATTR { return NarrowBF16(b); });
      F32FromBF16(bytes, n, values);
    }
    memcpy(args.out + at, values, n * sizeof(float));
  }
}

}  // namespace

const Kernels* GetF16() {
  static constexpr Kernels kKernels = {EncodeHalf<DType::kF16>,
                                       DecodeHalf<DType::kF16>, nullptr,
                                       nullptr, RoundTripHalf<DType::kF16>};
  return &kKernels;
}

const Kernels* GetBF16() {
  static constexpr Kernels kKernels = {EncodeHalf<DType::kBF16>,
                                       DecodeHalf<DType::kBF16>, nullptr,
                                       nullptr, RoundTripHalf<DType::kBF16>};
  return &kKernels;
}

}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bnq {

HWY_EXPORT(GetF16);
HWY_EXPORT(GetBF16);

const Kernels& F16Kernels() { return *HWY_DYNAMIC_DISPATCH(GetF16)(); }
const Kernels& BF16Kernels() { return *HWY_DYNAMIC_DISPATCH(GetBF16)(); }

}  // namespace bnq
#endif  // HWY_ONCE
