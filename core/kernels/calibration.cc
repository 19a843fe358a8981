#include "core/kernels/calibration.h"

#include <string.h>

// Nothing here gains from what AVX3_DL adds (core/flags.txt).
#undef BNQ_LEFT_OUT
#define BNQ_LEFT_OUT HWY_AVX3_DL
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/calibration.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "core/kernels/reduce-inl.h"
#include "hwy/cache_control.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {

// How far ahead memory is asked for: the CPU's own prefetching alone reaches
// some 0.8 of what this does.
constexpr size_t kAhead = 4096 / sizeof(float);

// Minimum, maximum, greatest bits and zeros.
HWY_INLINE void SummarizeRange(const float* HWY_RESTRICT x, size_t count,
                               Summary* out) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const size_t N = hn::Lanes(d);
  const auto mask = hn::Set(di, 0x7FFFFFFF);
  const auto none = hn::Zero(di);
  auto lo0 = hn::Set(d, x[0]), lo1 = lo0, lo2 = lo0, lo3 = lo0;
  auto hi0 = lo0, hi1 = lo0, hi2 = lo0, hi3 = lo0;
  auto bits0 = none, bits1 = none, bits2 = none, bits3 = none;
  auto zeros0 = none, zeros1 = none, zeros2 = none, zeros3 = none;
  const auto step = [&](const float* p, auto& lo, auto& hi, auto& bits,
                        auto& zeros) HWY_ATTR {
    hwy::Prefetch(p + kAhead);
    const auto v = hn::LoadU(d, p);
    lo = hn::Min(lo, v);
    hi = hn::Max(hi, v);
    const auto abs = hn::And(hn::BitCast(di, v), mask);
    bits = hn::Max(bits, abs);
    // A mask is -1 where it is true.
    zeros = hn::Sub(zeros, hn::VecFromMask(di, hn::Eq(abs, none)));
  };
  size_t i = 0;
  for (; i + 4 * N <= count; i += 4 * N) {
    step(x + i, lo0, hi0, bits0, zeros0);
    step(x + i + N, lo1, hi1, bits1, zeros1);
    step(x + i + 2 * N, lo2, hi2, bits2, zeros2);
    step(x + i + 3 * N, lo3, hi3, bits3, zeros3);
  }
  lo0 = hn::Min(hn::Min(lo0, lo1), hn::Min(lo2, lo3));
  hi0 = hn::Max(hn::Max(hi0, hi1), hn::Max(hi2, hi3));
  bits0 = hn::Max(hn::Max(bits0, bits1), hn::Max(bits2, bits3));
  zeros0 = hn::Add(hn::Add(zeros0, zeros1), hn::Add(zeros2, zeros3));
  float min = hn::GetLane(hn::MinOfLanes(d, lo0));
  float max = hn::GetLane(hn::MaxOfLanes(d, hi0));
  uint32_t bits = static_cast<uint32_t>(hn::GetLane(hn::MaxOfLanes(di, bits0)));
  uint32_t zeros =
      static_cast<uint32_t>(hn::GetLane(hn::SumOfLanes(di, zeros0)));
  for (; i < count; ++i) {
    uint32_t b;
    memcpy(&b, x + i, sizeof b);
    b &= 0x7FFFFFFFu;
    if (b > bits) bits = b;
    zeros += b == 0;
    if (x[i] < min) min = x[i];
    if (x[i] > max) max = x[i];
  }
  // Not -0, whose order among zeros depends on that of the lanes.
  out->min = min == 0.0f ? 0.0f : min;
  out->max = max == 0.0f ? 0.0f : max;
  out->abs_bits = bits;
  out->zeros = zeros;
}

HWY_INLINE void SumPowers(const float* x, size_t count, double* out) {
  const LaneSums::DD dd;
  const hn::Rebind<float, LaneSums::DD> df;
  LaneSums s1, abs, s2, s3, s4;
  ForEachStep(x, count, [&](const float* p) HWY_ATTR {
    for (size_t k = 0; k < LaneSums::kCount; ++k) {
      const auto v =
          hn::PromoteTo(dd, hn::LoadU(df, p + k * LaneSums::kPerRegister));
      const auto v2 = hn::Mul(v, v);
      s1.Add(k, v);
      abs.Add(k, hn::Abs(v));
      s2.Add(k, v2);
      s3.Add(k, hn::Mul(v2, v));
      s4.Add(k, hn::Mul(v2, v2));
    }
  });
  out[0] = s1.Total();
  out[1] = abs.Total();
  out[2] = s2.Total();
  out[3] = s3.Total();
  out[4] = s4.Total();
}

