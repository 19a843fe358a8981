// Functions of a vector of floats, by additions, multiplications and divisions
// that are not fused: the same bytes on every target. What they give for NaN
// is not defined; Map gives NaN. Included once per target.
#if defined(BNQ_CORE_KERNELS_FUNCTION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BNQ_CORE_KERNELS_FUNCTION_INL_H_
#undef BNQ_CORE_KERNELS_FUNCTION_INL_H_
#else
#define BNQ_CORE_KERNELS_FUNCTION_INL_H_
#endif

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/kernels/compat-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::ScalableTag<float>;
using DB = hn::RebindToSigned<DF>;
using VF = hn::Vec<DF>;
using VB = hn::Vec<DB>;

HWY_INLINE VF Number(float x) { return hn::Set(DF(), x); }

struct Powers {
  VF x1, x2, x4, x8;
};

// c[kBegin] + c[kBegin + 1] x + ..., kCount of them.
template <size_t kBegin, size_t kCount, size_t kAll>
HWY_INLINE VF Terms(const float (&c)[kAll], const Powers& x) {
  if constexpr (kCount == 1) {
    return Number(c[kBegin]);
  } else {
    constexpr size_t kHalf = kCount > 8   ? 8
                             : kCount > 4 ? 4
                             : kCount > 2 ? 2
                                          : 1;
    const VF power = kHalf == 8   ? x.x8
                     : kHalf == 4 ? x.x4
                     : kHalf == 2 ? x.x2
                                  : x.x1;
    return hn::Add(Terms<kBegin, kHalf>(c, x),
                   hn::Mul(Terms<kBegin + kHalf, kCount - kHalf>(c, x), power));
  }
}

// c[kBegin] + c[kBegin + 1] x + ... by Estrin's scheme: the greatest power of
// two below the number of terms, and what is left times that power of x, each
// likewise. Horner's rule would be too long a chain to have several at a time.
template <size_t kBegin, size_t kAll>
HWY_INLINE VF Estrin(const float (&c)[kAll], VF x) {
  const VF x2 = hn::Mul(x, x), x4 = hn::Mul(x2, x2);
  return Terms<kBegin, kAll - kBegin>(c, Powers{x, x2, x4, hn::Mul(x4, x4)});
}

// c[0] + x (c[1] + c[2] x + ...), of which the sum in parentheses matters less.
template <size_t kAll>
HWY_INLINE VF Polynomial(const float (&c)[kAll], VF x) {
  return hn::Add(Number(c[0]), hn::Mul(x, Estrin<1>(c, x)));
}

// e^v = (1 + p) 2^n.
struct Exponential {
  // One that the compiler makes itself has no target's instructions on Arm.
  HWY_ATTR Exponential() {}
  VF p;
  VF n;  // a whole number
};

// A sum with 1.5 * 2^23 is a whole number, which its low bits hold.
constexpr float kMagic = 12582912.0f;
constexpr float kLog2E = 1.44269504f;
// ln 2 = kLn2High - kLn2Low; n * kLn2High is exact.
constexpr float kLn2High = 0.693359375f;
constexpr float kLn2Low = 2.12194440e-4f;

// e^r - 1 for |r| <= ln 2 / 2, within 2^-30 of it: nearly a minimax polynomial,
// whose coefficients were rounded one after another.
HWY_INLINE VF Expm1OfSmall(VF r) {
  static constexpr float kC[] = {
      0.5f,           0x1.555554p-3f,  0x1.5554fp-5f,
      0x1.111308p-7f, 0x1.6d4388p-10f, 0x1.9e0812p-13f};
  return hn::Add(r, hn::Mul(hn::Mul(r, r), Estrin<0>(kC, r)));
}

// The n of v, |v| < 2^21.
HWY_INLINE Exponential NearestPower(VF v) {
  const VF magic = Number(kMagic);
  const VF sum = hn::Add(hn::Mul(v, Number(kLog2E)), magic);
  Exponential e;
  e.n = hn::Sub(sum, magic);
  return e;
}

// e^(v - less), where `less` is small beside 1.
HWY_INLINE Exponential Exp(VF v, VF less) {
  Exponential e = NearestPower(v);
  const VF low = hn::Add(hn::Sub(v, hn::Mul(e.n, Number(kLn2High))),
                         hn::Mul(e.n, Number(kLn2Low)));
  e.p = Expm1OfSmall(hn::Sub(low, less));
  return e;
}
HWY_INLINE Exponential Exp(VF v) {
  Exponential e = NearestPower(v);
  e.p = Expm1OfSmall(hn::Add(hn::Sub(v, hn::Mul(e.n, Number(kLn2High))),
                             hn::Mul(e.n, Number(kLn2Low))));
  return e;
}

// 2^n for whole n in -126 .. 127.
HWY_INLINE VF PowerOfTwo(VF n) {
  // The low bits of the sum are n + 127; the others are shifted out.
  const VF sum = hn::Add(n, Number(kMagic + 127.0f));
  return hn::BitCast(DF(), hn::ShiftLeft<23>(hn::BitCast(DB(), sum)));
}

