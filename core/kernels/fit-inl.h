// What codes make of values without codes in between: fake quantization, and
// how well parameters fit. Included once per target.
#if defined(BNQ_CORE_KERNELS_FIT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BNQ_CORE_KERNELS_FIT_INL_H_
#undef BNQ_CORE_KERNELS_FIT_INL_H_
#else
#define BNQ_CORE_KERNELS_FIT_INL_H_
#endif

#include <string.h>

#include "core/kernels/reduce-inl.h"
#include "core/kernels/runs-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

struct TripPart {
  size_t count;
  float scale, inverse, shift;
};

// Part p, which begins at element i. Not worth a copy for every encoder.
HWY_NOINLINE TripPart PartOf(const RoundTripArgs& args, size_t p, size_t i) {
  if (args.span == nullptr) {
    return {args.count, args.params.scale, InverseScale(args.params.scale),
            ShiftOf(args.rule, args.params)};
  }
  const RunPart part = args.span->At(p);
  if (args.prefetch) {
    PrefetchFloats(args.x + kAhead + kSpan / 2 + i / 2, part.count / 2);
  }
  return {part.count, args.scales[part.param], args.span->inverse[p],
          args.span->shift[p]};
}

template <class Codec>
void RoundTrip(const RoundTripArgs& args) {
  const DF d;
  const size_t N = hn::Lanes(d);
  // Read only where the rounding is stochastic.
  const uint32_t* const random =
      args.random != nullptr ? args.random
                             : reinterpret_cast<const uint32_t*>(args.x);
  typename Codec::template Decoder<DF> decoder(d, args.rule);
  WithEncoder<Codec, DF, 0>(args.rule, [&](auto* tag) HWY_ATTR {
    EncoderOf<decltype(tag)> encoder(d, args.rule);
    const auto value = [&](const float* x, size_t i) HWY_ATTR {
      return encoder.Value(d, hn::LoadU(d, x), random + i, decoder);
    };
    size_t i = 0;
    for (size_t p = 0; i < args.count; ++p) {
      const TripPart part = PartOf(args, p, i);
      const size_t end = i + part.count;
      encoder.Begin(d, hn::Set(d, part.inverse), hn::Set(d, part.shift));
      decoder.Begin(d, hn::Set(d, part.scale), hn::Set(d, part.shift));
      for (; i + N <= end; i += N) {
        hn::StoreU(value(args.x + i, i), d, args.out + i);
      }
      if (i < end) {
        HWY_ALIGN float last[hn::MaxLanes(d)] = {};
        const size_t bytes = (end - i) * sizeof(float);
        memcpy(last, args.x + i, bytes);
        hn::Store(value(last, i), d, last);
        memcpy(args.out + i, last, bytes);
        i = end;
      }
    }
  });
}

// Stochastic rounding is fitted as rounding to nearest, and the errors of ties
// are the same to either side.
HWY_INLINE CodeRule FittedRule(CodeRule rule) {
  if (rule.rounding == Rounding::kStochastic ||
      rule.rounding == Rounding::kHalfTowardZero) {
    rule.rounding = Rounding::kHalfEven;
  }
  return rule;
}

// A lane is a candidate: no sum goes across lanes, so none depends on their
// number.
template <class Codec, bool kWeighted>
void ErrorsOf(const ErrorsArgs& args) {
  using D = hn::CappedTag<float, kLanes>;
  using V = hn::Vec<D>;
  const D d;
  constexpr size_t kBlock = 256;
  const CodeRule rule = FittedRule(args.rule);
  typename Codec::template Decoder<D> decoder(d, rule);
  const auto with_encoder = [&](auto* tag) HWY_ATTR {
    EncoderOf<decltype(tag)> encoder(d, rule);
    for (size_t c = 0; c < args.candidates; c += hn::Lanes(d)) {
      const V scale = hn::LoadU(d, args.scales + c);
      const V shift = hn::LoadU(d, args.shifts + c);
      // As InverseScale.
      const V inverse = hn::IfThenZeroElse(hn::Eq(scale, hn::Zero(d)),
                                           hn::Div(hn::Set(d, 1.0f), scale));
      encoder.Begin(d, inverse, shift);
      decoder.Begin(d, scale, shift);
      const auto square = [&](size_t i) HWY_ATTR {
        const V x = hn::Set(d, args.x[i]);
        const V e = hn::Sub(x, encoder.Value(d, x, nullptr, decoder));
        const V squared = hn::Mul(e, e);
        if constexpr (!kWeighted) return squared;
        return hn::Mul(squared, hn::Set(d, args.weights[i]));
      };
      V total = hn::Zero(d);
      for (size_t begin = 0; begin < args.count; begin += kBlock) {
        const size_t n = begin + HWY_MIN(kBlock, args.count - begin);
        V sum0 = hn::Zero(d), sum1 = sum0, sum2 = sum0, sum3 = sum0;
        size_t i = begin;
        for (; i + 4 <= n; i += 4) {
          sum0 = hn::Add(sum0, square(i));
          sum1 = hn::Add(sum1, square(i + 1));
          sum2 = hn::Add(sum2, square(i + 2));
          sum3 = hn::Add(sum3, square(i + 3));
        }
        if (i < n) sum0 = hn::Add(sum0, square(i));
        if (i + 1 < n) sum1 = hn::Add(sum1, square(i + 1));
        if (i + 2 < n) sum2 = hn::Add(sum2, square(i + 2));
        total =
            hn::Add(total, hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3)));
      }
      HWY_ALIGN float sums[kLanes];
      hn::Store(total, d, sums);
      for (size_t k = 0; k < hn::Lanes(d); ++k) {
        args.errors[c + k] = static_cast<double>(sums[k]);
      }
    }
  };
  if constexpr (kWeighted) {
    // Rarer, so by the one encoder that does for all rules.
    with_encoder(
        static_cast<const typename Codec::template Encoder<D, Codec::kAny>*>(
            nullptr));
  } else {
    WithEncoder<Codec, D, 0, true>(rule, with_encoder);
  }
}

