#include "core/ops/convolution.h"

#include <algorithm>
#include <atomic>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/kernels/elements.h"
#include "core/kernels/transpose.h"
#include "core/ops/depthwise.h"
#include "core/ops/linear_run.h"
#include "core/parallel/runner.h"

namespace bnq {
namespace {

// Output pixels of a task, in whole tiles of the kernels; outputs of one that
// has company.
constexpr uint64_t kTile = 12, kPartOutputs = 128, kTasks = 4;

uint64_t TileOf(uint64_t pixels) {
  if (pixels == 0) return kTile;
  const uint64_t tiles = DivCeil(pixels, kMostPixels);
  return DivCeil(DivCeil(pixels, tiles), kTile) * kTile;
}

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

const int8_t* CodesOf(const uint8_t* data) {
  return reinterpret_cast<const int8_t*>(data);
}

// Tasks that have memory at once.
constexpr uint64_t kSlots = 32;

// f(task, slot) for tasks below count, each with a slot below kSlots and count
// to itself: the least that is free, so that what few threads use stays in
// their caches.
template <class F>
void ForEachTask(const Context& context, uint64_t count, const F& f) {
  std::atomic<uint32_t> free{UINT32_MAX};
  const uint64_t slots = std::min(count, kSlots);
  ParallelFor(context, slots, [&](uint64_t first) {
    uint32_t before = free, after;
    do {
      after = before & (before - 1);
    } while (!free.compare_exchange_weak(before, after));
    const uint32_t bit = before ^ after;
    uint64_t slot = 0;
    while (bit >> slot != 1) ++slot;
    for (uint64_t task = first; task < count; task += slots) {
      f(task, slot);
      context.Tick();
    }
    free |= bit;
  });
}

}  // namespace

// What a run is cut into, from the sizes alone.
struct Convolution::Plan {
  Size size;
  PatchGeometry geometry;
  bool codes = true;  // images become int8 codes, else floats
  uint64_t item = 0;  // elements of an item of x
  uint64_t element = 1;
  // Pixels of a tile, their number; outputs of a part of a group, their number.
  uint64_t tile = 1, tiles = 0, part = 0, parts = 1;
  uint64_t tasks = 0, slots = 0;
  // Bytes of images and of their lines, of a slot's pointers, results and of
  // the linear layer's own.
  uint64_t image_bytes = 0, line_bytes = 0, pointer_bytes = 0, result_bytes = 0,
           linear_bytes = 0;

