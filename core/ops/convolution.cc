#include "core/ops/convolution.h"

#include <algorithm>
#include <cstring>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/kernels/elements.h"
#include "core/ops/linear_run.h"
#include "core/parallel/runner.h"

namespace bnq {
namespace {

// Output pixels of a task, and tasks that have memory at once.
constexpr uint64_t kTilePixels = 192, kSlots = 32;

constexpr uint64_t RoundUp64(uint64_t n) { return DivCeil(n, 64) * 64; }

ConvolutionAxis AxisOf(const OperatorOptions& options, OperatorOption stride,
                       OperatorOption dilation, OperatorOption begin,
                       OperatorOption end, uint64_t kernel) {
  ConvolutionAxis axis;
  axis.kernel = kernel;
  axis.stride = options.As<uint64_t>(stride);
  axis.dilation = options.As<uint64_t>(dilation);
  axis.pad_begin = options.As<uint64_t>(begin);
  axis.pad_end = options.As<uint64_t>(end);
  return axis;
}

}  // namespace

uint64_t ConvolutionAxis::Outputs(uint64_t inputs) const {
  if (kernel == 0) return 0;
  const uint64_t padded = inputs + pad_begin + pad_end;
  const uint64_t reach = dilation * (kernel - 1) + 1;
  return padded < reach ? 0 : (padded - reach) / stride + 1;
}

// What a run is cut into, from the sizes alone.
struct Convolution::Plan {
  Size size;
  uint64_t out_height, out_width;
  bool codes;      // patches are of int8 codes, else of floats
  uint64_t item;   // elements of an item of x
  uint64_t tiles;  // of pixels
  uint64_t tasks, slots;
  // Bytes of an item that is kept, of a slot's patches, results and of the
  // linear layer's own.
  uint64_t item_bytes, patch_bytes, result_bytes, linear_bytes;