void Summarize(const float* x, size_t count, bool moments, Summary* out) {
  *out = Summary();
  SummarizeRange(x, count, out);
  if (moments && out->finite()) SumPowers(x, count, out->sums);
}

void Columns(const float* HWY_RESTRICT row, size_t count,
             float* HWY_RESTRICT min, float* HWY_RESTRICT max,
             uint32_t* HWY_RESTRICT abs_bits, uint32_t* HWY_RESTRICT zeros) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::RebindToUnsigned<decltype(d)> du;
  const size_t N = hn::Lanes(d);
  const auto mask = hn::Set(di, 0x7FFFFFFF);
  size_t i = 0;
  for (; i + N <= count; i += N) {
    hwy::Prefetch(row + i + kAhead);
    const auto x = hn::LoadU(d, row + i);
    hn::StoreU(hn::Min(hn::LoadU(d, min + i), x), d, min + i);
    hn::StoreU(hn::Max(hn::LoadU(d, max + i), x), d, max + i);
    const auto abs = hn::And(hn::BitCast(di, x), mask);
    const auto bits = hn::BitCast(di, hn::LoadU(du, abs_bits + i));
    hn::StoreU(hn::BitCast(du, hn::Max(bits, abs)), du, abs_bits + i);
    const auto zero =
        hn::BitCast(du, hn::VecFromMask(di, hn::Eq(abs, hn::Zero(di))));
    hn::StoreU(hn::Sub(hn::LoadU(du, zeros + i), zero), du, zeros + i);
  }
  for (; i < count; ++i) {
    uint32_t bits;
    memcpy(&bits, row + i, sizeof bits);
    bits &= 0x7FFFFFFFu;
    if (row[i] < min[i]) min[i] = row[i];
    if (row[i] > max[i]) max[i] = row[i];
    if (bits > abs_bits[i]) abs_bits[i] = bits;
    zeros[i] += bits == 0;
  }
}

uint32_t Least(const float* HWY_RESTRICT x, size_t count) {
  const hn::ScalableTag<uint32_t> du;
  const hn::Rebind<float, decltype(du)> d;
  const size_t N = hn::Lanes(du);
  const auto mask = hn::Set(du, 0x7FFFFFFFu);
  const auto one = hn::Set(du, 1u);
  // 0 less 1 is the greatest of all.
  const auto bits = [&](const float* p) HWY_ATTR {
    return hn::Sub(hn::And(hn::BitCast(du, hn::LoadU(d, p)), mask), one);
  };
  auto least0 = hn::Set(du, UINT32_MAX), least1 = least0;
  size_t i = 0;
  for (; i + 2 * N <= count; i += 2 * N) {
    least0 = hn::Min(least0, bits(x + i));
    least1 = hn::Min(least1, bits(x + i + N));
  }
  HWY_ALIGN uint32_t lanes[HWY_MAX_BYTES / sizeof(uint32_t)];
  hn::Store(hn::Min(least0, least1), du, lanes);
  uint32_t least = UINT32_MAX;
  for (size_t k = 0; k < N; ++k) least = lanes[k] < least ? lanes[k] : least;
  for (; i < count; ++i) {
    uint32_t b;
    memcpy(&b, x + i, sizeof b);
    b = (b & 0x7FFFFFFFu) - 1;
    least = b < least ? b : least;
  }
  return least;
}

void ColumnsLeast(const float* HWY_RESTRICT row, size_t count,
                  uint32_t* HWY_RESTRICT least) {
  // The compiler's vectors are as good as ours here.
  for (size_t i = 0; i < count; ++i) {
    uint32_t b;
    memcpy(&b, row + i, sizeof b);
    b = (b & 0x7FFFFFFFu) - 1;
    least[i] = b < least[i] ? b : least[i];
  }
}

