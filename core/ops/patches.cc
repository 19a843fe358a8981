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

// Of the weights of a row, `from` and `to` those inside the image.
void CutRow(const PatchGeometry& g, const PatchImage& image, uint64_t channel,
            uint64_t iy, uint64_t ox, uint8_t* out) {
  const ConvolutionAxis& axis = g.horizontal;
  const uint64_t all = g.inputs * image.element;
  const uint64_t pixel = g.channels * image.element;
  if (iy >= g.height) return FillZero(image, out, axis.kernel * g.inputs);
  const uint8_t* const row =
      image.data + iy * g.width * pixel + channel * image.element;
  const uint64_t left = axis.InputOf(ox, 0);
  if (axis.dilation == 1 && g.inputs == g.channels &&
      left + axis.kernel <= g.width && left < g.width) {
    std::memcpy(out, row + left * pixel,
                static_cast<size_t>(axis.kernel * all));
    return;
  }
  for (uint64_t kx = 0; kx < axis.kernel; ++kx, out += all) {
    const uint64_t ix = axis.InputOf(ox, kx);
    if (ix < g.width) {
      std::memcpy(out, row + ix * pixel, static_cast<size_t>(all));
    } else {
      FillZero(image, out, g.inputs);
    }
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
  uint64_t oy = pixel / g.out_width, ox = pixel % g.out_width;
  while (count != 0) {
    const uint64_t run = std::min(count, g.out_width - ox);
    if (g.channels_last) {
      const uint64_t bytes = g.horizontal.kernel * g.inputs * image.element;
      for (uint64_t i = 0; i < run; ++i) {
        for (uint64_t ky = 0; ky < g.vertical.kernel; ++ky) {
          CutRow(g, image, channel, g.vertical.InputOf(oy, ky), ox + i,
                 patches + i * stride + ky * bytes);
        }
      }
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
