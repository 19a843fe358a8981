#include "core/kernels/dot_finish.h"

// Nothing here gains from what AVX3_DL adds (core/flags.txt).
#undef BNQ_LEFT_OUT
#define BNQ_LEFT_OUT HWY_AVX3_DL
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/dot_finish.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "core/kernels/compat-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// sum of (u - z) * (q - x_zero) from the sum of u * q. What wraps on the way
// does not in the end.
HWY_INLINE int32_t Corrected(const DotZeros& zeros, size_t i, int32_t sum,
                             int32_t x_sum, int32_t columns) {
  const uint32_t z = static_cast<uint32_t>(
      zeros.zero + (zeros.zero_points != nullptr ? zeros.zero_points[i] : 0));
  uint32_t result =
      static_cast<uint32_t>(sum) - z * static_cast<uint32_t>(x_sum);
  if (zeros.x_zero != 0) {
    const uint32_t codes = static_cast<uint32_t>(zeros.code_sums[i]) -
                           z * static_cast<uint32_t>(columns);
    result -= static_cast<uint32_t>(zeros.x_zero) * codes;
  }
  return static_cast<int32_t>(result);
}

// Codes of y: clamped first, so that everything after it is exact.
struct ToCodes {
  ToCodes(int32_t zero_point, bool is_signed)
      : zero(zero_point),
        least(static_cast<float>((is_signed ? -128 : 0) - zero)),
        most(static_cast<float>((is_signed ? 127 : 255) - zero)) {}
#if HWY_TARGET != HWY_SCALAR
  template <class D>
  HWY_INLINE void Store(D d, hn::Vec<D> y, uint8_t* to) const {
    const hn::RebindToSigned<D> di;
    const auto clamped =
        hn::Min(hn::Max(y, hn::Set(d, least)), hn::Set(d, most));
    StoreLowBytes(hn::Add(NearestSmallInt(d, clamped), hn::Set(di, zero)), to);
  }
#endif
  HWY_INLINE uint8_t One(float y) const {
    const float low = y > least ? y : least;
    const float clamped = low < most ? low : most;
    const float shift = 12582912.0f;
    return static_cast<uint8_t>(
        static_cast<int32_t>((clamped + shift) - shift) + zero);
  }
  int32_t zero;
  float least, most;
};

#if HWY_TARGET != HWY_SCALAR
// As many outputs from i on as a vector has, of all rows. What wraps on the way
// does not in the end.
template <bool kCodes>
HWY_INLINE void FinishColumns(const FinishArgs& a, const ToCodes& to_codes,
                              size_t i) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::Rebind<int8_t, decltype(d)> d8;
  const auto scale = hn::LoadU(d, a.scales + i);
  const bool zero_points = a.zeros.zero_points != nullptr;
  auto z = hn::Set(di, a.zeros.zero);
  if (zero_points) {
    z = hn::Add(z, hn::PromoteTo(di, hn::LoadU(d8, a.zeros.zero_points + i)));
  }
  auto int_bias = hn::Zero(di);
  if (a.int_bias != nullptr) int_bias = hn::LoadU(di, a.int_bias + i);
  auto bias = hn::Zero(d);
  if (a.bias != nullptr) bias = hn::LoadU(d, a.bias + i);
  const int32_t* sums = a.sums + i;
  size_t at = i;
  for (size_t m = 0; m < a.rows; ++m) {
    auto sum = hn::Add(hn::LoadU(di, sums), int_bias);
    if (a.x_sums != nullptr) {
      sum = hn::Sub(sum, hn::Mul(z, hn::Set(di, a.x_sums[m])));
    }
    if (a.x_zeros != nullptr && a.x_zeros[m] != 0) {
      const auto codes = hn::Sub(hn::LoadU(di, a.zeros.code_sums + i),
                                 hn::Mul(z, hn::Set(di, a.columns)));
      sum = hn::Sub(sum, hn::Mul(hn::Set(di, a.x_zeros[m]), codes));
    }
    auto factor = scale;
    if (a.x_scales != nullptr) {
      factor = hn::Mul(hn::Set(d, a.x_scales[m]), scale);
    }
    auto y = hn::Mul(hn::ConvertTo(d, sum), factor);
    // Not of 0: -0 would become 0.
    if (a.bias != nullptr) y = hn::Add(y, bias);
    if (kCodes) {
      to_codes.Store(d, y, a.codes + at);
    } else {
      hn::StoreU(y, d, a.out + at);
    }
    sums += a.sums_stride;
    at += a.out_stride;
  }
}
#endif

