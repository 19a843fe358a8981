#include "core/kernels/elements.h"

#include <math.h>
#include <string.h>

// Nothing here gains from what AVX3_DL adds (core/flags.txt).
#undef BNQ_LEFT_OUT
#define BNQ_LEFT_OUT HWY_AVX3_DL
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/elements.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "core/kernels/convert-inl.h"
#include "hwy/cache_control.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {

void Load(const SourceView& source, uint64_t begin, size_t count, float* out) {
  const uint8_t* in = source.data + begin * source.element_size();
  switch (source.dtype) {
    case DType::kF16:
      F32FromF16(in, count, out);
      break;
    case DType::kBF16:
      F32FromBF16(in, count, out);
      break;
    case DType::kF64: {
      // Clipped before it is rounded: to float32, 1e300 is infinite.
      const double clip =
          source.clip != 0.0f ? static_cast<double>(source.clip) : HUGE_VAL;
      for (size_t i = 0; i < count; ++i) {
        double v;
        memcpy(&v, in + i * sizeof v, sizeof v);
        if (v > clip && v < HUGE_VAL) v = clip;
        if (v < -clip && v > -HUGE_VAL) v = -clip;
        out[i] = static_cast<float>(v);
      }
      break;
    }
    default:
      memcpy(out, in, count * sizeof(float));
      break;
  }
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const size_t N = hn::Lanes(d);
  if (source.zero_non_finite) {
    const auto mask = hn::Set(di, 0x7FFFFFFF);
    const auto infinity = hn::Set(di, 0x7F800000);
    for (size_t i = 0; i < count; i += N) {
      const auto x = hn::LoadU(d, out + i);
      const auto finite = hn::Lt(hn::And(hn::BitCast(di, x), mask), infinity);
      hn::StoreU(hn::IfThenElseZero(hn::RebindMask(d, finite), x), d, out + i);
    }
  }
  if (source.clip != 0.0f) {
    const auto bits = hn::Set(di, 0x7FFFFFFF);
    const auto infinity = hn::Set(di, 0x7F800000);
    const auto hi = hn::Set(d, source.clip);
    const auto lo = hn::Set(d, -source.clip);
    for (size_t i = 0; i < count; i += N) {
      const auto x = hn::LoadU(d, out + i);
      // NaN and infinity stay what they are: they are errors, not outliers.
      const auto finite = hn::Lt(hn::And(hn::BitCast(di, x), bits), infinity);
      hn::StoreU(hn::IfThenElse(hn::RebindMask(d, finite),
                                hn::Max(hn::Min(x, hi), lo), x),
                 d, out + i);
    }
  }
  if (source.threshold != 0.0f) {
    const auto bits = hn::Set(di, 0x7FFFFFFF);
    const auto infinity = hn::Set(di, 0x7F800000);
    const auto limit = hn::Set(d, source.threshold);
    for (size_t i = 0; i < count; i += N) {
      const auto x = hn::LoadU(d, out + i);
      const auto finite = hn::Lt(hn::And(hn::BitCast(di, x), bits), infinity);
      // As above: NaN and infinity are errors.
      const auto drop =
          hn::And(hn::RebindMask(d, finite), hn::Ge(hn::Abs(x), limit));
      hn::StoreU(hn::IfThenElse(drop, hn::Zero(d), x), d, out + i);
    }
  }
}

// Bytes to bytes past the caches, where the target can.
void StreamBytes(const uint8_t* in, size_t bytes, uint8_t* out) {
  const hn::ScalableTag<uint8_t> d;
  const size_t N = hn::Lanes(d);
  size_t i = (N - reinterpret_cast<uintptr_t>(out) % N) % N;
  if (i > bytes) i = bytes;
  memcpy(out, in, i);
  for (; i + N <= bytes; i += N) hn::Stream(hn::LoadU(d, in + i), d, out + i);
  memcpy(out + i, in + i, bytes - i);
}

void Write(const uint8_t* in, size_t bytes, bool stream, uint8_t* out) {
  if (stream) {
    StreamBytes(in, bytes, out);
  } else {
    memcpy(out, in, bytes);
  }
}

void Store(const float* in, size_t count, DType dtype, bool stream,
           uint8_t* out) {
  if (dtype == DType::kF32) {
    const uint8_t* bytes = reinterpret_cast<const uint8_t*>(in);
    if (stream) {
      StreamBytes(bytes, count * sizeof(float), out);
    } else {
      memcpy(out, bytes, count * sizeof(float));
    }
    return;
  }
  HWY_ALIGN uint16_t half[512 + kLanes];
  for (size_t i = 0; i < count; i += 512) {
    const size_t n = count - i < 512 ? count - i : 512;
    if (dtype == DType::kF16) {
      F16FromF32(in + i, n, half);
    } else {
      BF16FromF32(in + i, n, half);
    }
    const uint8_t* bytes = reinterpret_cast<const uint8_t*>(half);
    if (stream) {
      StreamBytes(bytes, 2 * n, out + 2 * i);
    } else {
      memcpy(out + 2 * i, bytes, 2 * n);
    }
  }
}

}  // namespace

void LoadElementsOfTarget(const SourceView& source, uint64_t begin,
                          size_t count, float* out) {
  Load(source, begin, count, out);
}

void StoreElementsOfTarget(const float* in, size_t count, DType dtype,
                           bool stream, uint8_t* out) {
  Store(in, count, dtype, stream, out);
}

void StoreBytesOfTarget(const uint8_t* in, size_t bytes, bool stream,
                        uint8_t* out) {
  Write(in, bytes, stream, out);
}

}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bnq {

HWY_EXPORT(LoadElementsOfTarget);
HWY_EXPORT(StoreElementsOfTarget);
HWY_EXPORT(StoreBytesOfTarget);

void LoadElements(const SourceView& source, uint64_t begin, size_t count,
                  float* out) {
  HWY_DYNAMIC_DISPATCH(LoadElementsOfTarget)(source, begin, count, out);
}

void StoreElements(const float* in, size_t count, DType dtype, bool stream,
                   uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(StoreElementsOfTarget)(in, count, dtype, stream, out);
}

void StoreBytes(const uint8_t* in, size_t bytes, bool stream, uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(StoreBytesOfTarget)(in, bytes, stream, out);
}

void FlushStream() { hwy::FlushStream(); }

}  // namespace bnq
#endif  // HWY_ONCE
