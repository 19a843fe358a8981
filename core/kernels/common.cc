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

// The high and low halves of the products of u32 lanes with m.
#if HWY_TARGET == HWY_SCALAR
template <class D>
HWY_INLINE void MulHighLow(D d, hn::Vec<D> a, uint32_t m, hn::Vec<D>* high,
                           hn::Vec<D>* low) {
  const uint64_t product = uint64_t{hn::GetLane(a)} * m;
  *high = hn::Set(d, static_cast<uint32_t>(product >> 32));
  *low = hn::Set(d, static_cast<uint32_t>(product));
}
#else
template <class D>
HWY_INLINE void MulHighLow(D d, hn::Vec<D> a, uint32_t m, hn::Vec<D>* high,
                           hn::Vec<D>* low) {
  const hn::RepartitionToWide<D> d64;
  const auto factor = hn::Set(d, m);
  const auto even = hn::MulEven(a, factor);
  const auto odd = hn::MulEven(
      hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(d64, a))), factor);
  *high = hn::OddEven(hn::BitCast(d, odd),
                      hn::BitCast(d, hn::ShiftRight<32>(even)));
  *low =
      hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(odd)), hn::BitCast(d, even));
}
#endif

// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy
// as 1, 2, 3", SC 2011). Words 4b to 4b + 3 of the stream are those of counter
// b; a lane is a counter.
void Random(uint64_t seed, uint64_t begin, size_t count, uint32_t* out) {
  const hn::ScalableTag<uint32_t> d;
  using V = hn::Vec<decltype(d)>;
  const size_t lanes = hn::Lanes(d);
  HWY_ALIGN uint32_t words[4 * hn::MaxLanes(d)];
  HWY_ALIGN uint32_t low[hn::MaxLanes(d)], high[hn::MaxLanes(d)];
  for (size_t i = 0; i < count;) {
    const uint64_t first = (begin + i) / 4;
    const size_t skip = static_cast<size_t>((begin + i) % 4);
    for (size_t k = 0; k < lanes; ++k) {
      low[k] = static_cast<uint32_t>(first + k);
      high[k] = static_cast<uint32_t>((first + k) >> 32);
    }
    V c0 = hn::Load(d, low), c1 = hn::Load(d, high);
    V c2 = hn::Zero(d), c3 = hn::Zero(d);
    uint32_t key0 = static_cast<uint32_t>(seed);
    uint32_t key1 = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
      V high0, low0, high1, low1;
      MulHighLow(d, c0, 0xD2511F53u, &high0, &low0);
      MulHighLow(d, c2, 0xCD9E8D57u, &high1, &low1);
      c0 = hn::Xor(hn::Xor(high1, c1), hn::Set(d, key0));
      c1 = low1;
      c2 = hn::Xor(hn::Xor(high0, c3), hn::Set(d, key1));
      c3 = low0;
      key0 += 0x9E3779B9u;
      key1 += 0xBB67AE85u;
    }
    hn::StoreInterleaved4(c0, c1, c2, c3, d, words);
    size_t n = 4 * lanes - skip;
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