template <bool kCodes>
void FinishOne(const FinishArgs& a, const ToCodes& to_codes, size_t i) {
  DotZeros zeros = a.zeros;
  for (size_t m = 0; m < a.rows; ++m) {
    zeros.x_zero = a.x_zeros != nullptr ? a.x_zeros[m] : 0;
    int32_t sum = Corrected(zeros, i, a.sums[m * a.sums_stride + i],
                            a.x_sums != nullptr ? a.x_sums[m] : 0, a.columns);
    if (a.int_bias != nullptr) {
      sum = static_cast<int32_t>(static_cast<uint32_t>(sum) +
                                 static_cast<uint32_t>(a.int_bias[i]));
    }
    const float scale =
        (a.x_scales != nullptr ? a.x_scales[m] : 1.0f) * a.scales[i];
    float y = static_cast<float>(sum) * scale;
    if (a.bias != nullptr) y = y + a.bias[i];
    if (kCodes) {
      a.codes[m * a.out_stride + i] = to_codes.One(y);
    } else {
      a.out[m * a.out_stride + i] = y;
    }
  }
}

// By value: what is stored cannot be part of it.
template <bool kCodes>
void Finish(const FinishArgs a) {
  const ToCodes to_codes(a.codes_zero, a.codes_signed);
  size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const size_t N = hn::Lanes(hn::ScalableTag<float>());
  for (; i + N <= a.count; i += N) FinishColumns<kCodes>(a, to_codes, i);
#endif
  for (; i < a.count; ++i) FinishOne<kCodes>(a, to_codes, i);
}

void Groups(const FinishGroupsArgs& a) {
  size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::CappedTag<double, kGroupLanes> d;
  const hn::Rebind<int32_t, decltype(d)> di;
  const hn::Rebind<float, decltype(d)> df;
  const size_t N = hn::Lanes(d);
  // Whole rounds of lanes, of whole groups, without the rarer corrections.
  if (a.zeros.x_zero == 0 && a.first % kGroupLanes == 0) {
    const auto of_all = hn::Set(di, a.zeros.zero);
    const size_t rounds = a.count / kGroupLanes * kGroupLanes;
    for (size_t l = 0; l < kGroupLanes; l += N) {
      auto lane = hn::LoadU(d, a.lanes + l);
      for (size_t g = l; g < rounds; g += kGroupLanes) {
        auto z = of_all;
        if (a.zeros.zero_points != nullptr) {
          // Lanes of four bytes each, whatever the vector is.
          HWY_ALIGN int32_t wide[kGroupLanes];
          for (size_t k = 0; k < N; ++k) wide[k] = a.zeros.zero_points[g + k];
          z = hn::Add(z, hn::Load(di, wide));
        }
        const auto x_sums = hn::LoadU(di, a.x_sums + g);
        const auto sum = hn::Sub(hn::LoadU(di, a.sums + g), hn::Mul(z, x_sums));
        lane = hn::Add(lane,
                       hn::Mul(hn::PromoteTo(d, sum),
                               hn::PromoteTo(d, hn::LoadU(df, a.scales + g))));
        if (a.offsets != nullptr) {
          lane = hn::Add(
              lane, hn::Mul(hn::PromoteTo(d, x_sums),
                            hn::PromoteTo(d, hn::LoadU(df, a.offsets + g))));
        }
      }
      hn::StoreU(lane, d, a.lanes + l);
    }
    i = rounds;
  }
#endif
  for (; i < a.count; ++i) {
    const size_t left = a.columns - i * a.group;
    const int32_t columns = static_cast<int32_t>(HWY_MIN(a.group, left));
    const int32_t sum = Corrected(a.zeros, i, a.sums[i], a.x_sums[i], columns);
    double& lane = a.lanes[(a.first + i) % kGroupLanes];
    lane = lane + static_cast<double>(sum) * static_cast<double>(a.scales[i]);
    if (a.offsets != nullptr) {
      const int32_t x_sum = a.x_sums[i] - a.zeros.x_zero * columns;
      lane =
          lane + static_cast<double>(x_sum) * static_cast<double>(a.offsets[i]);
    }
  }
}

void Panel(const FinishPanelArgs& a) {
  for (size_t m = 0; m < a.rows; ++m) {
    const int32_t* const sums = a.sums + m * kPanelRows;
    double* const lanes = a.lanes + m * a.lanes_stride;
    const int32_t x_sum = a.x_sums[m];
    const int32_t x_zero = a.x_zeros != nullptr ? a.x_zeros[m] : 0;
    const double of_x = static_cast<double>(x_sum - x_zero * a.columns);
    size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
    const hn::CappedTag<double, kPanelRows> d;
    const hn::Rebind<int32_t, decltype(d)> di;
    for (; i < kPanelRows; i += hn::Lanes(d)) {
      auto sum =
          hn::Sub(hn::LoadU(di, sums + i),
                  hn::Mul(hn::LoadU(di, a.zeros + i), hn::Set(di, x_sum)));
      if (x_zero != 0) {
        sum = hn::Sub(
            sum, hn::Mul(hn::LoadU(di, a.code_sums + i), hn::Set(di, x_zero)));
      }
      auto lane = hn::LoadU(d, lanes + i);
      lane = hn::Add(
          lane, hn::Mul(hn::PromoteTo(d, sum), hn::LoadU(d, a.scales + i)));
      if (a.offsets != nullptr) {
        lane = hn::Add(lane,
                       hn::Mul(hn::Set(d, of_x), hn::LoadU(d, a.offsets + i)));
      }
      hn::StoreU(lane, d, lanes + i);
    }
#endif
    for (; i < kPanelRows; ++i) {
      uint32_t sum =
          static_cast<uint32_t>(sums[i]) -
          static_cast<uint32_t>(a.zeros[i]) * static_cast<uint32_t>(x_sum);
      if (x_zero != 0) {
        sum -= static_cast<uint32_t>(x_zero) *
               static_cast<uint32_t>(a.code_sums[i]);
      }
      lanes[i] = lanes[i] +
                 static_cast<double>(static_cast<int32_t>(sum)) * a.scales[i];
      if (a.offsets != nullptr) lanes[i] = lanes[i] + of_x * a.offsets[i];
    }
  }
}

