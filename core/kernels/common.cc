#include "core/kernels/common.h"

#include <math.h>
#include <string.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/common.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "core/kernels/convert-inl.h"
#include "core/kernels/reduce-inl.h"

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
    case DType::kF64:
      for (size_t i = 0; i < count; ++i) {
        double v;
        memcpy(&v, in + i * sizeof v, sizeof v);
        out[i] = static_cast<float>(v);
      }
      break;
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

void WriteCodes(const uint8_t* in, size_t bytes, bool stream, uint8_t* out) {
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

Partial Reduce(const float* x, size_t count, size_t readable,
               Statistic statistic) {
  return ReduceChunk(x, count, readable, statistic);
}

void AccumulateColumns(const float* HWY_RESTRICT x, size_t count,
                       double* HWY_RESTRICT abs_sum, float* HWY_RESTRICT min,
                       float* HWY_RESTRICT max,
                       uint32_t* HWY_RESTRICT abs_bits) {
  // Columns are independent, so the compiler may use vectors of any length.
  for (size_t i = 0; i < count; ++i) {
    uint32_t bits;
    memcpy(&bits, x + i, sizeof bits);
    bits &= 0x7FFFFFFFu;
    abs_bits[i] = bits > abs_bits[i] ? bits : abs_bits[i];
  }
  for (size_t i = 0; i < count; ++i) abs_sum[i] += fabs(double{x[i]});
  for (size_t i = 0; i < count; ++i) min[i] = x[i] < min[i] ? x[i] : min[i];
  for (size_t i = 0; i < count; ++i) max[i] = x[i] > max[i] ? x[i] : max[i];
}

double SumDoubles(const double* x, size_t count) {
  const LaneSums::DD dd;
  LaneSums sums;
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (size_t k = 0; k < LaneSums::kCount; ++k) {
      sums.Add(k, hn::LoadU(dd, x + i + k * LaneSums::kPerRegister));
    }
  }
  if (i < count) {
    HWY_ALIGN double last[kLanes] = {};
    memcpy(last, x + i, (count - i) * sizeof(double));
    for (size_t k = 0; k < LaneSums::kCount; ++k) {
      sums.Add(k, hn::Load(dd, last + k * LaneSums::kPerRegister));
    }
  }
  return sums.Total();
}

// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy
// as 1, 2, 3", SC 2011). Words 4b to 4b + 3 of the stream are those of counter
// b. Loops over a few counters at once are left to the compiler's vectors.
void Random(uint64_t seed, uint64_t begin, size_t count, uint32_t* out) {
  constexpr size_t kCounters = kLanes;
  for (size_t i = 0; i < count;) {
    const uint64_t first = (begin + i) / 4;
    const size_t skip = static_cast<size_t>((begin + i) % 4);
    uint32_t c0[kCounters], c1[kCounters], c2[kCounters], c3[kCounters];
    for (size_t k = 0; k < kCounters; ++k) {
      c0[k] = static_cast<uint32_t>(first + k);
      c1[k] = static_cast<uint32_t>((first + k) >> 32);
      c2[k] = c3[k] = 0;
    }
    uint32_t key0 = static_cast<uint32_t>(seed);
    uint32_t key1 = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
      for (size_t k = 0; k < kCounters; ++k) {
        const uint64_t a = uint64_t{0xD2511F53u} * c0[k];
        const uint64_t b = uint64_t{0xCD9E8D57u} * c2[k];
        c0[k] = static_cast<uint32_t>(b >> 32) ^ c1[k] ^ key0;
        c1[k] = static_cast<uint32_t>(b);
        c2[k] = static_cast<uint32_t>(a >> 32) ^ c3[k] ^ key1;
        c3[k] = static_cast<uint32_t>(a);
      }
      key0 += 0x9E3779B9u;
      key1 += 0xBB67AE85u;
    }
    uint32_t words[4 * kCounters];
    for (size_t k = 0; k < kCounters; ++k) {
      words[4 * k] = c0[k];
      words[4 * k + 1] = c1[k];
      words[4 * k + 2] = c2[k];
      words[4 * k + 3] = c3[k];
    }
    size_t n = 4 * kCounters - skip;
    if (count - i < n) n = count - i;
    memcpy(out + i, words + skip, n * sizeof(uint32_t));
    i += n;
  }
}

ErrorPartial Compare(const float* a, const float* b, size_t count) {
  const LaneSums::DD dd;
  const hn::Rebind<float, LaneSums::DD> df;
  LaneSums sq, abs, aa, bb, ab;
  auto max = hn::Zero(dd);
  const auto step = [&](const float* pa, const float* pb) HWY_ATTR {
    for (size_t k = 0; k < LaneSums::kCount; ++k) {
      const size_t at = k * LaneSums::kPerRegister;
      const auto va = hn::PromoteTo(dd, hn::LoadU(df, pa + at));
      const auto vb = hn::PromoteTo(dd, hn::LoadU(df, pb + at));
      const auto e = hn::Sub(va, vb);
      const auto abs_e = hn::Abs(e);
      max = hn::Max(max, abs_e);
      sq.Add(k, hn::Mul(e, e));
      abs.Add(k, abs_e);
      aa.Add(k, hn::Mul(va, va));
      bb.Add(k, hn::Mul(vb, vb));
      ab.Add(k, hn::Mul(va, vb));
    }
  };
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) step(a + i, b + i);
  if (i < count) {
    HWY_ALIGN float last_a[kLanes] = {}, last_b[kLanes] = {};
    memcpy(last_a, a + i, (count - i) * sizeof(float));
    memcpy(last_b, b + i, (count - i) * sizeof(float));
    step(last_a, last_b);
  }
  ErrorPartial p;
  p.sum_sq_error = sq.Total();
  p.sum_abs_error = abs.Total();
  p.sum_aa = aa.Total();
  p.sum_bb = bb.Total();
  p.sum_ab = ab.Total();
  p.max_error = hn::GetLane(hn::MaxOfLanes(dd, max));
  return p;
}

}  // namespace

const CommonKernels* GetCommon() {
  static constexpr CommonKernels kKernels = {
      Load,       Store,  WriteCodes, Reduce, AccumulateColumns,
      SumDoubles, Random, Compare};
  return &kKernels;
}

}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bnq {

HWY_EXPORT(GetCommon);

const CommonKernels& GetCommonKernels() {
  return *HWY_DYNAMIC_DISPATCH(GetCommon)();
}

}  // namespace bnq
#endif  // HWY_ONCE