// y * 2^n, rounded once, for n in -252 .. 0 and |y| of 2^-45 or more.
HWY_INLINE VF Scale(VF y, VF n) {
#if BNQ_AVX512
  return VF{_mm512_scalef_ps(y.raw, n.raw)};
#else
  // Only the second product can be subnormal.
  const VF magic = Number(kMagic);
  const VF half = hn::Sub(hn::Add(hn::Mul(n, Number(0.5f)), magic), magic);
  return hn::Mul(hn::Mul(y, PowerOfTwo(half)), PowerOfTwo(hn::Sub(n, half)));
#endif
}

// The same where mask is set, else y.
template <class M>
HWY_INLINE VF ScaleWhere(M mask, VF y, VF n) {
#if BNQ_AVX512
  return VF{_mm512_mask_scalef_ps(y.raw, mask.raw, y.raw, n.raw)};
#else
  return hn::IfThenElse(mask, Scale(y, n), y);
#endif
}

// top / (1 + e^v). For n > 0, top 2^-n / (2^-n + 1 + p), so that nothing
// overflows; 1 + 2^-|n| is exact where it matters.
HWY_INLINE VF OverOnePlus(VF top, const Exponential& e) {
  const VF n = hn::Neg(hn::Abs(e.n));
  const VF s = PowerOfTwo(hn::Max(n, Number(-126.0f)));
  const auto large = hn::Gt(e.n, hn::Zero(DF()));
  const VF rest = hn::IfThenElse(large, e.p, hn::Mul(s, e.p));
  const VF bottom = hn::Add(hn::Add(Number(1.0f), s), rest);
  return ScaleWhere(large, hn::Div(top, bottom), n);
}

HWY_INLINE VF Relu(VF x) {
  return hn::IfThenElseZero(hn::Gt(x, hn::Zero(DF())), x);
}
HWY_INLINE VF Relu6(VF x) { return hn::Min(Relu(x), Number(6.0f)); }
HWY_INLINE VF LeakyRelu(VF x, VF slope) {
  return hn::IfThenElse(hn::Lt(x, hn::Zero(DF())), hn::Mul(x, slope), x);
}
HWY_INLINE VF SquaredRelu(VF x) {
  const VF y = Relu(x);
  return hn::Mul(y, y);
}
// x (x + 3) / 6 within -3 .. 3: x + 3 is exact below -1.5, and x / 6 + 1/2
// loses less above it.
HWY_INLINE VF HardSwish(VF x) {
  const VF sixth = Number(1.0f / 6.0f);
  // -3 stands for what is below it: -infinity times 0 would be NaN.
  x = hn::Max(x, Number(-3.0f));
  const VF low = hn::Mul(hn::Add(x, Number(3.0f)), sixth);
  const VF high =
      hn::Min(hn::Add(hn::Mul(x, sixth), Number(0.5f)), Number(1.0f));
  return hn::Mul(x, hn::IfThenElse(hn::Lt(x, Number(-1.5f)), low, high));
}

HWY_INLINE VF Clamp(VF x, float limit) {
  return hn::Min(hn::Max(x, Number(-limit)), Number(limit));
}

// 1 / (1 + e^-x).
HWY_INLINE VF Sigmoid(VF x) {
  return OverOnePlus(Number(1.0f), Exp(hn::Neg(Clamp(x, 105.0f))));
}

// x / (1 + e^-x). Below -112 it is -0.
HWY_INLINE VF Silu(VF x) {
  return OverOnePlus(hn::Max(x, Number(-112.0f)),
                     Exp(hn::Neg(Clamp(x, 112.0f))));
}

// (1 - e^-2|x|) / (1 + e^-2|x|) with the sign of x.
HWY_INLINE VF Tanh(VF x) {
  const VF a = hn::Min(hn::Abs(x), Number(10.0f));
  const Exponential e = Exp(hn::Mul(a, Number(-2.0f)));
  const VF s = PowerOfTwo(e.n), sp = hn::Mul(s, e.p);
  const VF one = Number(1.0f);
  const VF minus = hn::Add(hn::Sub(s, one), sp);  // e^-2|x| - 1
  return hn::CopySign(hn::Div(minus, hn::Add(hn::Add(s, one), sp)), x);
}

// f of v in float64, rounded to float32; n goes with v.
template <class F>
HWY_INLINE VF InDoubles(VF v, VF n, F f) {
#if HWY_TARGET == HWY_SCALAR
  const hn::Rebind<double, DF> dd;
  return hn::DemoteTo(DF(), f(dd, hn::PromoteTo(dd, v), hn::PromoteTo(dd, n)));
#else
  const hn::Half<DF> dh;
  const hn::Rebind<double, decltype(dh)> dd;
  const auto half = [&](hn::Vec<decltype(dh)> x,
                        hn::Vec<decltype(dh)> k) HWY_ATTR {
    return hn::DemoteTo(dh, f(dd, hn::PromoteTo(dd, x), hn::PromoteTo(dd, k)));
  };
  return hn::Combine(DF(), half(hn::UpperHalf(dh, v), hn::UpperHalf(dh, n)),
                     half(hn::LowerHalf(dh, v), hn::LowerHalf(dh, n)));
#endif
}

