#include "core/kernels/float_dot.h"

#include <cmath>

#include "hwy/cache_control.h"

// Nothing here gains from what AVX3_DL adds (core/flags.txt).
#undef BNQ_LEFT_OUT
#define BNQ_LEFT_OUT HWY_AVX3_DL
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/float_dot.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_NATIVE_FMA && HWY_TARGET != HWY_SCALAR
using D = hn::CappedTag<float, kFloatLanes>;
constexpr size_t kVectors = kFloatLanes / hn::MaxLanes(D());

// kX rows of x with kW rows of w; one vector of the lanes at a time.
template <size_t kX, size_t kW>
HWY_INLINE void Tile(const FloatDotArgs& a, size_t m, size_t n) {
  const D d;
  const size_t N = hn::Lanes(d);
  for (size_t v = 0; v < kVectors; ++v) {
    hn::Vec<D> sums[kX][kW];
    float* const lanes =
        a.lanes + (m * a.lanes_stride + n) * kFloatLanes + v * N;
    const size_t next = a.lanes_stride * kFloatLanes;
    for (size_t i = 0; i < kX; ++i) {
      for (size_t j = 0; j < kW; ++j) {
        sums[i][j] = hn::LoadU(d, lanes + i * next + j * kFloatLanes);
      }
    }
    const float* const x = a.x + m * a.x_stride + v * N;
    const float* const w = a.w + n * a.w_stride + v * N;
    for (size_t k = 0; k < a.count; k += kFloatLanes) {
      hn::Vec<D> of_w[kW];
      for (size_t j = 0; j < kW; ++j) {
        of_w[j] = hn::LoadU(d, w + j * a.w_stride + k);
      }
      for (size_t i = 0; i < kX; ++i) {
        const auto of_x = hn::LoadU(d, x + i * a.x_stride + k);
        for (size_t j = 0; j < kW; ++j) {
          sums[i][j] = hn::MulAdd(of_x, of_w[j], sums[i][j]);
        }
      }
    }
    for (size_t i = 0; i < kX; ++i) {
      for (size_t j = 0; j < kW; ++j) {
        hn::StoreU(sums[i][j], d, lanes + i * next + j * kFloatLanes);
      }
    }
  }
}

// Rows of x that stay in the first-level cache with all rows of w.
template <size_t kX>
HWY_INLINE void Rows(const FloatDotArgs& a, size_t m) {
  size_t n = 0;
  for (; n + 4 <= a.w_rows; n += 4) Tile<kX, 4>(a, m, n);
  for (; n < a.w_rows; ++n) Tile<kX, 1>(a, m, n);
}

void Dots(const FloatDotArgs& a) {
  // As many sums as there are registers for them.
  constexpr size_t kX = hn::MaxLanes(D()) == 16 ? 6 : 3;
  size_t m = 0;
  for (; m + kX <= a.x_rows; m += kX) Rows<kX>(a, m);
  for (; m < a.x_rows; ++m) Rows<1>(a, m);
}
#else
void Dots(const FloatDotArgs& a) {
  for (size_t m = 0; m < a.x_rows; ++m) {
    for (size_t n = 0; n < a.w_rows; ++n) {
      float* const lanes = a.lanes + (m * a.lanes_stride + n) * kFloatLanes;
      for (size_t k = 0; k < a.count; ++k) {
        float& lane = lanes[k % kFloatLanes];
        lane = std::fma(a.x[m * a.x_stride + k], a.w[n * a.w_stride + k], lane);
      }
    }
  }
}
#endif

}  // namespace

void FloatDotsOfTarget(const FloatDotArgs& args) { Dots(args); }

}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bnq {

HWY_EXPORT(FloatDotsOfTarget);

void AddFloatDots(const FloatDotArgs& args) {
  HWY_DYNAMIC_DISPATCH(FloatDotsOfTarget)(args);
}

void PrefetchBytes(const uint8_t* data, size_t bytes) {
  constexpr size_t kLine = 64;
  for (size_t at = 0; at < bytes; at += kLine) hwy::Prefetch(data + at);
}

float SumOfFloatLanes(const float* lanes) {
  float sum[kFloatLanes];
  for (size_t i = 0; i < kFloatLanes; ++i) sum[i] = lanes[i];
  for (size_t half = kFloatLanes / 2; half != 0; half /= 2) {
    for (size_t i = 0; i < half; ++i) sum[i] = sum[i] + sum[i + half];
  }
  return sum[0];
}

}  // namespace bnq
#endif  // HWY_ONCE
