#include "core/tensor/tensor.h"

#include <algorithm>
#include <cstring>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/kernels/traversal.h"
#include "core/scheme/registry.h"
#include "core/scheme/rules.h"

namespace bnq {
namespace {

void RefuseWide(const Format& format) {
  if (format.packing == Packing::kBits16) {
    Fail(Status::kUnsupported, "codes of format ", format.name,
         " are of 16 bits and are not unpacked");
  }
}

}  // namespace

const Format& FormatOf(const Config& config) {
  const Format* format = FindFormat(config.format());
  if (format == nullptr) {
    Fail(Status::kInvalidArgument,
         "format = none leaves arrays as they are; to quantize it must be one "
         "of: ",
         FormatNames());
  }
  return *format;
}

QuantizedSizes SizesOf(const Config& config, const Shape& shape) {
  const Layout layout = MakeLayout(FormatOf(config), config, shape);
  QuantizedSizes sizes;
  sizes.code_bytes = layout.code_bytes;
  sizes.scales = layout.num_params;
  sizes.scale_bytes = StoredScaleBytes(config, layout.num_params);
  if (config.scheme() == Scheme::kAsymmetric) {
    sizes.zero_points = layout.num_params;
  }
  // Parameters are no more than elements, whose bytes fit (Shape::Make).
  return sizes;
}

QuantizedTensor::QuantizedTensor(const Context& context, const Config& config,
                                 const Shape& shape, uint64_t outlier_columns,
                                 DType outlier_dtype)
    : QuantizedTensor(config, shape, TensorParts(), nullptr) {
  codes_ = context.Allocate(sizes_.code_bytes);
  scales_ = context.Allocate(sizes_.scale_bytes);
  zero_points_ = context.Allocate(sizes_.zero_points);
  parts_ = {codes_.data(), scales_.data(), zero_points_.as<int8_t>(), {}};
  if (outlier_columns != 0) {
    outlier_columns_ = context.Allocate(4 * outlier_columns);
    outlier_values_ = context.Allocate(2 * outlier_columns * tokens());
    parts_.outliers = {outlier_columns_.as<uint32_t>(), outlier_columns,
                       outlier_dtype, outlier_values_.data()};
  }
}

QuantizedTensor::QuantizedTensor(const Config& config, const Shape& shape,
                                 const TensorParts& parts,
                                 std::shared_ptr<const void> keep_alive)
    : config_(config),
      format_(&FormatOf(config)),
      shape_(shape),
      layout_(MakeLayout(*format_, config, shape)),
      sizes_(SizesOf(config, shape)),
      parts_(parts),
      keep_alive_(std::move(keep_alive)) {}

uint64_t QuantizedTensor::features() const {
  return shape_.rank == 0 ? 1 : shape_.dims[shape_.rank - 1];
}

uint64_t QuantizedTensor::tokens() const {
  const uint64_t n = features();
  return n == 0 ? 0 : shape_.elements() / n;
}

uint64_t QuantizedTensor::bytes() const {
  const uint64_t k = parts_.outliers.count;
  return sizes_.bytes() + 4 * k + 2 * k * tokens();
}

double QuantizedTensor::bits_per_weight() const {
  const uint64_t n = shape_.elements();
  return n == 0 ? 0.0
                : 8.0 * static_cast<double>(bytes()) / static_cast<double>(n);
}

StoredScales QuantizedTensor::scales() const {
  StoredScales scales;
  scales.dtype = config_.scale_dtype();
  scales.double_quant = config_.double_quant();
  scales.count = sizes_.scales;
  scales.data = parts_.scales;
  return scales;
}

void QuantizedTensor::ValidateParams() const {
  scales().Validate();
  const CodeRange range = format_->code_range(config_.variant());
  for (uint64_t i = 0; i < sizes_.zero_points; ++i) {
    const int32_t zero = parts_.zero_points[i];
    if (zero < range.lo || zero > range.hi) {
      Fail(Status::kInvalidArgument, "zero point ", i, " = ", zero,
           ", must be ", range.lo, " to ", range.hi);
    }
  }
  const Outliers& outliers = parts_.outliers;
  for (uint64_t i = 0; i < outliers.count; ++i) {
    const uint32_t column = outliers.columns[i];
    if (column >= features() || (i != 0 && column <= outliers.columns[i - 1])) {
      Fail(Status::kInvalidArgument, "outlier column ", i, " = ", column,
           ", must be above the one before it and below ", features());
    }
  }
}

void QuantizedTensor::Validate() const {
  ValidateParams();
  const Packing packing = this->packing();
  if (packing == Packing::kBits16) return;
  const PackingUnit unit = UnitOf(packing);
  const PackingKernels& kernels = GetPackingKernels(packing);
  // A byte is valid if its codes are, and if packing them gives it again.
  bool valid[256];
  bool all = true;
  const int32_t limit = format_->first_invalid;
  for (int b = 0; b < 256; ++b) {
    int8_t codes[kMaxUnitCodes + kPackSlack] = {};
    const uint8_t byte = static_cast<uint8_t>(b);
    uint8_t again = 0;
    kernels.unpack(&byte, unit.codes, format_->bias, codes);
    valid[b] = true;
    for (uint32_t i = 0; i < unit.codes; ++i) {
      valid[b] &= limit == 0 || codes[i] + format_->bias < limit;
    }
    kernels.pack(codes, unit.codes, format_->bias, &again);
    valid[b] &= again == byte;
    all &= valid[b];
  }
  if (all) return;
  for (uint64_t at = 0; at < layout_.code_bytes; ++at) {
    if (valid[parts_.codes[at]]) continue;
    const uint64_t row = at / layout_.row_bytes;
    const uint64_t column = at % layout_.row_bytes * unit.codes;
    int8_t codes[kMaxUnitCodes + kPackSlack] = {};
    kernels.unpack(parts_.codes + at, unit.codes, format_->bias, codes);
    for (uint32_t i = 0; limit != 0 && i < unit.codes; ++i) {
      if (codes[i] + format_->bias < limit) continue;
      Fail(Status::kInvalidArgument, "stored code of element ",
           row * layout_.columns + column + i, " = ", codes[i] + format_->bias,
           ", must be 0 to ", limit - 1, " for format ", format_->name);
    }
    Fail(Status::kInvalidArgument, "byte ", at,
         " of the codes = ", Hex(parts_.codes[at], 2), ", from element ",
         row * layout_.columns + column,
         " on, is not what any codes of format ", format_->name,
         " are packed to");
  }
}

void UnpackCodes(const QuantizedTensor& tensor, uint64_t begin, uint64_t count,
                 int8_t* codes) {
  const Layout& layout = tensor.layout();
  const Format& format = tensor.format();
  const Packing packing = tensor.packing();
  RefuseWide(format);
  const PackingKernels& kernels = GetPackingKernels(packing);
  const uint64_t unit = CodesPerUnit(packing);
  int8_t scratch[kSpan + kPackSlack];
  for (uint64_t done = 0; done < count;) {
    const uint64_t row = (begin + done) / layout.columns;
    const uint64_t column = (begin + done) % layout.columns;
    const uint64_t skip = column % unit;
    uint64_t n = kSpan - skip;
    if (layout.columns - column < n) n = layout.columns - column;
    if (count - done < n) n = count - done;
    kernels.unpack(
        tensor.parts().codes + row * layout.row_bytes + ByteOf(packing, column),
        skip + n, format.bias, scratch);
    std::memcpy(codes + done, scratch + skip, n);
    done += n;
  }
}

void PackCodes(const Config& config, const Shape& shape, const int8_t* codes,
               uint8_t* packed) {
  const Format& format = FormatOf(config);
  RefuseWide(format);
  const Layout layout = MakeLayout(format, config, shape);
  const Packing packing = PackingOf(format, config);
  const PackingKernels& kernels = GetPackingKernels(packing);
  const CodeRange range = format.code_range(config.variant());
  int8_t scratch[kSpan + kPackSlack];
  for (uint64_t row = 0; row < layout.rows; ++row) {
    for (uint64_t column = 0; column < layout.columns; column += kSpan) {
      const uint64_t left = layout.columns - column;
      const uint64_t n = left < kSpan ? left : kSpan;
      const uint64_t at = row * layout.columns + column;
      for (uint64_t i = 0; i < n; ++i) {
        if (codes[at + i] < range.lo || codes[at + i] > range.hi) {
          Fail(Status::kInvalidArgument, "code of element ", at + i, " = ",
               codes[at + i], ", must be ", range.lo, " to ", range.hi,
               " for format ", format.name);
        }
      }
      std::memcpy(scratch, codes + at, n);
      std::memset(scratch + n, format.padding, kMaxUnitCodes);
      kernels.pack(scratch, n, format.bias,
                   packed + row * layout.row_bytes + ByteOf(packing, column));
    }
  }
}

std::unique_ptr<QuantizedTensor> Repack(const Context& context,
                                        const QuantizedTensor& tensor,
                                        PackingChoice packing) {
  Config config = tensor.config();
  config.SetInt(static_cast<int32_t>(Option::kPacking),
                static_cast<int64_t>(packing));
  const TensorParts& from = tensor.parts();
  const Outliers& outliers = from.outliers;
  auto copy = std::make_unique<QuantizedTensor>(context, config, tensor.shape(),
                                                outliers.count, outliers.dtype);
  const auto fill = [](void* to, const void* data, uint64_t bytes) {
    if (bytes != 0) std::memcpy(to, data, bytes);
  };
  fill(copy->mutable_scales(), from.scales, tensor.sizes().scale_bytes);
  fill(copy->mutable_zero_points(), from.zero_points,
       tensor.sizes().zero_points);
  fill(copy->mutable_outlier_columns(), outliers.columns, 4 * outliers.count);
  fill(copy->mutable_outlier_values(), outliers.values,
       2 * outliers.count * tensor.tokens());
  if (tensor.packing() == copy->packing()) {
    fill(copy->mutable_codes(), from.codes, tensor.sizes().code_bytes);
    return copy;
  }
  // Row by row: where a row of the shape ends on a unit depends on the packing,
  // so the layouts may have other rows.
  const Shape& shape = tensor.shape();
  const bool one_row = config.granularity() == Granularity::kBlock;
  const uint64_t rows = one_row ? 1 : shape.rows();
  const uint64_t columns = one_row ? shape.elements() : shape.columns();
  const PackingKernels& kernels = GetPackingKernels(copy->packing());
  const uint64_t row_bytes = RowBytes(copy->packing(), columns);
  int8_t codes[kSpan + kPackSlack];
  for (uint64_t row = 0; row < rows; ++row) {
    for (uint64_t column = 0; column < columns; column += kSpan) {
      const uint64_t n = std::min<uint64_t>(kSpan, columns - column);
      UnpackCodes(tensor, row * columns + column, n, codes);
      std::memset(codes + n, copy->format().padding, kMaxUnitCodes);
      kernels.pack(codes, n, copy->format().bias,
                   copy->mutable_codes() + row * row_bytes +
                       ByteOf(copy->packing(), column));
    }
  }
  return copy;
}

}  // namespace bnq
