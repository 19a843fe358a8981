#include "core/ops/convolution.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/kernels/dot.h"
#include "core/parallel/runner.h"
#include "core/tensor/quantize.h"
#include "tests/support/guarded.h"
#include "tests/support/linear_reference.h"
#include "tests/support/targets.h"

namespace bnq {
namespace {

using bnq_test::LinearReference;
using bnq_test::RowOfInputs;

std::vector<float> Normal(size_t count, uint32_t seed) {
  std::mt19937 bits(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(count);
  for (float& v : x) v = normal(bits);
  return x;
}

ArrayView ViewOf(const std::vector<float>& x,
                 std::initializer_list<uint64_t> dims) {
  ArrayView view;
  view.data = reinterpret_cast<const uint8_t*>(x.data());
  for (uint64_t dim : dims) view.shape.dims[view.shape.rank++] = dim;
  return view;
}

struct Case {
  uint64_t items, channels, height, width, outputs, groups, kernel_h, kernel_w;
  uint64_t stride_h, stride_w, top, left, bottom, right, dilation_h, dilation_w;
};
constexpr Case kCases[] = {
    {2, 8, 9, 7, 6, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 4, 17, 23, 33, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 6, 8, 9, 4, 2, 3, 2, 2, 1, 0, 1, 2, 0, 1, 2},
    {1, 5, 6, 6, 5, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 3, 4, 5, 7, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1},
    {1, 3, 2, 2, 7, 1, 3, 3, 1, 1, 0, 0, 0, 0, 1, 1},
    {1, 2, 3, 3, 4, 2, 3, 3, 3, 3, 5, 4, 3, 2, 2, 2},
    {0, 3, 4, 5, 7, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1},
    {3, 4, 1, 20, 6, 1, 1, 5, 1, 2, 0, 2, 0, 2, 1, 2},
    // Several tiles, whose last row of pixels is cut; all of one row.
    {1, 8, 17, 31, 16, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 64, 7, 49, 9, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1},
    // Outputs that are cut, since tiles are few.
    {1, 5, 3, 3, 300, 1, 2, 2, 1, 1, 0, 0, 0, 0, 1, 1},
    // Steps and weights apart, of which some are padding.
    {1, 3, 9, 13, 5, 1, 3, 4, 2, 3, 3, 5, 2, 4, 2, 2},
    // Channels of their own, with one output and more.
    {2, 40, 6, 9, 40, 40, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 20, 7, 6, 60, 20, 3, 2, 2, 1, 0, 1, 2, 0, 1, 2},
    {1, 17, 5, 33, 17, 17, 4, 4, 3, 2, 4, 3, 5, 2, 1, 3},
    {1, 16, 1, 300, 16, 16, 1, 5, 1, 1, 0, 4, 0, 0, 1, 1},
    {2, 19, 4, 4, 19, 19, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1},
    {1, 2, 5, 5, 8, 2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
};

OperatorOptions OptionsOf(const Case& c, const char* input,
                          const char* layout) {
  OperatorOptions options;
  const std::pair<const char*, uint64_t> numbers[] = {
      {"stride_height", c.stride_h},
      {"stride_width", c.stride_w},
      {"pad_top", c.top},
      {"pad_left", c.left},
      {"pad_bottom", c.bottom},
      {"pad_right", c.right},
      {"dilation_height", c.dilation_h},
      {"dilation_width", c.dilation_w},
      {"groups", c.groups}};
  for (const auto& number : numbers) {
    options.SetText(number.first, std::to_string(number.second));
  }
  options.SetText("input", input);
  options.SetText("layout", layout);
  return options;
}

// Images as they are given: floats, or codes with scales and zero points.
struct Images {
  std::vector<float> floats;
  std::vector<uint8_t> bytes;
  std::vector<float> scales;
  std::vector<int32_t> zeros;
  DType dtype = DType::kF32;

  const uint8_t* data() const {
    return dtype == DType::kF32 ? reinterpret_cast<const uint8_t*>(&floats[0])
                                : bytes.data();
  }
  size_t element() const { return dtype == DType::kF32 ? 4 : 1; }
};

Images ImagesOf(const Case& c, const std::string& mode) {
  Images x;
  x.floats = Normal(c.items * c.channels * c.height * c.width + 1, 2);
  if (mode != "i8" && mode != "u8") return x;
  x.dtype = mode == "i8" ? DType::kI8 : DType::kU8;
  for (const float v : x.floats) {
    x.bytes.push_back(static_cast<uint8_t>(static_cast<int>(v * 60.0f)));
  }
  // Of no images, too, they are there.
  for (uint64_t i = 0; i <= c.items; ++i) {
    x.scales.push_back(0.25f + static_cast<float>(i));
    x.zeros.push_back(mode == "i8" ? 5 - static_cast<int32_t>(i) : 200);
  }
  return x;
}

// An image's codes, or its floats.
RowOfInputs ImageOf(const Images& x, uint64_t item, uint64_t size,
                    const std::string& mode) {
  RowOfInputs image;
  image.floats.assign(x.floats.begin() + item * size,
                      x.floats.begin() + (item + 1) * size);
  if (mode == "float" || size == 0) return image;
  if (x.dtype != DType::kF32) {
    const int32_t offset = x.dtype == DType::kU8 ? 128 : 0;
    for (uint64_t i = 0; i < size; ++i) {
      image.codes.push_back(
          static_cast<int8_t>(x.bytes[item * size + i] ^ offset));
    }
    image.scale = x.scales[item];
    image.zero = x.zeros[item] - offset;
    return image;
  }
  const auto tensor =
      Quantize(Context(),
               Config::FromText(std::string("int8,granularity=token,scheme=") +
                                (mode == "int8" ? "symmetric" : "asymmetric")),
               ViewOf(image.floats, {size}));
  image.codes.resize(size);
  UnpackCodes(Context(), *tensor, 0, size, image.codes.data());
  tensor->scales().Read(0, 1, &image.scale);
  if (mode != "int8") image.zero = tensor->zero_points()[0];
  return image;
}

// By the definition: output by output, weight by weight.
std::vector<float> Expected(const Case& c, const QuantizedTensor& weight,
                            const Images& x, const std::vector<float>& bias,
                            const std::string& mode, bool nhwc, uint64_t oh,
                            uint64_t ow) {
  const LinearReference reference(Context(), weight);
  const uint64_t size = c.channels * c.height * c.width;
  const uint64_t channels = c.channels / c.groups;
  std::vector<float> y(c.items * c.outputs * oh * ow);
  for (uint64_t item = 0; item < c.items; ++item) {
    const RowOfInputs image = ImageOf(x, item, size, mode);
    for (uint64_t oy = 0; oy < oh; ++oy) {
      for (uint64_t ox = 0; ox < ow; ++ox) {
        for (uint64_t n = 0; n < c.outputs; ++n) {
          RowOfInputs patch;
          patch.scale = image.scale;
          patch.zero = image.zero;
          const uint64_t k = channels * c.kernel_h * c.kernel_w;
          if (!image.codes.empty()) patch.codes.resize(k);
          patch.floats.resize(k);
          for (uint64_t ch = 0; ch < channels; ++ch) {
            for (uint64_t ky = 0; ky < c.kernel_h; ++ky) {
              for (uint64_t kx = 0; kx < c.kernel_w; ++kx) {
                const int64_t iy = static_cast<int64_t>(
                    oy * c.stride_h + ky * c.dilation_h - c.top);
                const int64_t ix = static_cast<int64_t>(
                    ox * c.stride_w + kx * c.dilation_w - c.left);
                const bool inside = iy >= 0 && ix >= 0 &&
                                    iy < static_cast<int64_t>(c.height) &&
                                    ix < static_cast<int64_t>(c.width);
                const uint64_t channel =
                    n / (c.outputs / c.groups) * channels + ch;
                const uint64_t from =
                    nhwc ? (iy * c.width + ix) * c.channels + channel
                         : (channel * c.height + iy) * c.width + ix;
                const uint64_t to =
                    nhwc ? (ky * c.kernel_w + kx) * channels + ch
                         : (ch * c.kernel_h + ky) * c.kernel_w + kx;
                if (!image.codes.empty()) {
                  patch.codes[to] = inside ? image.codes[from]
                                           : static_cast<int8_t>(image.zero);
                } else {
                  patch.floats[to] = inside ? image.floats[from] : 0.0f;
                }
              }
            }
          }
          const float value = !image.codes.empty() && reference.integers()
                                  ? reference.Integers(patch, n, bias.data())
                                  : reference.Floats(patch, n, bias.data());
          y[nhwc ? ((item * oh + oy) * ow + ox) * c.outputs + n
                 : ((item * c.outputs + n) * oh + oy) * ow + ox] = value;
        }
      }
    }
  }
  return y;
}

void Compare(const Case& c, const char* config, const char* mode, bool nhwc) {
  const std::vector<float> w =
      Normal(c.outputs * c.channels / c.groups * c.kernel_h * c.kernel_w, 1);
  const uint64_t channels = c.channels / c.groups;
  const std::shared_ptr<const QuantizedTensor> weight =
      Quantize(Context(), Config::FromText(config),
               nhwc ? ViewOf(w, {c.outputs, c.kernel_h, c.kernel_w, channels})
                    : ViewOf(w, {c.outputs, channels, c.kernel_h, c.kernel_w}));
  const Images x = ImagesOf(c, mode);
  Bias bias;
  bias.floats = Normal(c.outputs, 3);
  const bool codes = x.dtype != DType::kF32;
  const Convolution convolution(
      Context(), OptionsOf(c, codes ? "float" : mode, nhwc ? "nhwc" : "nchw"),
      weight, bias);
  const uint64_t oh = convolution.vertical().Outputs(c.height);
  const uint64_t ow = convolution.horizontal().Outputs(c.width);
  const std::vector<float> expected =
      Expected(c, *weight, x, bias.floats, mode, nhwc, oh, ow);
  Matrix input, output;
  input.rows = output.rows = c.items;
  input.columns = c.channels * c.height * c.width;
  input.dtype = x.dtype;
  input.stride = x.element() * input.columns;
  // Each ends where memory does.
  const bnq_test::Guarded given(x.data(), input.bytes(), x.element());
  input.data = given.data();
  if (codes) {
    input.scales = const_cast<float*>(x.scales.data());
    input.zero_points = const_cast<int32_t*>(x.zeros.data());
  }
  output.columns = c.outputs * oh * ow;
  output.stride = 4 * output.columns;
  const bnq_test::Guarded made(4 * expected.size(), 4);
  output.data = made.data();
  const float* const y = reinterpret_cast<const float*>(made.data());
  const Convolution::Size size = {c.items, c.height, c.width};
  convolution.Check(size, input, output);
  const size_t bytes = convolution.WorkspaceBytes(size);
  const bnq_test::Guarded workspace(bytes, 64);
  const auto run = [&](const Context& context, const std::string& by) {
    std::memset(made.data(), 0x45, 4 * expected.size());
    std::memset(workspace.data(), 0xA5, bytes);
    convolution.Run(context, size, input, output, workspace.data());
    for (size_t k = 0; k < expected.size(); ++k) {
      ASSERT_EQ(y[k], expected[k])
          << config << ", " << mode << ", case " << &c - kCases
          << (nhwc ? ", nhwc" : ", nchw") << ", output " << k << ", " << by;
    }
  };
  Context threads;
  threads.runner = MakePool(3);
  run(threads, "threads");
  for (size_t i = 0; DotKernelsAt(i) != nullptr; ++i) {
    ForceDotKernels(DotKernelsAt(i));
    run(Context(), DotKernelsAt(i)->name);
  }
  ForceDotKernels(nullptr);
  bnq_test::ForEachTarget([&] { run(Context(), "a target"); });
}

TEST(Convolution, IsItsDefinition) {
  for (const Case& c : kCases) {
    for (bool nhwc : {false, true}) {
      for (const char* mode :
           {"int8", "int8_asymmetric", "float", "i8", "u8"}) {
        Compare(c, "int8,granularity=channel", mode, nhwc);
        Compare(c, "int4,granularity=group,group_size=32", mode, nhwc);
        Compare(c, "ternary,granularity=channel", mode, nhwc);
        if (c.channels != c.groups) continue;
        // What goes channel by channel, and what does not.
        Compare(c, "int4,granularity=channel,scheme=asymmetric", mode, nhwc);
        Compare(c, "int8,granularity=channel,scheme=offset", mode, nhwc);
        Compare(c, "int3,granularity=tensor", mode, nhwc);
      }
      Compare(c, "nf4,granularity=channel", "int8", nhwc);
    }
  }
}

TEST(Convolution, OutputsAreThoseThatFit) {
  ConvolutionAxis axis;
  axis.kernel = 3;
  EXPECT_EQ(axis.Outputs(3), 1u);
  EXPECT_EQ(axis.Outputs(2), 0u);
  EXPECT_EQ(axis.Outputs(0), 0u);
  axis.stride = 2;
  axis.pad_begin = 1;
  EXPECT_EQ(axis.Outputs(2), 1u);
  EXPECT_EQ(axis.Outputs(7), 3u);
  axis.dilation = 4;
  EXPECT_EQ(axis.Outputs(7), 0u);
  EXPECT_EQ(axis.Outputs(8), 1u);
}

}  // namespace
}  // namespace bnq