// x / (1 + e^-v) with v = 2 sqrt(2 / pi) (x + 0.044715 x^3), as 1 + tanh(u) =
// 2 / (1 + e^-2u). v is large where e^v matters: what float32 would round off
// it would be many ulp of the result. Below -11 it is -0.
HWY_INLINE VF GeluTanh(VF x) {
  constexpr double kC1 = 1.5957691216057308, kC3 = 0.07135481627159985;
  const VF c = Clamp(x, 11.0f);
  const VF inner =
      hn::Add(hn::Mul(hn::Mul(c, c), Number(float(kC3))), Number(float(kC1)));
  Exponential e = NearestPower(hn::Neg(hn::Mul(c, inner)));
  e.p = Expm1OfSmall(InDoubles(c, e.n, [](auto d, auto v, auto n) HWY_ATTR {
    const auto square = hn::Mul(hn::Mul(v, v), hn::Set(d, -kC3));
    const auto exponent = hn::Mul(v, hn::Sub(square, hn::Set(d, kC1)));
    return hn::Sub(exponent, hn::Mul(n, hn::Set(d, 0.6931471805599453)));
  }));
  return OverOnePlus(hn::Max(x, Number(-11.0f)), e);
}

// x P(x), where P is the normal distribution's. Near 0, P = 1/2 + x C(x^2).
// Elsewhere, with a = |x|, P(-a) = e^(-a^2 / 2) Q((a - kPole) / (a + kPole)).
HWY_INLINE VF Gelu(VF x) {
  constexpr float kCenter = 0.7f, kPole = 4.875f;
  static constexpr float kC[] = {0x1.988454p-2f, -0x1.10585ep-4f,
                                 0x1.46d20cp-7f, -0x1.369bdcp-10f,
                                 0x1.bd0a0cp-14f};
  static constexpr float kQ[] = {
      0x1.42938ap-4f,   -0x1.2bd9f4p-3f, 0x1.e07124p-4f, -0x1.48f55cp-4f,
      0x1.7aa1d6p-5f,   -0x1.62ef34p-6f, 0x1.fc476cp-8f, -0x1.cff72ap-10f,
      -0x1.466b7ep-17f, 0x1.66a09ap-13f};
  // Below -15 the result is -0.
  x = hn::Max(x, Number(-15.0f));
  const VF a = hn::Min(hn::Abs(x), Number(15.0f));
  // a^2 = b^2 + rest, where b^2 is exact.
  const VF b =
      hn::BitCast(DF(), hn::And(hn::BitCast(DB(), a), hn::Set(DB(), -0x1000)));
  const VF rest = hn::Mul(hn::Sub(a, b), hn::Add(a, b));
  const VF half = Number(0.5f), one = Number(1.0f);
  const Exponential e =
      Exp(hn::Neg(hn::Mul(hn::Mul(b, b), half)), hn::Mul(rest, half));
  const VF pole = Number(kPole);
  const VF q = Polynomial(kQ, hn::Div(hn::Sub(a, pole), hn::Add(a, pole)));
  const VF tail = hn::Add(q, hn::Mul(q, e.p));  // P(-a) / 2^n
  const VF upper =
      hn::Sub(one, hn::Mul(tail, PowerOfTwo(hn::Max(e.n, Number(-126.0f)))));
  const auto negative = hn::Lt(x, hn::Zero(DF()));
  const VF outside = hn::Mul(x, hn::IfThenElse(negative, tail, upper));
  const VF center =
      hn::Mul(x, hn::Add(half, hn::Mul(x, Polynomial(kC, hn::Mul(x, x)))));
  return hn::IfThenElse(hn::Lt(a, Number(kCenter)), center,
                        ScaleWhere(negative, outside, e.n));
}

// y, or a quiet NaN of the same bits where x is NaN.
HWY_INLINE VF KeepNaN(VF x, VF y) {
  const VB bits = hn::BitCast(DB(), x);
  const VF quiet = hn::BitCast(DF(), hn::Or(bits, hn::Set(DB(), 0x00400000)));
  // Ne says on some targets that a NaN is not unlike itself.
  return hn::IfThenElse(hn::Eq(x, x), y, quiet);
}

// y[i] = f(x[i]); y may be x. What is missing of the last vector is `padding`.
// f is called in one place, so that the compiler has it there and not apart.
template <class F>
HWY_INLINE void Map(const float* x, size_t count, float padding, float* y,
                    F f) {
  const DF d;
  const size_t N = hn::Lanes(d);
  HWY_ALIGN float last[hn::MaxLanes(d)];
  for (size_t i = 0; i < count; i += N) {
    const float* from = x + i;
    float* to = y + i;
    const bool whole = i + N <= count;
    if (HWY_UNLIKELY(!whole)) {
      hn::Store(Number(padding), d, last);
      memcpy(last, from, (count - i) * sizeof(float));
      from = last;
      to = last;
    }
    hn::StoreU(f(hn::LoadU(d, from)), d, to);
    if (HWY_UNLIKELY(!whole)) {
      memcpy(y + i, last, (count - i) * sizeof(float));
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#endif  // include guard
