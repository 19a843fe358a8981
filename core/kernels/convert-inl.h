// float16 and bfloat16 to and from float32, by integer arithmetic: Highway
// 1.0.3 truncates where the CPU has no instruction for it, and the host's
// denormal mode must not change a result. Round to nearest even; NaN stays NaN
// (float16: sign | 0x7E00, bfloat16: top bits with the quiet bit set, as ggml).
// Included once per target.
#if defined(BNQ_CORE_KERNELS_CONVERT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BNQ_CORE_KERNELS_CONVERT_INL_H_
#undef BNQ_CORE_KERNELS_CONVERT_INL_H_
#else
#define BNQ_CORE_KERNELS_CONVERT_INL_H_
#endif

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/base/half.h"
#include "core/kernels/compat-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using DI = hn::RebindToSigned<hn::ScalableTag<float>>;
using VI = hn::Vec<DI>;

HWY_INLINE VI BitsFromF16(VI h) {
  const DI di;
  const hn::ScalableTag<float> d;
  const auto sign = hn::ShiftLeft<16>(hn::And(h, hn::Set(di, 0x8000)));
  const auto em = hn::And(h, hn::Set(di, 0x7FFF));
  const auto shifted = hn::ShiftLeft<13>(em);
  const auto normal = hn::Add(shifted, hn::Set(di, 112 << 23));
  const auto special = hn::Add(shifted, hn::Set(di, 224 << 23));
  const auto subnormal =
      hn::BitCast(di, hn::Mul(hn::ConvertTo(d, em), hn::Set(d, kLeastF16)));
  auto bits = hn::IfThenElse(hn::Lt(em, hn::Set(di, 0x400)), subnormal, normal);
  bits = hn::IfThenElse(hn::Lt(em, hn::Set(di, kInfinityF16)), bits, special);
  return hn::Or(bits, sign);
}

HWY_INLINE VI F16FromBits(VI bits) {
  const DI di;
  const hn::ScalableTag<float> d;
  const auto sign = hn::And(hn::ShiftRight<16>(bits), hn::Set(di, 0x8000));
  const auto a = hn::And(bits, hn::Set(di, 0x7FFFFFFF));
  const auto odd = hn::And(hn::ShiftRight<13>(a), hn::Set(di, 1));
  const auto normal = hn::ShiftRight<13>(
      hn::Add(hn::Add(a, odd), hn::Set(di, 0x0FFF - (112 << 23))));
  const auto subnormal = hn::NearestInt(
      hn::Mul(hn::BitCast(d, hn::Min(a, hn::Set(di, kLeastNormalF16))),
              hn::Set(d, 16777216.0f)));
  auto h = hn::IfThenElse(hn::Lt(a, hn::Set(di, kLeastNormalF16)), subnormal,
                          normal);
  h = hn::IfThenElse(hn::Lt(a, hn::Set(di, kOverflowsF16)), h,
                     hn::Set(di, kInfinityF16));
  h = hn::IfThenElse(hn::Gt(a, hn::Set(di, 0x7F800000)), hn::Set(di, kNaNF16),
                     h);
  return hn::Or(h, sign);
}

HWY_INLINE VI BitsFromBF16(VI b) { return hn::ShiftLeft<16>(b); }

HWY_INLINE VI BF16FromBits(VI bits) {
  const DI di;
  const hn::RebindToUnsigned<DI> du;
  const auto u = hn::BitCast(du, bits);
  const auto top = hn::ShiftRight<16>(u);
  const auto odd = hn::And(top, hn::Set(du, 1));
  const auto rounded =
      hn::ShiftRight<16>(hn::Add(hn::Add(u, odd), hn::Set(du, 0x7FFF)));
  const auto nan =
      hn::Gt(hn::And(bits, hn::Set(di, 0x7FFFFFFF)), hn::Set(di, 0x7F800000));
  return hn::IfThenElse(nan, hn::BitCast(di, hn::Or(top, hn::Set(du, 0x40))),
                        hn::BitCast(di, rounded));
}