  uint64_t slot_bytes() const {
    return pointer_bytes + result_bytes + linear_bytes;
  }
};

// Output pixels of a group, and some of its outputs.
struct Convolution::Tile {
  uint64_t group, pixel, count, first, outputs;
};

struct Convolution::Image {
  const uint8_t* data = nullptr;
  float scale = 1.0f;
  int32_t zero = 0;  // as of int8
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
  // Where there is more than one output for a channel, there should be more of
  // these.
  depthwise_ = inputs_ == 1 && linear_.outputs() != 0 &&
               linear_.outputs() / groups_ <= groups_ &&
               Depthwise::Takes(linear_);
}

Convolution::Plan Convolution::PlanOf(const Size& size) const {
  Plan plan;
  plan.size = size;
  if (size.height >= uint64_t{1} << 61 || size.width >= uint64_t{1} << 61) {
    Fail(Status::kInvalidArgument, "images of ", size.height, " x ", size.width,
         " are too large");
  }
  const char* const what = "size of an image";
  PatchGeometry& g = plan.geometry;
  g.vertical = vertical_;
  g.horizontal = horizontal_;
  g.height = size.height;
  g.width = size.width;
  g.channels = input_channels();
  g.out_height = vertical_.Outputs(size.height);
  g.out_width = horizontal_.Outputs(size.width);
  g.inputs = inputs_;
  g.channels_last = channels_last_;
  g.Flatten();
  plan.item =
      CheckedMul(CheckedMul(size.height, size.width, what), g.channels, what);
  const uint64_t pixels = CheckedMul(g.out_height, g.out_width, what);
  const uint64_t channels = linear_.outputs() / groups_;
  plan.tile = TileOf(pixels);
  plan.tiles = DivCeil(pixels, plan.tile);
  plan.tasks =
      CheckedMul(CheckedMul(plan.tiles, groups_, "tasks"), size.items, "tasks");
  // Where tasks are few, the outputs are cut, too.
  plan.part = channels;
  if (plan.tasks != 0 && plan.tasks < kTasks) {
    const uint64_t parts = std::max<uint64_t>(
        std::min(kTasks / plan.tasks, channels / kPartOutputs), 1);
    plan.part = DivCeil(DivCeil(channels, parts), kPanelRows) * kPanelRows;
  }
  plan.parts = std::max<uint64_t>(
      DivCeil(channels, std::max<uint64_t>(plan.part, 1)), 1);
  plan.tasks = CheckedMul(plan.tasks, plan.parts, "tasks");
  plan.slots = std::min(kSlots, plan.tasks);
  // Of inputs of any type.
  plan.element = linear_.options().input() == InputMode::kFloat ? 4 : 1;
  plan.image_bytes = RoundUp64(
      CheckedMul(CheckedAdd(plan.item, kLanes, what), plan.element, what));
  if (!channels_last_) {
    plan.line_bytes =
        RoundUp64(CheckedAdd(CheckedMul(g.LineElements(), plan.element, what),
                             kTransposeReads, what));
  }
  const uint64_t tile = std::min(plan.tile, pixels);
  if (!channels_last_) {
    plan.pointer_bytes = RoundUp64(
        CheckedMul(linear_.inputs(), sizeof(void*), "size of patches"));
    plan.result_bytes =
        RoundUp64(CheckedAdd(CheckedMul(tile * 4, plan.part, "size of results"),
                             kTransposeReads, "size of results"));
  }
  plan.linear_bytes = RoundUp64(linear_.WorkspaceBytes(tile));
  return plan;
}

uint64_t Convolution::WorkspaceBytes(const Size& size) const {
  const Plan plan = PlanOf(size);
  const char* const what = "size of the workspace";
  const uint64_t images = CheckedMul(plan.image_bytes, size.items, what);
  uint64_t bytes =
      CheckedAdd(CheckedMul(plan.line_bytes, size.items, what),
                 CheckedMul(plan.slot_bytes(), plan.slots, what), what);
  if (depthwise_) bytes = std::max(bytes, DepthwiseBytes(plan));
  return CheckedAdd(images, bytes, what);
}

uint64_t Convolution::DepthwiseBytes(const Plan& plan) const {
  const char* const what = "size of the workspace";
  const Depthwise depthwise(linear_, plan.geometry);
  const uint64_t tasks =
      CheckedMul(DivCeil(plan.geometry.pixels(), depthwise.tile()),
                 plan.size.items, "tasks");
  return CheckedAdd(
      depthwise.WeightBytes(),
      CheckedAdd(CheckedMul(depthwise.ImageBytes(), plan.size.items, what),
                 CheckedMul(depthwise.TaskBytes(sizeof(float)),
                            std::min(kSlots, tasks), what),
                 what),
      what);
}

void Convolution::Check(const Size& size, const Matrix& x,
                        const Matrix& y) const {
  const Plan plan = PlanOf(size);
  if (x.rows != size.items || x.columns != plan.item) {
    Fail(Status::kInvalidArgument, "x is of shape [", x.rows, ", ", x.columns,
         "], must be [items, ", plan.item, "], ", input_channels(),
         " channels of ", size.height, " x ", size.width);
  }
  const PatchGeometry& g = plan.geometry;
  const uint64_t outputs = CheckedMul(g.pixels(), linear_.outputs(),
                                      "size of an image of the output");
  if (y.rows != size.items || y.columns != outputs) {
    Fail(Status::kInvalidArgument, "y is of shape [", y.rows, ", ", y.columns,
         "], must be [", size.items, ", ", outputs, "], ", linear_.outputs(),
         " channels of ", vertical_.Outputs(size.height), " x ",
         horizontal_.Outputs(size.width));
  }
  linear_.CheckTypes(x, y);
}

void Convolution::Run(const Context& context, const Size& size, const Matrix& x,
                      const Matrix& y, uint8_t* workspace) const {
  Plan plan = PlanOf(size);
  if (linear_.outputs() == 0 || plan.geometry.pixels() == 0) return;
  plan.codes = linear_.TakesCodes(x);
  plan.element = plan.codes ? 1 : 4;
  std::vector<Image> images(static_cast<size_t>(size.items));
  PrepareImages(context, plan, x, workspace, &images);
  uint8_t* const memory = workspace + size.items * plan.image_bytes;
  if (depthwise_ && plan.codes) {
    return RunDepthwise(context, plan, images, y, memory);
  }
  if (!channels_last_) LayImages(context, plan, images, memory);
  RunPatches(context, plan, images, y, memory);
}

void Convolution::PrepareImages(const Context& context, const Plan& plan,
                                const Matrix& x, uint8_t* memory,
                                std::vector<Image>* images) const {
  const InputRule rule(linear_.options(), plan.item);
  ParallelFor(context, plan.size.items, [&](uint64_t i) {
    Image& image = (*images)[i];
    uint8_t* const own = memory + i * plan.image_bytes;
    image.data = own;
    if (IsInteger(x.dtype)) {
      const InputCodes codes(linear_.rule(), x, i);
      image.scale = codes.scale;
      image.zero = codes.zero;
      if (codes.flip == 0) {
        image.data = x.row(i);
      } else {
        CopyFlipped(x.row(i), plan.item, codes.flip,
                    reinterpret_cast<int8_t*>(own));
      }
      return;
    }
    SourceView source;
    source.data = x.row(i);
    source.dtype = x.dtype;
    if (plan.codes) {
      return rule.Quantize(source, i, reinterpret_cast<int8_t*>(own),
                           &image.scale, &image.zero);
    }
    LoadElements(source, 0, static_cast<size_t>(plan.item),
                 reinterpret_cast<float*>(own));
  });
}

void Convolution::LayImages(const Context& context, const Plan& plan,
                            const std::vector<Image>& images,
                            uint8_t* memory) const {
  const PatchGeometry& g = plan.geometry;
  ParallelFor(context, images.size() * (g.channels + 1), [&](uint64_t task) {
    const uint64_t item = task / (g.channels + 1);
    const uint64_t channel = task % (g.channels + 1);
    const PatchImage image =
        PatchImageOf(plan, images[item], memory + item * plan.line_bytes);
    if (channel == g.channels) return LayPadding(g, image);
    LayLines(g, image, channel, images[item].data);
  });
}

PatchImage Convolution::PatchImageOf(const Plan& plan, const Image& image,
                                     uint8_t* lines) {
  PatchImage patches;
  patches.data = image.data;
  patches.lines = lines;
  patches.element = static_cast<size_t>(plan.element);
  patches.zero = static_cast<int8_t>(image.zero);
  return patches;
}

void Convolution::RunDepthwise(const Context& context, const Plan& plan,
                               const std::vector<Image>& images,
                               const Matrix& y, uint8_t* memory) const {
  Depthwise depthwise(linear_, plan.geometry);
  depthwise.PrepareWeights(context, memory);
  uint8_t* const own = memory + depthwise.WeightBytes();
  const uint64_t image_bytes = depthwise.ImageBytes();
  for (size_t i = 0; i < images.size(); ++i) {
    depthwise.PrepareImage(context, CodesOf(images[i].data), images[i].scale,
                           images[i].zero, own + i * image_bytes);
  }
  uint8_t* const slots = own + images.size() * image_bytes;
  const uint64_t pixels = plan.geometry.pixels();
  const uint64_t tiles = DivCeil(pixels, depthwise.tile());
  const uint64_t tasks = tiles * images.size();
  ForEachTask(context, tasks, [&](uint64_t task, uint64_t slot) {
    const uint64_t item = task / tiles, pixel = task % tiles * depthwise.tile();
    depthwise.Run(CodesOf(images[item].data), own + item * image_bytes, pixel,
                  std::min(depthwise.tile(), pixels - pixel), y.row(item), y,
                  slots + slot * depthwise.TaskBytes(sizeof(float)));
  });
}

void Convolution::RunPatches(const Context& context, const Plan& plan,
                             const std::vector<Image>& images, const Matrix& y,
                             uint8_t* memory) const {
  uint8_t* const slots = memory + images.size() * plan.line_bytes;
  ForEachTask(context, plan.tasks, [&](uint64_t task, uint64_t slot) {
    Tile tile;
    tile.pixel = task % plan.tiles * plan.tile;
    tile.count = std::min(plan.tile, plan.geometry.pixels() - tile.pixel);
    task /= plan.tiles;
    tile.first = task % plan.parts * plan.part;
    tile.outputs =
        std::min(plan.part, linear_.outputs() / groups_ - tile.first);
    task /= plan.parts;
    tile.group = task % groups_;
    const uint64_t item = task / groups_;
    RunTile(plan, images[item], memory + item * plan.line_bytes, tile,
            y.row(item), y, slots + slot * plan.slot_bytes());
  });
}

void Convolution::RunTile(const Plan& plan, const Image& image, uint8_t* lines,
                          const Tile& tile, uint8_t* y, const Matrix& output,
                          uint8_t* scratch) const {
  const uint8_t** const pointers = reinterpret_cast<const uint8_t**>(scratch);
  uint8_t* const results = scratch + plan.pointer_bytes;
  // Of the layer's outputs, the first of these.
  const uint64_t first =
      tile.group * (linear_.outputs() / groups_) + tile.first;
  const size_t size = output.element_size();
  Matrix x;
  x.rows = tile.count;
  x.columns = linear_.inputs();
  x.dtype = plan.codes ? DType::kI8 : DType::kF32;
  // Rows of y are all channels of a pixel; of one channel each they lie apart.
  Matrix out;
  out.rows = tile.count;
  out.columns = tile.outputs;
  out.dtype = output.dtype;
  if (channels_last_) {
    out.stride = linear_.outputs() * size;
    out.data = y + tile.pixel * out.stride + first * size;
  } else {
    out.stride = tile.outputs * size;
    out.data = results;
  }
  LinearRun run(linear_, x, out, results + plan.result_bytes, first);
  const InputRows& rows = run.inputs();
  uint8_t* const patches = plan.codes
                               ? reinterpret_cast<uint8_t*>(rows.own_codes(0))
                               : reinterpret_cast<uint8_t*>(rows.own_floats(0));
  CutPatches(plan.geometry, PatchImageOf(plan, image, lines),
             tile.group * inputs_, tile.pixel, tile.count, pointers, patches,
             static_cast<size_t>(rows.stride()));
  for (uint64_t m = 0; m < tile.count; ++m) {
    if (plan.codes) {
      rows.PrepareOwnCodes(m, image.scale, image.zero);
    } else {
      rows.PrepareOwnFloats(m);
    }
  }
  run.AllPrepared();
  for (uint64_t i = 0; i < run.num_tasks(); ++i) run.RunTask(i);
  if (channels_last_) return;
  const uint64_t pixels = plan.geometry.pixels();
  StoreChannels(out, y + (first * pixels + tile.pixel) * size, pixels * size);
}

}  // namespace bnq
