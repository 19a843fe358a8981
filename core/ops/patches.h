// Patches of images: the inputs under a convolution's kernel, for each output
// pixel. README.md says how.
#ifndef BNQ_CORE_OPS_PATCHES_H_
#define BNQ_CORE_OPS_PATCHES_H_

#include <cstddef>
#include <cstdint>

#include "core/ops/matrix.h"

namespace bnq {

// Along one dimension.
struct ConvolutionAxis {
  uint64_t kernel = 1, stride = 1, dilation = 1, pad_begin = 0, pad_end = 0;

  // Outputs of so many inputs; 0 where the kernel does not fit. 64 bits hold
  // it for inputs below 2^62.
  uint64_t Outputs(uint64_t inputs) const;
  // The input of an output and a weight; huge where it is padding.
  uint64_t InputOf(uint64_t output, uint64_t weight) const {
    return output * stride + weight * dilation - pad_begin;
  }
  bool is_point() const {
    return kernel == 1 && stride == 1 && pad_begin == 0 && pad_end == 0;
  }
};

// What images and patches measure, in elements.
struct PatchGeometry {
  ConvolutionAxis vertical, horizontal;
  uint64_t height = 0, width = 0, channels = 0;  // of an image
  uint64_t out_height = 0, out_width = 0;
  uint64_t inputs = 0;  // channels of a patch: of a group
  bool channels_last = false;

  // 1 x 1: one row of pixels, which patches then are.
  void Flatten();
  uint64_t taps() const { return vertical.kernel * horizontal.kernel; }
  uint64_t pixels() const { return out_height * out_width; }
  // Images with channels first are laid in lines: a row of a channel as the
  // weights of a row meet it, with its padding. Elements of a line.
  uint64_t line() const;
  // Lines of all rows and one of padding. INVALID_ARGUMENT.
  uint64_t LineElements() const;
};

// An image of int8 codes, or of floats.
struct PatchImage {
  const uint8_t* data = nullptr;  // where channels are last
  uint8_t* lines = nullptr;       // else; kTransposeReads behind it may be read
  size_t element = 1;
  int8_t zero = 0;  // the code that stands for 0
};

// Lines of a channel, from its rows at `data`; and the one of padding.
void LayLines(const PatchGeometry& geometry, const PatchImage& image,
              uint64_t channel, const uint8_t* data);
void LayPadding(const PatchGeometry& geometry, const PatchImage& image);

// The patches of a group's channels from `channel` on, of pixels [pixel, pixel
// + count), `stride` bytes apart; kTransposeWrites behind each may be written.
// `rows` has room for a pointer for each element of a patch.
void CutPatches(const PatchGeometry& geometry, const PatchImage& image,
                uint64_t channel, uint64_t pixel, uint64_t count,
                const uint8_t** rows, uint8_t* patches, size_t stride);

// Rows of pixels, at most kMostPixels, to channels: column c goes to y + c *
// stride.
constexpr uint64_t kMostPixels = 252;
void StoreChannels(const Matrix& pixels, uint8_t* y, uint64_t stride);

}  // namespace bnq

#endif  // BNQ_CORE_OPS_PATCHES_H_
