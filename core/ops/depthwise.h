// Convolutions in which each channel is its own group, of integers: directly,
// channels side by side. README.md says how.
#ifndef BNQ_CORE_OPS_DEPTHWISE_H_
#define BNQ_CORE_OPS_DEPTHWISE_H_

#include <cstdint>

#include "core/base/context.h"
#include "core/ops/linear.h"
#include "core/ops/matrix.h"
#include "core/ops/patches.h"

namespace bnq {

// A run of one: what is made of the weights for it, in memory of the caller's.
class Depthwise {
 public:
  // Whether a layer's weights, with a row for each output, may go this way.
  static bool Takes(const Linear& linear);

  // Of images of int8. The layer must live as long.
  Depthwise(const Linear& linear, const PatchGeometry& geometry);

  // Output pixels of a task.
  uint64_t tile() const { return tile_; }
  // Of the weights, of each image, of each task at work; multiples of 64.
  uint64_t WeightBytes() const;
  uint64_t ImageBytes() const;
  uint64_t TaskBytes(uint64_t output_size) const;

  // Tasks that must be over before any of the others, in this order.
  void PrepareWeights(const Context& context, uint8_t* memory);
  // Codes of an image, which its memory keeps where channels are first: as if
  // they were last.
  void PrepareImage(const Context& context, const int8_t* codes, float scale,
                    int32_t zero, uint8_t* memory) const;

  // Pixels [pixel, pixel + count) of an image: its codes, and the image of y.
  void Run(const int8_t* codes, const uint8_t* memory, uint64_t pixel,
           uint64_t count, uint8_t* y, const Matrix& output,
           uint8_t* scratch) const;

 private:
  // In an image's memory.
  struct Places {
    uint64_t initial, scales, zeros, codes, bytes;
  };
  Places places() const;
  void PrepareRows(uint64_t begin, uint64_t end);
  bool FindTaps(const int8_t* codes, const int8_t* zeros, uint64_t oy,
                uint64_t ox, const int8_t** taps) const;
  void SumPixels(const int8_t* codes, const uint8_t* memory, uint64_t pixel,
                 uint64_t count, const int8_t** taps, int32_t* part,
                 int32_t* sums) const;
  uint64_t pairs() const { return (geometry_.taps() + 1) / 2; }
  // Channels of the output of each channel.
  uint64_t multiplier() const { return outputs_ / geometry_.channels; }

  const Linear& linear_;
  const PatchGeometry geometry_;
  const uint64_t outputs_;
  uint64_t tile_ = 0, step_ = 0;          // pixels of a task, of sums at a time
  uint64_t inside_ = 0, inside_end_ = 0;  // outputs of a row without padding
  // Weights [multiplier][pairs][channels][2], and of each output in its own
  // order the sum of its weights and its scale.
  int16_t* weights_ = nullptr;
  int32_t* weight_sums_ = nullptr;
  float* scales_ = nullptr;
};

}  // namespace bnq

#endif  // BNQ_CORE_OPS_DEPTHWISE_H_
