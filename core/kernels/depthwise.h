// Sums of products of codes for convolutions in which each channel is its own
// group: vectors go across channels, which lie together. By the best target of
// this CPU; sums are exact.
#ifndef BNQ_CORE_KERNELS_DEPTHWISE_H_
#define BNQ_CORE_KERNELS_DEPTHWISE_H_

#include <cstddef>
#include <cstdint>

namespace bnq {

struct DepthwiseArgs {
  // Of the first pixel and each of num_taps weights, an even number, the codes
  // that it is multiplied with, one for each channel; those of the next pixel
  // are `step` bytes further on.
  const int8_t* const* taps = nullptr;
  size_t num_taps = 0, pixels = 0, step = 0, channels = 0;
  // [num_taps / 2][channels][2], |weight| < 256.
  const int16_t* weights = nullptr;
  const int32_t* initial = nullptr;  // of each channel: what sums begin with
  int32_t* sums = nullptr;           // [pixels][channels]. Overwritten
};
void DepthwiseSums(const DepthwiseArgs& args);

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_DEPTHWISE_H_