void Transpose(const float* HWY_RESTRICT from, size_t from_stride, size_t rows,
               size_t columns, float* HWY_RESTRICT to, size_t to_stride) {
  // Whole lines of the output at a time. The rows of the next block but one are
  // asked for meanwhile: they lie too far apart for the CPU to foresee.
  constexpr size_t kBlock = 16;
  for (size_t r = 0; r < rows; r += kBlock) {
    const size_t n = rows - r < kBlock ? rows - r : kBlock;
    const float* block = from + r * from_stride;
    for (size_t k = 0; k < n; ++k) {
      const float* ahead = block + (2 * kBlock + k) * from_stride;
      for (size_t c = 0; c < columns; c += 16) hwy::Prefetch(ahead + c);
    }
    if (n == kBlock) {
      for (size_t c = 0; c < columns; ++c) {
        float* out = to + c * to_stride + r;
        for (size_t k = 0; k < kBlock; ++k) out[k] = block[k * from_stride + c];
      }
    } else {
      for (size_t c = 0; c < columns; ++c) {
        float* out = to + c * to_stride + r;
        for (size_t k = 0; k < n; ++k) out[k] = block[k * from_stride + c];
      }
    }
  }
}

// Elements whose bins are found before they are counted: counting waits for its
// counters, and finding the bins need not.
constexpr size_t kBatch = 1024;
constexpr int32_t kMagicBits = 0x4B400000;  // of 1.5 * 2^23

// The bins of count <= kBatch values; may write kLanes entries behind them. The
// floor of a product with a power of 2 is exact; adding 1.5 * 2^23 to it leaves
// it in the low bits, whatever the rounding mode.
template <class BinsOf>
HWY_INLINE void ForEachVector(const float* HWY_RESTRICT x, size_t count,
                              const BinMap& map, uint16_t* HWY_RESTRICT bins,
                              const BinsOf& bins_of) {
  const hn::CappedTag<float, kLanes> d;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::Rebind<uint16_t, decltype(d)> d16;
  const size_t N = hn::Lanes(d);
  const auto inv_width = hn::Set(d, map.inv_width);
  const auto magic = hn::Set(d, 12582912.0f);
  const auto greatest = hn::Set(di, map.last);
  const auto step = [&](const float* from, uint16_t* to) HWY_ATTR {
    const auto v = hn::LoadU(d, from);
    const auto k = hn::Floor(hn::Mul(v, inv_width));
    const auto bin = bins_of(di, v, hn::BitCast(di, hn::Add(k, magic)));
    // Saturates at 0, too.
    hn::StoreU(hn::DemoteTo(d16, hn::Min(bin, greatest)), d16, to);
  };
  size_t i = 0;
  for (; i + N <= count; i += N) {
    hwy::Prefetch(x + i + kAhead);
    step(x + i, bins + i);
  }
  if (i < count) {
    HWY_ALIGN float last[kLanes] = {};
    memcpy(last, x + i, (count - i) * sizeof(float));
    step(last, bins + i);
  }
}

// kMagicBits + the bin of a wide grid: a product that is too small for a float
// became 0, but a value below 0 is below bin 0.
template <class DI, class VF>
HWY_INLINE hn::Vec<DI> BelowZero(DI di, VF v, hn::Vec<DI> bin) {
  const auto abs = hn::And(hn::BitCast(di, v), hn::Set(di, 0x7FFFFFFF));
  const auto negative = hn::And(hn::Lt(hn::BitCast(di, v), hn::Zero(di)),
                                hn::Gt(abs, hn::Zero(di)));
  return hn::IfThenElse(negative, hn::Min(bin, hn::Set(di, kMagicBits - 1)),
                        bin);
}

// Fine bins near 0. What decides is the bits, which no product has rounded.
template <class DI, class VF>
HWY_INLINE hn::Vec<DI> NearZero(DI di, VF v, hn::Vec<DI> magic_bin,
                                const BinMap& map) {
  const hn::RebindToUnsigned<DI> du;
  const auto bits = hn::BitCast(di, v);
  const auto abs = hn::And(bits, hn::Set(di, 0x7FFFFFFF));
  const auto sign = hn::BitCast(di, hn::ShiftRight<31>(hn::BitCast(du, bits)));
  const auto key = hn::ShiftRight<kFineShift>(hn::Sub(abs, sign));
  const auto fine =
      hn::Add(hn::Add(key, key),
              hn::Add(sign, hn::Set(di, map.zero + 1 - 2 * map.first_key)));
  const auto bin = hn::Sub(magic_bin, hn::Set(di, kMagicBits));
  const auto distance = hn::Xor(bin, hn::ShiftRight<31>(bin));
  const auto near =
      hn::IfThenElse(hn::Eq(abs, hn::Zero(di)), hn::Set(di, map.zero), fine);
  return hn::IfThenElse(hn::Lt(distance, hn::Set(di, kFineZone)), near,
                        hn::Sub(bin, hn::Set(di, map.base)));
}