// Applies f to count 16-bit words at `in` (unaligned), giving float bits. May
// write a vector behind them.
template <class F>
HWY_INLINE void Widen(const uint8_t* in, size_t count, float* out, F f) {
  const DI di;
  const hn::ScalableTag<float> d;
  const hn::RebindToUnsigned<DI> du;
  const hn::Rebind<uint16_t, DI> du16;
  const size_t N = hn::Lanes(di);
  size_t i = 0;
  if (reinterpret_cast<uintptr_t>(in) % sizeof(uint16_t) == 0) {
    const uint16_t* aligned = reinterpret_cast<const uint16_t*>(in);
    for (; i + N <= count; i += N) {
      const auto w = hn::PromoteTo(du, hn::LoadU(du16, aligned + i));
      hn::StoreU(hn::BitCast(d, f(hn::BitCast(di, w))), d, out + i);
    }
  }
  HWY_ALIGN uint16_t words[hn::MaxLanes(di)] = {};
  for (; i < count; i += N) {
    const size_t n = count - i < N ? count - i : N;
    memcpy(words, in + 2 * i, 2 * n);
    const auto w = hn::BitCast(di, hn::PromoteTo(du, hn::Load(du16, words)));
    hn::StoreU(hn::BitCast(d, f(w)), d, out + i);
  }
}

using DHalf = hn::Rebind<uint16_t, DI>;
using VHalf = hn::Vec<DHalf>;

// Applies f to the bits of count floats, of which whole vectors may be read.
template <class F>
HWY_INLINE void Narrow(const float* in, size_t count, uint16_t* out, F f) {
  const DI di;
  const hn::ScalableTag<float> d;
  const DHalf du16;
  const size_t N = hn::Lanes(di);
  size_t i = 0;
  for (; i + N <= count; i += N) {
    hn::StoreU(f(hn::BitCast(di, hn::LoadU(d, in + i))), du16, out + i);
  }
  if (i < count) {
    HWY_ALIGN float last[hn::MaxLanes(d)] = {};
    memcpy(last, in + i, (count - i) * sizeof(float));
    HWY_ALIGN uint16_t words[hn::MaxLanes(d)];
    hn::Store(f(hn::BitCast(di, hn::Load(d, last))), du16, words);
    memcpy(out + i, words, (count - i) * sizeof(uint16_t));
  }
}

// Where the CPU converts itself, it rounds as we do in every mode; but of a NaN
// it keeps more bits than we.
HWY_INLINE VHalf NarrowF16(VI bits) {
  const DHalf du16;
#if BNQ_AVX512
  const __m512 v = _mm512_castsi512_ps(bits.raw);
  if (HWY_LIKELY(_mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q) == 0)) {
    return VHalf{_mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT)};
  }
#elif BNQ_AVX2 && !defined(HWY_DISABLE_F16C)
  const __m256 v = _mm256_castsi256_ps(bits.raw);
  if (HWY_LIKELY(_mm256_movemask_ps(_mm256_cmp_ps(v, v, _CMP_UNORD_Q)) == 0)) {
    return VHalf{_mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT)};
  }
#endif
  return hn::DemoteTo(du16, F16FromBits(bits));
}
HWY_INLINE VHalf NarrowBF16(VI bits) {
  return hn::DemoteTo(DHalf(), BF16FromBits(bits));
}
HWY_INLINE VI WidenF16(VI words) {
#if BNQ_AVX512
  return VI{
      _mm512_castps_si512(_mm512_cvtph_ps(_mm512_cvtepi32_epi16(words.raw)))};
#else
  return BitsFromF16(words);
#endif
}

HWY_INLINE void F32FromF16(const uint8_t* in, size_t count, float* out) {
  Widen(in, count, out, [](VI w) HWY_ATTR { return WidenF16(w); });
}
HWY_INLINE void F32FromBF16(const uint8_t* in, size_t count, float* out) {
  Widen(in, count, out, [](VI w) HWY_ATTR { return BitsFromBF16(w); });
}
HWY_INLINE void F16FromF32(const float* in, size_t count, uint16_t* out) {
  Narrow(in, count, out, [](VI b) HWY_ATTR { return NarrowF16(b); });
}
HWY_INLINE void BF16FromF32(const float* in, size_t count, uint16_t* out) {
  Narrow(in, count, out, [](VI b) HWY_ATTR { return NarrowBF16(b); });
}

// Applies f as Narrow does; the greatest bit pattern of |x| among the floats.
template <class F>
HWY_INLINE uint32_t NarrowAndLook(const float* in, size_t count, uint16_t* out,
                                  F f) {
  const DI di;
  const auto mask = hn::Set(di, 0x7FFFFFFF);
  auto most = hn::Zero(di);
  Narrow(in, count, out, [&](VI bits) HWY_ATTR {
    most = hn::Max(most, hn::And(bits, mask));
    return f(bits);
  });
  return static_cast<uint32_t>(hn::GetLane(hn::MaxOfLanes(di, most)));
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#endif  // include guard
