#include "core/tensor/dequantize.h"

#include <algorithm>

#include "core/base/checked.h"
#include "core/parallel/runner.h"
#include "core/scheme/rules.h"
#include "core/tensor/element_tables.h"

namespace bnq {
namespace {

// Elements of a task.
constexpr uint64_t kBlock = 65536;

}  // namespace

Dequantizer::Dequantizer(const Context& context, const QuantizedTensor& tensor)
    : context_(context),
      kernels_(tensor.format().kernels()),
      stored_(tensor.scales()),
      outliers_(tensor.parts().outliers) {
  args_.codes = tensor.parts().codes;
  if (tensor.sizes().zero_points != 0) {
    args_.zero_points = tensor.parts().zero_points;
  }
  if (stored_.plain()) {
    args_.scales = reinterpret_cast<const float*>(stored_.data);
  } else if (!tensor.layout().contiguous) {
    // Parameters that repeat along a row are wanted again and again.
    all_scales_ = context.Allocate(4 * stored_.count);
    stored_.Read(0, stored_.count, all_scales_.as<float>());
    args_.scales = all_scales_.as<float>();
  }
  Finish(tensor.config(), tensor.shape(), tensor.layout());
}

Dequantizer::Dequantizer(const Context& context, const Config& config,
                         const Shape& shape, const Layout& layout,
                         const TensorSlice& slice)
    : context_(context),
      kernels_(FormatOf(config).kernels()),
      outliers_(slice.outliers) {
  args_.codes = slice.codes;
  args_.code_base = slice.code_base;
  args_.scales = slice.scales;
  args_.zero_points = slice.zero_points;
  args_.param_base = slice.param_base;
  Finish(config, shape, layout);
}

void Dequantizer::Finish(const Config& config, const Shape& shape,
                         const Layout& layout) {
  args_.layout = &layout;
  args_.format = &FormatOf(config);
  args_.packing = PackingOf(*args_.format, config);
  args_.rule = RuleOf(*args_.format, config.variant());
  features_ = shape.rank == 0 ? 1 : shape.dims[shape.rank - 1];
  if (layout.per_element && layout.columns != 0 && layout.rows != 0) {
    element_params_ = ElementTables::Allocate(context_, layout);
    args_.elements = ElementTables::Fill(
        layout, args_.scales, args_.zero_points, element_params_.as<float>());
  }
}

void Dequantizer::Decode(uint64_t begin, uint64_t count, DType dtype,
                         bool stream, uint8_t* out) const {
  if (count == 0) return;
  DecodeArgs args = args_;
  args.begin = begin;
  args.count = count;
  args.dtype = dtype;
  args.out = out;
  args.stream = stream;
  args.stored = &stored_;
  kernels_.decode(args);
  ScatterOutliers(outliers_, features_, begin, count, dtype, out);
}

void Dequantizer::DecodeParallel(uint64_t begin, uint64_t count, DType dtype,
                                 uint8_t* out) const {
  const uint64_t size = Info(dtype).bits / 8;
  const bool stream = count >= kStreamElements;
  ParallelFor(context_, DivCeil(count, kBlock), [&](uint64_t task) {
    const uint64_t at = task * kBlock;
    Decode(begin + at, std::min(count - at, kBlock), dtype, stream,
           out + at * size);
  });
}

}  // namespace bnq
