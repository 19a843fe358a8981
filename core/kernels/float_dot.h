// Products of float32 rows in a fixed order, by the best target of this CPU
// and with the same bits on all of them: product k is added to lane k mod 16 by
// one fused multiply-add, in the order of k. Targets that have no such
// instruction compute what it does.
#ifndef BNQ_CORE_KERNELS_FLOAT_DOT_H_
#define BNQ_CORE_KERNELS_FLOAT_DOT_H_

#include <cstddef>
#include <cstdint>

namespace bnq {

constexpr size_t kFloatLanes = 16;

struct FloatDotArgs {
  const float* w = nullptr;  // rows w_stride floats apart
  size_t w_stride = 0, w_rows = 0;
  const float* x = nullptr;
  size_t x_stride = 0, x_rows = 0;
  size_t count = 0;  // a multiple of kFloatLanes
  // [x_rows][lanes_stride rows of w][kFloatLanes], added to.
  float* lanes = nullptr;
  size_t lanes_stride = 0;
};
void AddFloatDots(const FloatDotArgs& args);
// Asks for bytes that are read soon, which may be nobody's.
void PrefetchBytes(const uint8_t* data, size_t bytes);
// Lanes 0 + 8, 1 + 9, .. and so on by halves.
float SumOfFloatLanes(const float* lanes);

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_FLOAT_DOT_H_