void PanelLanes(const double* lanes, float x_scale, const float* bias,
                size_t count, float* y) {
  const double scale = static_cast<double>(x_scale);
  alignas(64) double sums[kPanelRows];
  size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::CappedTag<double, kPanelRows> d;
  for (; i < kPanelRows; i += hn::Lanes(d)) {
    const auto lane = [&](size_t j) HWY_ATTR {
      return hn::LoadU(d, lanes + j * kPanelRows + i);
    };
    const auto even =
        hn::Add(hn::Add(lane(0), lane(4)), hn::Add(lane(2), lane(6)));
    const auto odd =
        hn::Add(hn::Add(lane(1), lane(5)), hn::Add(lane(3), lane(7)));
    hn::StoreU(hn::Mul(hn::Add(even, odd), hn::Set(d, scale)), d, sums + i);
  }
#endif
  for (; i < kPanelRows; ++i) {
    const double* const l = lanes + i;
    const double even =
        (l[0] + l[4 * kPanelRows]) + (l[2 * kPanelRows] + l[6 * kPanelRows]);
    const double odd = (l[kPanelRows] + l[5 * kPanelRows]) +
                       (l[3 * kPanelRows] + l[7 * kPanelRows]);
    sums[i] = (even + odd) * scale;
  }
  for (size_t k = 0; k < count; ++k) {
    y[k] = static_cast<float>(
        bias != nullptr ? sums[k] + static_cast<double>(bias[k]) : sums[k]);
  }
}

void Requantized(const float* v, size_t count, int32_t zero, bool is_signed,
                 uint8_t* out) {
  const ToCodes to_codes(zero, is_signed);
  size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<float> d;
  const size_t N = hn::Lanes(d);
  for (; i + N <= count; i += N) {
    to_codes.Store(d, hn::LoadU(d, v + i), out + i);
  }
#endif
  for (; i < count; ++i) out[i] = to_codes.One(v[i]);
}

}  // namespace

void FinishOfTarget(const FinishArgs& args) {
  if (args.codes != nullptr) return Finish<true>(args);
  Finish<false>(args);
}
void FinishGroupsOfTarget(const FinishGroupsArgs& args) { Groups(args); }
void FinishPanelLanesOfTarget(const double* lanes, float x_scale,
                              const float* bias, size_t count, float* y) {
  PanelLanes(lanes, x_scale, bias, count, y);
}
void FinishPanelOfTarget(const FinishPanelArgs& args) { Panel(args); }
void RequantizedOfTarget(const float* v, size_t count, int32_t zero,
                         bool is_signed, uint8_t* out) {
  Requantized(v, count, zero, is_signed, out);
}

}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bnq {

HWY_EXPORT(FinishOfTarget);
HWY_EXPORT(FinishGroupsOfTarget);
HWY_EXPORT(FinishPanelLanesOfTarget);
HWY_EXPORT(FinishPanelOfTarget);
HWY_EXPORT(RequantizedOfTarget);

void FinishSums(const FinishArgs& args) {
  HWY_DYNAMIC_DISPATCH(FinishOfTarget)(args);
}
void FinishGroups(const FinishGroupsArgs& args) {
  HWY_DYNAMIC_DISPATCH(FinishGroupsOfTarget)(args);
}
void FinishPanel(const FinishPanelArgs& args) {
  HWY_DYNAMIC_DISPATCH(FinishPanelOfTarget)(args);
}
void FinishPanelLanes(const double* lanes, float x_scale, const float* bias,
                      size_t count, float* y) {
  HWY_DYNAMIC_DISPATCH(FinishPanelLanesOfTarget)
  (lanes, x_scale, bias, count, y);
}
double SumOfGroupLanes(const double* lanes) {
  double sum[kGroupLanes];
  for (size_t i = 0; i < kGroupLanes; ++i) sum[i] = lanes[i];
  for (size_t half = kGroupLanes / 2; half != 0; half /= 2) {
    for (size_t i = 0; i < half; ++i) sum[i] = sum[i] + sum[i + half];
  }
  return sum[0];
}
void StoreRequantized(const float* v, size_t count, int32_t zero,
                      bool is_signed, uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(RequantizedOfTarget)(v, count, zero, is_signed, out);
}

}  // namespace bnq
#endif  // HWY_ONCE