  uint64_t pixels() const { return out_height * out_width; }
  uint64_t slot_bytes() const {
    return patch_bytes + result_bytes + linear_bytes;
  }
  // A patch's bytes.
  uint64_t patch(uint64_t columns) const { return columns * (codes ? 1 : 4); }
};

Convolution::Convolution(const Context& context, const OperatorOptions& options,
                         std::shared_ptr<const QuantizedTensor> weight,
                         Bias bias)
    : linear_(context, options, weight, std::move(bias),
              Linear::Kind::kConvolution),
      channels_last_(options.layout() == ImageLayout::kNhwc),
      groups_(options.As<uint64_t>(OperatorOption::kGroups)) {
  const Shape& shape = weight->shape();
  if (shape.rank != 3 && shape.rank != 4) {
    Fail(Status::kInvalidArgument, "weight is of shape ", shape.ToString(),
         ", must have three or four dimensions");
  }
  if (weight->input_scales() != nullptr) {
    Fail(Status::kUnsupported,
         "weight has input_scales, which convolutions do not take");
  }
  const bool is_2d = shape.rank == 4;
  const int first = channels_last_ ? 1 : 2;
  inputs_ = shape.dims[channels_last_ ? shape.rank - 1 : 1];
  vertical_ = AxisOf(options, OperatorOption::kStrideHeight,
                     OperatorOption::kDilationHeight, OperatorOption::kPadTop,
                     OperatorOption::kPadBottom, is_2d ? shape.dims[first] : 1);
  horizontal_ =
      AxisOf(options, OperatorOption::kStrideWidth,
             OperatorOption::kDilationWidth, OperatorOption::kPadLeft,
             OperatorOption::kPadRight, shape.dims[is_2d ? first + 1 : first]);
  if (linear_.outputs() % groups_ != 0) {
    Fail(Status::kInvalidArgument, "groups = ", groups_,
         ", must divide the outputs of the weight, ", linear_.outputs());
  }
  for (const ConvolutionAxis& axis : {vertical_, horizontal_}) {
    CheckedAdd(CheckedMul(axis.dilation, axis.kernel, "reach of the kernel"),
               uint64_t{1} << 61, "reach of the kernel");
  }
}

Convolution::Plan Convolution::PlanOf(const Size& size) const {
  Plan plan;
  plan.size = size;
  if (size.height >= uint64_t{1} << 61 || size.width >= uint64_t{1} << 61) {
    Fail(Status::kInvalidArgument, "images of ", size.height, " x ", size.width,
         " are too large");
  }
  plan.out_height = vertical_.Outputs(size.height);
  plan.out_width = horizontal_.Outputs(size.width);
  plan.codes = true;
  plan.item =
      CheckedMul(CheckedMul(size.height, size.width, "size of an image"),
                 input_channels(), "size of an image");
  const uint64_t pixels =
      CheckedMul(plan.out_height, plan.out_width, "size of an image");
  plan.tiles = DivCeil(pixels, kTilePixels);
  plan.tasks =
      CheckedMul(CheckedMul(plan.tiles, groups_, "tasks"), size.items, "tasks");
  plan.slots = std::min(plan.tasks, kSlots);
  // For codes and floats alike.
  plan.item_bytes =
      RoundUp64(CheckedMul(CheckedAdd(plan.item, kLanes, "size of an image"), 4,
                           "size of an image"));
  const uint64_t tile = std::min(kTilePixels, std::max<uint64_t>(pixels, 1));
  plan.patch_bytes =
      RoundUp64(CheckedMul(tile * 4, linear_.inputs(), "size of patches"));
  plan.result_bytes = RoundUp64(
      CheckedMul(tile * 4, linear_.outputs() / groups_, "size of results"));
  plan.linear_bytes = RoundUp64(linear_.WorkspaceBytes(tile));
  return plan;
}

uint64_t Convolution::WorkspaceBytes(const Size& size) const {
  const Plan plan = PlanOf(size);
  const char* const what = "size of the workspace";
  return CheckedAdd(CheckedMul(plan.item_bytes, size.items, what),
                    CheckedMul(plan.slot_bytes(), plan.slots, what), what);
}

void Convolution::Check(const Size& size, const Matrix& x,
                        const Matrix& y) const {
  const Plan plan = PlanOf(size);
  if (x.rows != size.items || x.columns != plan.item) {
    Fail(Status::kInvalidArgument, "x is of shape [", x.rows, ", ", x.columns,
         "], must be [items, ", plan.item, "], ", input_channels(),
         " channels of ", size.height, " x ", size.width);
  }
  const uint64_t outputs = CheckedMul(plan.pixels(), linear_.outputs(),
                                      "size of an image of the output");
  if (y.rows != size.items || y.columns != outputs) {
    Fail(Status::kInvalidArgument, "y is of shape [", y.rows, ", ", y.columns,
         "], must be [", size.items, ", ", outputs, "], ", linear_.outputs(),
         " channels of ", plan.out_height, " x ", plan.out_width);
  }
  linear_.CheckTypes(x, y);
}

void Convolution::PrepareItem(const Plan& plan, const Matrix& x, uint64_t item,
                              uint8_t* memory, Item* out) const {
  const OperatorOptions& options = linear_.options();
  *out = {x.row(item), 1, 0, 1.0f, 0};
  if (IsInteger(x.dtype)) {
    const InputCodes codes(linear_.rule(), x, item);
    out->flip = codes.flip;
    out->scale = codes.scale;
    out->zero = codes.zero;
    return;
  }
  SourceView source;
  source.data = x.row(item);
  source.dtype = x.dtype;
  out->data = memory;
  if (options.input() == InputMode::kFloat) {
    out->element = 4;
    LoadElements(source, 0, static_cast<size_t>(plan.item),
                 reinterpret_cast<float*>(memory));
    return;
  }
  InputRule(options, plan.item)
      .Quantize(source, item, reinterpret_cast<int8_t*>(memory), &out->scale,
                &out->zero);
}

void Convolution::Run(const Context& context, const Size& size, const Matrix& x,
                      const Matrix& y, uint8_t* workspace) const {
  Plan plan = PlanOf(size);
  if (linear_.outputs() == 0 || plan.pixels() == 0) return;
  plan.codes = linear_.TakesCodes(x);
  std::vector<Item> items(static_cast<size_t>(size.items));
  ParallelFor(context, size.items, [&](uint64_t i) {
    PrepareItem(plan, x, i, workspace + i * plan.item_bytes, &items[i]);
  });
  uint8_t* const slots = workspace + size.items * plan.item_bytes;
  // Each slot has memory of its own and every so-many-th task.
  ParallelFor(context, plan.slots, [&](uint64_t slot) {
    for (uint64_t task = slot; task < plan.tasks; task += plan.slots) {
      const uint64_t tile = task % plan.tiles;
      const uint64_t group = task / plan.tiles % groups_;
      const uint64_t item = task / plan.tiles / groups_;
      const uint64_t pixel = tile * kTilePixels;
      RunTile(plan, items[item], group, pixel,
              std::min(kTilePixels, plan.pixels() - pixel), y.row(item), y,
              slots + slot * plan.slot_bytes());
      context.Tick();
    }
  });
}

void Convolution::CutPatches(const Plan& plan, const Item& item, uint64_t group,
                             uint64_t pixel, uint64_t count,
                             uint8_t* patches) const {
  const uint64_t height = plan.size.height, width = plan.size.width;
  const size_t e = item.element;
  const uint64_t all = input_channels(), first = group * inputs_;
  // What stands for 0.
  const uint8_t zero =
      plan.codes ? static_cast<uint8_t>(item.zero) ^ item.flip : 0;
  for (uint64_t p = pixel; p < pixel + count; ++p) {
    const uint64_t top = p / plan.out_width * vertical_.stride;
    const uint64_t left = p % plan.out_width * horizontal_.stride;
    uint8_t* const out = patches + (p - pixel) * linear_.inputs() * e;
    for (uint64_t ky = 0; ky < vertical_.kernel; ++ky) {
      const uint64_t iy = top + ky * vertical_.dilation - vertical_.pad_begin;
      for (uint64_t kx = 0; kx < horizontal_.kernel; ++kx) {
        const uint64_t ix =
            left + kx * horizontal_.dilation - horizontal_.pad_begin;
        // Where padding makes it negative it is huge.
        const bool inside = iy < height && ix < width;
        const uint64_t tap = ky * horizontal_.kernel + kx;
        if (channels_last_) {
          uint8_t* const to = out + tap * inputs_ * e;
          if (inside) {
            std::memcpy(to, item.data + ((iy * width + ix) * all + first) * e,
                        inputs_ * e);
          } else {
            std::memset(to, zero, inputs_ * e);
          }
          continue;
        }
        const uint64_t taps = vertical_.kernel * horizontal_.kernel;
        const uint8_t* from =
            item.data + ((first * height + iy) * width + ix) * e;
        for (uint64_t c = 0; c < inputs_; ++c, from += height * width * e) {
          uint8_t* const to = out + (c * taps + tap) * e;
          if (!inside) {
            std::memset(to, zero, e);
          } else if (e == 1) {
            *to = *from;
          } else {
            std::memcpy(to, from, 4);
          }
        }
      }
    }
  }
}

void Convolution::RunTile(const Plan& plan, const Item& item, uint64_t group,
                          uint64_t pixel, uint64_t count, uint8_t* y,
                          const Matrix& output, uint8_t* scratch) const {
  uint8_t* const patches = scratch;
  uint8_t* const results = patches + plan.patch_bytes;
  uint8_t* const own = results + plan.result_bytes;
  CutPatches(plan, item, group, pixel, count, patches);
  const uint64_t channels = linear_.outputs() / groups_;
  const size_t size = output.element_size();
  float scales[kTilePixels];
  int32_t zeros[kTilePixels];
  std::fill_n(scales, count, item.scale);
  std::fill_n(zeros, count, item.zero + (item.flip != 0 ? 128 : 0));
  Matrix x;
  x.data = patches;
  x.rows = count;
  x.columns = linear_.inputs();
  x.stride = plan.patch(x.columns);
  x.dtype = DType::kF32;
  if (plan.codes) {
    x.dtype = item.flip != 0 ? DType::kU8 : DType::kI8;
    x.scales = scales;
    x.zero_points = zeros;
  }
  // Rows of y are all channels of a pixel; of one channel each they lie apart.
  Matrix out;
  out.rows = count;
  out.columns = channels;
  out.dtype = output.dtype;
  if (channels_last_) {
    out.stride = linear_.outputs() * size;
    out.data = y + pixel * out.stride + group * channels * size;
  } else {
    out.stride = channels * size;
    out.data = results;
  }
  LinearRun run(linear_, x, out, own, group * channels);
  for (uint64_t m = 0; m < run.num_inputs(); ++m) run.PrepareInput(m);
  run.AllPrepared();
  for (uint64_t i = 0; i < run.num_tasks(); ++i) run.RunTask(i);
  if (channels_last_) return;
  for (uint64_t c = 0; c < channels; ++c) {
    uint8_t* const to =
        y + ((group * channels + c) * plan.pixels() + pixel) * size;
    const uint8_t* from = results + c * size;
    for (uint64_t p = 0; p < count; ++p, from += out.stride) {
      std::memcpy(to + p * size, from, size);
    }
  }
}

}  // namespace bnq