HWY_INLINE void FindBins(const float* HWY_RESTRICT x, size_t count,
                         const BinMap& map, uint16_t* HWY_RESTRICT bins) {
  if (map.zero >= 0) {
    ForEachVector(x, count, map, bins,
                  [&map](auto di, auto v, auto bin)
                      HWY_ATTR { return NearZero(di, v, bin, map); });
  } else if (map.inv_width < 1.0f) {
    ForEachVector(x, count, map, bins,
                  [&map](auto di, auto v, auto bin) HWY_ATTR {
                    return hn::Sub(BelowZero(di, v, bin),
                                   hn::Set(di, kMagicBits + map.base));
                  });
  } else {
    ForEachVector(x, count, map, bins,
                  [&map](auto di, auto, auto bin) HWY_ATTR {
                    return hn::Sub(bin, hn::Set(di, kMagicBits + map.base));
                  });
  }
}

void Count(const float* x, size_t count, const BinMap& map, uint64_t* counts) {
  HWY_ALIGN uint16_t bins[kBatch + kLanes];
  for (size_t i = 0; i < count; i += kBatch) {
    const size_t n = count - i < kBatch ? count - i : kBatch;
    FindBins(x + i, n, map, bins);
    for (size_t k = 0; k < n; ++k) ++counts[bins[k]];
  }
}

// Counts the bins of kLanes values, or of fewer, in the sub-histograms by
// turns.
HWY_INLINE void CountStep(const uint16_t* HWY_RESTRICT bins, size_t n,
                          size_t stride, uint16_t* HWY_RESTRICT subs) {
  if (HWY_UNLIKELY(n < kLanes)) {
    for (size_t k = 0; k < n; ++k) ++subs[bins[k]];
    return;
  }
  uint16_t* const s1 = subs + stride;
  uint16_t* const s2 = s1 + stride;
  uint16_t* const s3 = s2 + stride;
  for (size_t k = 0; k < kLanes; k += kSubs) {
    // Which of the four counts where does not matter, nor the byte order.
    uint64_t four;
    memcpy(&four, bins + k, sizeof four);
    ++subs[four & 0xFFFF];
    ++s1[(four >> 16) & 0xFFFF];
    ++s2[(four >> 32) & 0xFFFF];
    ++s3[four >> 48];
  }
}

void Tally(const float* HWY_RESTRICT x, size_t count, const BinMap& map,
           size_t stride, uint16_t* HWY_RESTRICT subs) {
  HWY_ALIGN uint16_t bins[kBatch + kLanes];
  for (size_t i = 0; i < count; i += kBatch) {
    const size_t n = count - i < kBatch ? count - i : kBatch;
    FindBins(x + i, n, map, bins);
    for (size_t k = 0; k < n; k += kLanes) {
      CountStep(bins + k, n - k, stride, subs);
    }
  }
}

void Flush(size_t bins, size_t stride, uint16_t* HWY_RESTRICT subs,
           uint32_t* HWY_RESTRICT counts) {
  // The compiler's vectors are as good as ours here.
  uint16_t* HWY_RESTRICT s1 = subs + stride;
  uint16_t* HWY_RESTRICT s2 = s1 + stride;
  uint16_t* HWY_RESTRICT s3 = s2 + stride;
  for (size_t i = 0; i < bins; ++i) {
    counts[i] += uint32_t{subs[i]} + s1[i] + s2[i] + s3[i];
  }
  for (size_t s = 0; s < kSubs; ++s) {
    memset(subs + s * stride, 0, bins * sizeof(uint16_t));
  }
}

}  // namespace

const CalibrationKernels* GetCalibration() {
  static constexpr CalibrationKernels kKernels = {
      Summarize, Columns, Least, ColumnsLeast, Transpose, Count, Tally, Flush};
  return &kKernels;
}

}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bnq {

HWY_EXPORT(GetCalibration);

const CalibrationKernels& GetCalibrationKernels() {
  return *HWY_DYNAMIC_DISPATCH(GetCalibration)();
}

}  // namespace bnq
#endif  // HWY_ONCE
