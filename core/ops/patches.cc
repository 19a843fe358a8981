#include "core/ops/patches.h"

#include <algorithm>
#include <cstring>

#include "core/base/checked.h"
#include "core/kernels/transpose.h"

namespace bnq {
namespace {

// Codes are bytes; floats of 0 are bytes of 0.
void FillZero(const PatchImage& image, uint8_t* to, uint64_t elements) {
  std::memset(to, image.element == 1 ? image.zero : 0,
              static_cast<size_t>(elements * image.element));
}

// With steps, each weight of a row has a line of its own.
template <class T>
void LayLine(const PatchGeometry& g, const T* from, T zero, T* to) {
  const ConvolutionAxis& axis = g.horizontal;
  if (axis.stride == 1) {
    to = std::fill_n(to, axis.pad_begin, zero);
    to = std::copy_n(from, g.width, to);
    std::fill_n(to, axis.pad_end, zero);
    return;
  }
  for (uint64_t kx = 0; kx < axis.kernel; ++kx) {
    for (uint64_t ox = 0; ox < g.out_width; ++ox) {
      const uint64_t ix = axis.InputOf(ox, kx);
      *to++ = ix < g.width ? from[ix] : zero;
    }
  }
}

// As memcpy, of a few vectors at most times without a call.
void Copy(const uint8_t* from, size_t bytes, uint8_t* to) {
  constexpr size_t kPiece = 32;
  if (bytes < kPiece) {
    std::memcpy(to, from, bytes);
    return;
  }
  size_t i = 0;
  for (; i + kPiece <= bytes; i += kPiece) {
    std::memcpy(to + i, from + i, kPiece);
  }
  // Over what is there already.
  if (i != bytes)
    std::memcpy(to + bytes - kPiece, from + bytes - kPiece, kPiece);
}

// The weights of a row, one after the other.
void CutTaps(const PatchGeometry& g, const PatchImage& image,
             const uint8_t* row, uint64_t ox, uint8_t* out) {
  const ConvolutionAxis& axis = g.horizontal;
  const size_t bytes = static_cast<size_t>(g.inputs * image.element);
  for (uint64_t kx = 0; kx < axis.kernel; ++kx, out += bytes) {
    const uint64_t ix = axis.InputOf(ox, kx);
    if (ix < g.width) {
      Copy(row + ix * g.channels * image.element, bytes, out);
    } else {
      FillZero(image, out, g.inputs);
    }
  }
}

// With channels last, of outputs [ox, ox + count) of a row.
void CutRun(const PatchGeometry& g, const PatchImage& image, uint64_t channel,
            uint64_t oy, uint64_t ox, uint64_t count, uint8_t* out,
            size_t stride) {
  const ConvolutionAxis& axis = g.horizontal;
  const uint64_t pixel = g.channels * image.element;
  const size_t bytes =
      static_cast<size_t>(axis.kernel * g.inputs * image.element);
  // Outputs whose weights lie side by side in the image.
  const bool side_by_side =
      g.inputs == g.channels && (axis.dilation == 1 || axis.kernel == 1);
  const uint64_t end = ox + count;
  uint64_t inside = side_by_side ? DivCeil(axis.pad_begin, axis.stride) : end;
  inside = std::min(std::max(inside, ox), end);
  ConvolutionAxis whole = axis;
  whole.pad_end = 0;
  const uint64_t inside_end =
      std::max(inside, std::min(end, whole.Outputs(g.width)));
  for (uint64_t ky = 0; ky < g.vertical.kernel; ++ky, out += bytes) {
    const uint64_t iy = g.vertical.InputOf(oy, ky);
    uint8_t* to = out;
    if (iy >= g.height) {
      for (uint64_t i = 0; i < count; ++i, to += stride) {
        FillZero(image, to, axis.kernel * g.inputs);
      }
      continue;
    }
    const uint8_t* const row =
        image.data + iy * g.width * pixel + channel * image.element;
    uint64_t i = ox;
    for (; i < inside; ++i, to += stride) CutTaps(g, image, row, i, to);
    for (; i < inside_end; ++i, to += stride) {
      Copy(row + axis.InputOf(i, 0) * pixel, bytes, to);
    }
    for (; i < end; ++i, to += stride) CutTaps(g, image, row, i, to);
  }
}

// Where the lines of a patch begin at the first pixel of a row.
void FindRows(const PatchGeometry& g, const PatchImage& image, uint64_t channel,
              uint64_t oy, const uint8_t** rows) {
  const ConvolutionAxis& axis = g.horizontal;
  const uint64_t line = g.line() * image.element;
  const uint64_t step =
      (axis.stride == 1 ? axis.dilation : g.out_width) * image.element;
  const uint8_t* const padding = image.lines + g.channels * g.height * line;
  for (uint64_t c = channel; c < channel + g.inputs; ++c) {
    const uint8_t* const first = image.lines + c * g.height * line;
    for (uint64_t ky = 0; ky < g.vertical.kernel; ++ky) {
      const uint64_t iy = g.vertical.InputOf(oy, ky);
      const uint8_t* from = iy < g.height ? first + iy * line : padding;
      for (uint64_t kx = 0; kx < axis.kernel; ++kx, from += step) {
        *rows++ = from;
      }
    }
  }
}

}  // namespace

uint64_t ConvolutionAxis::Outputs(uint64_t inputs) const {
  if (kernel == 0) return 0;
  const uint64_t padded = inputs + pad_begin + pad_end;
  const uint64_t reach = dilation * (kernel - 1) + 1;
  return padded < reach ? 0 : (padded - reach) / stride + 1;
}

void PatchGeometry::Flatten() {
  if (!vertical.is_point() || !horizontal.is_point()) return;
  width = out_width = pixels();
  height = out_height = std::min<uint64_t>(height, 1);
}

uint64_t PatchGeometry::line() const {
  return horizontal.stride == 1
             ? width + horizontal.pad_begin + horizontal.pad_end
             : horizontal.kernel * out_width;
}

uint64_t PatchGeometry::LineElements() const {
  const char* const what = "size of an image";
  const uint64_t elements =
      horizontal.stride == 1 ? line()
                             : CheckedMul(horizontal.kernel, out_width, what);
  return CheckedMul(CheckedAdd(CheckedMul(channels, height, what), 1, what),
                    elements, what);
}

void LayLines(const PatchGeometry& g, const PatchImage& image, uint64_t channel,
              const uint8_t* data) {
  const uint64_t line = g.line() * image.element;
  uint8_t* to = image.lines + channel * g.height * line;
  const uint8_t* from = data + channel * g.height * g.width * image.element;
  for (uint64_t y = 0; y < g.height; ++y) {
    if (image.element == 1) {
      LayLine(g, from, static_cast<uint8_t>(image.zero), to);
    } else {
      LayLine(g, reinterpret_cast<const float*>(from), 0.0f,
              reinterpret_cast<float*>(to));
    }
    to += line;
    from += g.width * image.element;
  }
}

void LayPadding(const PatchGeometry& g, const PatchImage& image) {
  const uint64_t line = g.line();
  FillZero(image, image.lines + g.channels * g.height * line * image.element,
           line);
}

void CutPatches(const PatchGeometry& g, const PatchImage& image,
                uint64_t channel, uint64_t pixel, uint64_t count,
                const uint8_t** rows, uint8_t* patches, size_t stride) {
  if (g.inputs * g.taps() == 0) return;
  uint64_t oy = pixel / g.out_width, ox = pixel % g.out_width;
  while (count != 0) {
    const uint64_t run = std::min(count, g.out_width - ox);
    if (g.channels_last) {
      CutRun(g, image, channel, oy, ox, run, patches, stride);
    } else {
      FindRows(g, image, channel, oy, rows);
      TransposeArgs args;
      args.rows = rows;
      args.num_rows = static_cast<size_t>(g.inputs * g.taps());
      args.first = static_cast<size_t>(ox);
      args.columns = static_cast<size_t>(run);
      args.element = image.element;
      args.out = patches;
      args.out_stride = stride;
      args.may_read = args.may_write = true;
      Transpose(args);
    }
    patches += run * stride;
    count -= run;
    ox = 0;
    ++oy;
  }
}

void StoreChannels(const Matrix& pixels, uint8_t* y, uint64_t stride) {
  const uint8_t* rows[kMostPixels];
  for (uint64_t p = 0; p < pixels.rows; ++p) rows[p] = pixels.row(p);
  TransposeArgs args;
  args.rows = rows;
  args.num_rows = static_cast<size_t>(pixels.rows);
  args.columns = static_cast<size_t>(pixels.columns);
  args.element = pixels.element_size();
  args.out = y;
  args.out_stride = static_cast<size_t>(stride);
  args.may_read = true;
  Transpose(args);
}

}  // namespace bnq
