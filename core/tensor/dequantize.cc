#include "core/tensor/dequantize.h"

#include <algorithm>
#include <vector>

#include "core/base/checked.h"
#include "core/base/error.h"
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
      outliers_(tensor.outliers()),
      shape_(tensor.shape()) {
  args_.codes = tensor.codes();
  args_.zero_points = tensor.zero_points();
  if (stored_.plain()) {
    args_.scales = reinterpret_cast<const float*>(stored_.data);
  } else if (!tensor.layout().contiguous) {
    // Parameters that repeat along a row are wanted again and again.
    all_scales_ = context.Allocate(4 * stored_.count);
    stored_.Read(0, stored_.count, all_scales_.as<float>());
    args_.scales = all_scales_.as<float>();
  }
  const StoredScales offsets = tensor.offsets();
  if (offsets.count != 0) {
    all_offsets_ = context.Allocate(4 * offsets.count);
    offsets.Read(0, offsets.count, all_offsets_.as<float>());
    args_.offsets = all_offsets_.as<float>();
  }
  Finish(tensor.config(), tensor.layout(), tensor.codebook());
}

Dequantizer::Dequantizer(const Context& context, const Config& config,
                         const Shape& shape, const Layout& layout,
                         const TensorSlice& slice)
    : context_(context),
      kernels_(FormatOf(config).kernels()),
      outliers_(slice.outliers),
      shape_(shape) {
  args_.codes = slice.codes;
  args_.code_base = slice.code_base;
  args_.scales = slice.scales;
  args_.zero_points = slice.zero_points;
  args_.offsets = slice.offsets;
  args_.param_base = slice.param_base;
  Finish(config, layout, slice.codebook);
}

void Dequantizer::Finish(const Config& config, const Layout& layout,
                         const float* codebook) {
  args_.layout = &layout;
  args_.format = &FormatOf(config);
  args_.packing = PackingOf(*args_.format, config);
  args_.rule = RuleOf(*args_.format, config.variant());
  if (codebook != nullptr) {
    codebook_ = FittedTable(codebook, CountOf(args_.rule.range));
    args_.rule.table = &codebook_;
  }
  if (layout.per_element && layout.columns != 0 && layout.rows != 0) {
    element_params_ = ElementTables::Allocate(context_, layout);
    args_.elements =
        ElementTables::Fill(layout, args_.scales, args_.zero_points,
                            args_.offsets, element_params_.as<float>());
  }
}

void Dequantizer::Decode(uint64_t begin, uint64_t count, DType dtype,
                         bool stream, uint8_t* out, Overflow overflow) const {
  if (count == 0) return;
  DecodeArgs args = args_;
  args.begin = begin;
  args.count = count;
  args.dtype = dtype;
  args.overflow = overflow;
  args.out = out;
  args.stream = stream;
  args.stored = &stored_;
  if (!kernels_.decode(args) ||
      !ScatterOutliers(outliers_, shape_.features(), begin, count, dtype,
                       overflow, out)) {
    FailOverflow(begin, count, dtype);
  }
}

void Dequantizer::FailOverflow(uint64_t begin, uint64_t count,
                               DType dtype) const {
  std::vector<float> x(kChunk);
  for (uint64_t at = 0; at < count; at += kChunk) {
    const uint64_t n = std::min<uint64_t>(count - at, kChunk);
    Decode(begin + at, n, DType::kF32, false,
           reinterpret_cast<uint8_t*>(x.data()));
    for (uint64_t i = 0; i < n; ++i) {
      if (!Overflows(dtype, x[i])) continue;
      Fail(Status::kNonFinite, "element ", begin + at + i, ", at index [",
           shape_.IndexOf(begin + at + i), "], is ", x[i], ", which overflows ",
           Info(dtype).name,
           "; take F32 or BF16, or overflow = saturate or keep");
    }
  }
  Fail(Status::kInternal, "elements from ", begin,
       " on were taken to overflow");
}

void Dequantizer::DecodeParallel(uint64_t begin, uint64_t count, DType dtype,
                                 uint8_t* out, Overflow overflow) const {
  const uint64_t size = Info(dtype).bits / 8;
  const bool stream = count >= kStreamElements;
  ParallelFor(context_, DivCeil(count, kBlock), [&](uint64_t task) {
    const uint64_t at = task * kBlock;
    Decode(begin + at, std::min(count - at, kBlock), dtype, stream,
           out + at * size, overflow);
  });
}

}  // namespace bnq