template <class Codec>
void Errors(const ErrorsArgs& args) {
  if (args.weights != nullptr) {
    ErrorsOf<Codec, true>(args);
  } else {
    ErrorsOf<Codec, false>(args);
  }
}

template <class Codec>
FitSums Fit(const FitArgs& args) {
  using Sums = LaneSumsOf<float>;
  using D = Sums::DT;
  using V = hn::Vec<D>;
  const D d;
  constexpr size_t kN = Sums::kPerRegister;
  Sums error, xq, qq, x1, q1, w1;
  const V unit = hn::Set(d, args.unit);
  const V shift = hn::Set(d, ShiftOf(args.rule, args.params));
  const CodeRule rule = FittedRule(args.rule);
  typename Codec::template Decoder<D> decoder(d, rule), steps(d, rule);
  decoder.Begin(d, hn::Set(d, args.params.scale), shift);
  steps.Begin(d, hn::Set(d, 1.0f), rule.offset ? hn::Zero(d) : shift);
  WithEncoder<Codec, D, Codec::kGeneral, true>(rule, [&](auto* tag) HWY_ATTR {
    EncoderOf<decltype(tag)> encoder(d, rule);
    encoder.Begin(d, hn::Set(d, InverseScale(args.params.scale)), shift);
    // `keep` of a register's lanes count.
    const auto add = [&](size_t k, const float* p, const float* weights,
                         auto keep) HWY_ATTR {
      const V x = hn::LoadU(d, p);
      const auto code = encoder(d, x, nullptr);
      const V w =
          keep(weights != nullptr ? hn::LoadU(d, weights) : hn::Set(d, 1.0f));
      const V u = hn::Mul(x, unit);
      const V e = hn::Mul(hn::Sub(x, decoder(d, code)), unit);
      const V q = steps(d, code);
      const V wq = hn::Mul(w, q);
      error.Add(k, hn::Mul(hn::Mul(e, e), w));
      xq.Add(k, hn::Mul(u, wq));
      qq.Add(k, hn::Mul(q, wq));
      x1.Add(k, hn::Mul(u, w));
      q1.Add(k, wq);
      w1.Add(k, w);
    };
    size_t i = 0;
    for (; i + kLanes <= args.count; i += kLanes) {
      for (size_t k = 0; k < Sums::kCount; ++k) {
        add(k, args.x + i + k * kN,
            args.weights != nullptr ? args.weights + i + k * kN : nullptr,
            [](V v) HWY_ATTR { return v; });
      }
    }
    if (i == args.count) return;
    HWY_ALIGN float last[kLanes] = {}, last_weights[kLanes] = {};
    const size_t bytes = (args.count - i) * sizeof(float);
    memcpy(last, args.x + i, bytes);
    if (args.weights != nullptr) memcpy(last_weights, args.weights + i, bytes);
    for (size_t k = 0; k < Sums::kCount && i + k * kN < args.count; ++k) {
      const auto mask = hn::FirstN(d, args.count - i - k * kN);
      add(k, last + k * kN,
          args.weights != nullptr ? last_weights + k * kN : nullptr,
          [&](V v) HWY_ATTR { return hn::IfThenElseZero(mask, v); });
    }
  });
  FitSums sums;
  sums.error = static_cast<double>(error.Total());
  sums.xq = static_cast<double>(xq.Total());
  sums.qq = static_cast<double>(qq.Total());
  sums.x = static_cast<double>(x1.Total());
  sums.q = static_cast<double>(q1.Total());
  sums.n = static_cast<double>(w1.Total());
  return sums;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#endif  // include guard
