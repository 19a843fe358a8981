#include "core/ops/depthwise.h"

#include <algorithm>
#include <cstring>

#include "core/base/checked.h"
#include "core/kernels/depthwise.h"
#include "core/kernels/elements.h"
#include "core/kernels/transpose.h"
#include "core/ops/outputs.h"
#include "core/parallel/runner.h"

namespace bnq {
namespace {

// Outputs of a task, and sums that stay in the first-level cache.
constexpr uint64_t kTaskOutputs = 32768, kSums = 4096;
// Rows of weights, and pixels that are transposed, of a task.
constexpr uint64_t kRows = 64, kPixels = 1024;

constexpr uint64_t RoundUp64(uint64_t n) { return DivCeil(n, 64) * 64; }
uint64_t Bytes(uint64_t count, uint64_t size) {
  return RoundUp64(CheckedMul(CheckedAdd(count, kTransposeReads, "channels"),
                              size, "size of the workspace"));
}

}  // namespace

bool Depthwise::Takes(const Linear& linear) {
  const IntegerWeights& weights = linear.integers();
  return weights.obstacle().empty() && weights.groups() == 1 &&
         !weights.has_offsets() && !linear.long_sums() &&
         linear.weight().outliers().count == 0;
}

Depthwise::Depthwise(const Linear& linear, const PatchGeometry& geometry)
    : linear_(linear), geometry_(geometry), outputs_(linear.outputs()) {
  const uint64_t outputs = std::max<uint64_t>(outputs_, 1);
  tile_ =
      std::min(std::max(kTaskOutputs / outputs, kTransposeReads), kMostPixels);
  step_ = std::min(std::max<uint64_t>(kSums / outputs, 1), tile_);
  const ConvolutionAxis& axis = geometry_.horizontal;
  inside_ = DivCeil(axis.pad_begin, axis.stride);
  inside_end_ = std::min(
      geometry_.out_width,
      ConvolutionAxis{axis.kernel, axis.stride, axis.dilation, axis.pad_begin}
          .Outputs(geometry_.width));
}

uint64_t Depthwise::WeightBytes() const {
  return Bytes(CheckedMul(outputs_, 2 * pairs(), "weights"), sizeof(int16_t)) +
         Bytes(outputs_, sizeof(int32_t)) + Bytes(outputs_, sizeof(float));
}

Depthwise::Places Depthwise::places() const {
  Places places;
  places.initial = 0;
  places.scales = Bytes(outputs_, sizeof(int32_t));
  places.zeros = places.scales + Bytes(outputs_, sizeof(float));
  places.codes = places.zeros + Bytes(geometry_.channels, 1);
  places.bytes = places.codes;
  if (!geometry_.channels_last) {
    places.bytes = CheckedAdd(
        places.bytes,
        CheckedAdd(
            Bytes(geometry_.channels, sizeof(void*)),
            Bytes(CheckedMul(geometry_.channels,
                             CheckedMul(geometry_.height, geometry_.width,
                                        "size of an image"),
                             "size of an image"),
                  1),
            "size of an image"),
        "size of an image");
  }
  return places;
}

uint64_t Depthwise::ImageBytes() const { return places().bytes; }

uint64_t Depthwise::TaskBytes(uint64_t output_size) const {
  const char* const what = "size of the workspace";
  uint64_t bytes =
      Bytes(CheckedMul(step_, outputs_, what), 2 * sizeof(int32_t));
  bytes = CheckedAdd(bytes, Bytes(2 * pairs(), sizeof(void*)), what);
  if (geometry_.channels_last) return bytes;
  return CheckedAdd(
      bytes, Bytes(CheckedMul(tile_, outputs_, what), output_size), what);
}

void Depthwise::PrepareWeights(const Context& context, uint8_t* memory) {
  weights_ = reinterpret_cast<int16_t*>(memory);
  memory += Bytes(outputs_ * 2 * pairs(), sizeof(int16_t));
  weight_sums_ = reinterpret_cast<int32_t*>(memory);
  scales_ = reinterpret_cast<float*>(memory + Bytes(outputs_, sizeof(int32_t)));
  const uint64_t weights = outputs_ * 2 * pairs();
  if (geometry_.taps() % 2 != 0) std::fill_n(weights_, weights, int16_t{0});
  ParallelFor(context, DivCeil(outputs_, kRows), [&](uint64_t task) {
    PrepareRows(task * kRows, std::min(outputs_, (task + 1) * kRows));
  });
}

void Depthwise::PrepareRows(uint64_t begin, uint64_t end) {
  constexpr uint64_t kColumns = 256;
  const IntegerWeights& weights = linear_.integers();
  const uint8_t flip = weights.codes().flip ? 0x80 : 0;
  uint8_t codes[kColumns + kPackSlack];
  float scales[kRows + kLanes];
  int8_t zero_points[kRows] = {};
  weights.ReadRows(begin, end - begin, scales, zero_points);
  for (uint64_t n = begin; n < end; ++n) {
    const int32_t zero = weights.zero() + zero_points[n - begin];
    const uint64_t channel = n / multiplier(), of_channel = n % multiplier();
    int32_t sum = 0;
    for (uint64_t at = 0; at < geometry_.taps(); at += kColumns) {
      const uint64_t stop = std::min(at + kColumns, geometry_.taps());
      weights.Unpack(n, 1, at, stop, 0, codes);
      for (uint64_t t = at; t < stop; ++t) {
        const int32_t weight = (codes[t - at] ^ flip) - zero;
        const uint64_t line = (of_channel * pairs() + t / 2);
        weights_[(line * geometry_.channels + channel) * 2 + t % 2] =
            static_cast<int16_t>(weight);
        sum += weight;
      }
    }
    weight_sums_[n] = sum;
    scales_[n] = scales[n - begin];
  }
}

void Depthwise::PrepareImage(const Context& context, const int8_t* codes,
                             float scale, int32_t zero, uint8_t* memory) const {
  const Places at = places();
  const uint64_t channels = geometry_.channels;
  // Sums of products with codes begin with what makes up for their zero point.
  int32_t* const initial = reinterpret_cast<int32_t*>(memory + at.initial);
  for (uint64_t n = 0; n < outputs_; ++n) {
    initial[n % multiplier() * channels + n / multiplier()] =
        -zero * weight_sums_[n];
  }
  Outputs(linear_, true, Matrix(), 0)
      .ScalesOfSums(scale, scales_, static_cast<size_t>(outputs_),
                    reinterpret_cast<float*>(memory + at.scales));
  std::memset(memory + at.zeros, zero, static_cast<size_t>(channels));
  if (geometry_.channels_last) return;
  const uint64_t pixels = geometry_.height * geometry_.width;
  const uint8_t** const rows =
      reinterpret_cast<const uint8_t**>(memory + at.codes);
  for (uint64_t c = 0; c < channels; ++c) {
    rows[c] = reinterpret_cast<const uint8_t*>(codes + c * pixels);
  }
  uint8_t* const to = memory + at.codes + Bytes(channels, sizeof(void*));
  ParallelFor(context, DivCeil(pixels, kPixels), [&](uint64_t task) {
    TransposeArgs args;
    args.rows = rows;
    args.num_rows = static_cast<size_t>(channels);
    args.first = static_cast<size_t>(task * kPixels);
    args.columns =
        static_cast<size_t>(std::min(kPixels, pixels - task * kPixels));
    args.out = to + task * kPixels * channels;
    args.out_stride = static_cast<size_t>(channels);
    Transpose(args);
  });
}

// Whether no weight is over padding above or below.
bool Depthwise::FindTaps(const int8_t* codes, const int8_t* zeros, uint64_t oy,
                         uint64_t ox, const int8_t** taps) const {
  const PatchGeometry& g = geometry_;
  bool inside = true;
  for (uint64_t ky = 0; ky < g.vertical.kernel; ++ky) {
    const uint64_t iy = g.vertical.InputOf(oy, ky);
    inside &= iy < g.height;
    for (uint64_t kx = 0; kx < g.horizontal.kernel; ++kx) {
      const uint64_t ix = g.horizontal.InputOf(ox, kx);
      *taps++ = iy < g.height && ix < g.width
                    ? codes + (iy * g.width + ix) * g.channels
                    : zeros;
    }
  }
  // Its weight is 0.
  if (g.taps() % 2 != 0) *taps = *(taps - 1);
  return inside;
}

void Depthwise::SumPixels(const int8_t* codes, const uint8_t* memory,
                          uint64_t pixel, uint64_t count, const int8_t** taps,
                          int32_t* part, int32_t* sums) const {
  const PatchGeometry& g = geometry_;
  const uint64_t several = multiplier();
  const Places at = places();
  const int32_t* const initial =
      reinterpret_cast<const int32_t*>(memory + at.initial);
  const int8_t* const zeros =
      reinterpret_cast<const int8_t*>(memory + at.zeros);
  DepthwiseArgs args;
  args.taps = taps;
  args.num_taps = static_cast<size_t>(2 * pairs());
  args.step = static_cast<size_t>(g.horizontal.stride * g.channels);
  args.channels = static_cast<size_t>(g.channels);
  uint64_t oy = pixel / g.out_width, ox = pixel % g.out_width;
  while (count != 0) {
    args.pixels = 1;
    if (FindTaps(codes, zeros, oy, ox, taps) && ox >= inside_ &&
        ox < inside_end_) {
      args.pixels = static_cast<size_t>(std::min(count, inside_end_ - ox));
    }
    const uint64_t outputs = args.pixels * g.channels;
    args.sums = several == 1 ? sums : part;
    for (uint64_t j = 0; j < several; ++j) {
      args.weights = weights_ + j * pairs() * g.channels * 2;
      args.initial = initial + j * g.channels;
      DepthwiseSums(args);
      if (several == 1) break;
      for (uint64_t i = 0; i < outputs; ++i) sums[i * several + j] = part[i];
    }
    sums += outputs * several;
    count -= args.pixels;
    ox += args.pixels;
    if (ox == g.out_width) {
      ox = 0;
      ++oy;
    }
  }
}

void Depthwise::Run(const int8_t* codes, const uint8_t* memory, uint64_t pixel,
                    uint64_t count, uint8_t* y, const Matrix& output,
                    uint8_t* scratch) const {
  const Places at = places();
  const size_t size = output.element_size();
  int32_t* const sums = reinterpret_cast<int32_t*>(scratch);
  int32_t* const part = sums + step_ * outputs_;
  scratch += Bytes(step_ * outputs_, 2 * sizeof(int32_t));
  const int8_t** const taps = reinterpret_cast<const int8_t**>(scratch);
  scratch += Bytes(2 * pairs(), sizeof(void*));
  Matrix out = output;
  out.rows = count;
  out.columns = outputs_;
  out.stride = outputs_ * size;
  out.data = geometry_.channels_last ? y + pixel * out.stride : scratch;
  if (!geometry_.channels_last) {
    codes = reinterpret_cast<const int8_t*>(
        memory + at.codes + Bytes(geometry_.channels, sizeof(void*)));
  }
  const Outputs outputs(linear_, true, out, 0);
  FinishArgs args;
  args.sums = sums;
  args.sums_stride = args.count = static_cast<size_t>(outputs_);
  args.scales = reinterpret_cast<const float*>(memory + at.scales);
  for (uint64_t p = 0; p < count; p += step_) {
    args.rows = static_cast<size_t>(std::min(step_, count - p));
    SumPixels(codes, memory, pixel + p, args.rows, taps, part, sums);
    outputs.Finish(p, 0, args);
  }
  if (geometry_.channels_last) return;
  StoreChannels(out, y + pixel * size, geometry_.pixels() * size);
}

}  // namespace bnq
