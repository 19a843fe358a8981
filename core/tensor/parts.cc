#include "core/tensor/parts.h"

#include <cfloat>
#include <cmath>

#include "core/base/error.h"
#include "core/kernels/packing.h"
#include "core/scheme/layout.h"
#include "core/scheme/scales.h"
#include "core/tensor/tensor.h"

namespace bnq {
namespace {

PartData Sized(uint64_t count, DType dtype) {
  PartData data;
  data.count = count;
  data.bytes = count * (Info(dtype).bits / 8);
  data.dtype = dtype;
  return data;
}

Layout LayoutOf(const Config& config, const Shape& shape) {
  return MakeLayout(FormatOf(config), config, shape);
}

// One type only.
template <DType kType, uint32_t kRole>
uint32_t RoleOf(DType dtype) {
  return dtype == kType ? kRole : 0;
}

PartData CodesSize(const Config& config, const Shape& shape, const PartData&,
                   const Parts&) {
  return Sized(LayoutOf(config, shape).code_bytes, DType::kU8);
}

// Bytes of codes that are checked between two ticks.
constexpr uint64_t kTickBytes = uint64_t{1} << 20;

void ValidateCodes(const Context& context, const QuantizedTensor& tensor) {
  const Packing packing = tensor.packing();
  const PackingUnit unit = UnitOf(packing);
  // Units of several bytes hold codes whatever their bits are.
  if (unit.bytes != 1) return;
  const Format& format = tensor.format();
  const Layout& layout = tensor.layout();
  const uint8_t* const stored = tensor.codes();
  const PackingKernels& kernels = GetPackingKernels(packing);
  const int32_t limit = format.first_invalid;
  const int32_t bias = tensor.bias();
  // A byte is valid if its codes are, and if packing them gives it again.
  bool valid[256];
  bool all = true;
  for (int b = 0; b < 256; ++b) {
    int8_t codes[kMaxUnitCodes + kPackSlack] = {};
    const uint8_t byte = static_cast<uint8_t>(b);
    uint8_t again = 0;
    kernels.unpack(&byte, unit.codes, bias, codes);
    valid[b] = true;
    for (uint32_t i = 0; i < unit.codes; ++i) {
      valid[b] &= limit == 0 || codes[i] + bias < limit;
    }
    kernels.pack(codes, unit.codes, bias, &again);
    valid[b] &= again == byte;
    all &= valid[b];
  }
  if (all) return;
  for (uint64_t at = 0; at < layout.code_bytes; ++at) {
    if (at % kTickBytes == 0) context.Tick();
    if (valid[stored[at]]) continue;
    const uint64_t element = at / layout.row_bytes * layout.columns +
                             at % layout.row_bytes * unit.codes;
    int8_t codes[kMaxUnitCodes + kPackSlack] = {};
    kernels.unpack(stored + at, unit.codes, bias, codes);
    for (uint32_t i = 0; limit != 0 && i < unit.codes; ++i) {
      if (codes[i] + bias < limit) continue;
      Fail(Status::kInvalidArgument, "stored code of element ", element + i,
           " = ", codes[i] + bias, ", must be 0 to ", limit - 1, " for format ",
           format.name);
    }
    Fail(Status::kInvalidArgument, "byte ", at,
         " of the codes = ", Hex(stored[at], 2), ", from element ", element,
         " on, is not what any codes of format ", format.name,
         " are packed to");
  }
}

DType DTypeOf(ScaleDType dtype) {
  switch (dtype) {
    case ScaleDType::kF32:
      break;
    case ScaleDType::kF16:
      return DType::kF16;
    case ScaleDType::kBF16:
      return DType::kBF16;
    case ScaleDType::kE8M0:
      return DType::kF8E8M0;
    case ScaleDType::kE4M3:
      return DType::kF8E4M3;
  }
  return DType::kF32;
}

// Of scales or offsets.
PartData StoredSize(const Config& config, uint64_t count) {
  PartData data =
      Sized(count,
            config.double_quant() ? DType::kU8 : DTypeOf(config.scale_dtype()));
  data.bytes = StoredScaleBytes(config, count);
  return data;
}

PartData ScalesSize(const Config& config, const Shape& shape, const PartData&,
                    const Parts&) {
  const uint64_t count = LayoutOf(config, shape).num_params;
  return StoredSize(config, count);
}

uint32_t ScalesRole(DType) { return 3; }

void ValidateScales(const Context&, const QuantizedTensor& tensor) {
  tensor.scales().Validate("scale");
}

PartData ZeroPointsSize(const Config& config, const Shape& shape,
                        const PartData&, const Parts&) {
  const bool has = config.scheme() == Scheme::kAsymmetric;
  return Sized(has ? LayoutOf(config, shape).num_params : 0, DType::kI8);
}

void ValidateZeroPoints(const Context&, const QuantizedTensor& tensor) {
  const CodeRange range = tensor.format().code_range(tensor.config().variant());
  const uint64_t count = tensor.part(Part::kZeroPoints).count;
  for (uint64_t i = 0; i < count; ++i) {
    const int32_t zero = tensor.zero_points()[i];
    if (zero < range.lo || zero > range.hi) {
      Fail(Status::kInvalidArgument, "zero point ", i, " = ", zero,
           ", must be ", range.lo, " to ", range.hi);
    }
  }
}

PartData OutlierColumnsSize(const Config& config, const Shape& shape,
                            const PartData& given, const Parts&) {
  const uint64_t most = config.outlier_threshold() == 0.0f ? 0
                        : shape.elements() == 0            ? 0
                                                           : shape.features();
  const uint64_t count = given.bytes / sizeof(uint32_t);
  if (count > most) {
    Fail(Status::kInvalidArgument, count, " outlier columns, must be at most ",
         most,
         config.outlier_threshold() == 0.0f ? " without an outlier_threshold"
                                            : ", the last dimension");
  }
  return Sized(count, DType::kU32);
}

void ValidateOutlierColumns(const Context&, const QuantizedTensor& tensor) {
  const Outliers outliers = tensor.outliers();
  const uint64_t features = tensor.shape().features();
  for (uint64_t i = 0; i < outliers.count; ++i) {
    const uint32_t column = outliers.columns[i];
    if (column >= features || (i != 0 && column <= outliers.columns[i - 1])) {
      Fail(Status::kInvalidArgument, "outlier column ", i, " = ", column,
           ", must be above the one before it and below ", features);
    }
  }
}

PartData OutlierValuesSize(const Config&, const Shape& shape,
                           const PartData& given, const Parts& before) {
  const uint64_t columns = before[Part::kOutlierColumns].count;
  const uint64_t rows = columns == 0 ? 0 : shape.elements() / shape.features();
  return Sized(columns * rows,
               given.dtype == DType::kBF16 ? DType::kBF16 : DType::kF16);
}

uint32_t OutlierValuesRole(DType dtype) {
  return dtype == DType::kF16 ? 6 : dtype == DType::kBF16 ? 7 : 0;
}

PartData OffsetsSize(const Config& config, const Shape& shape, const PartData&,
                     const Parts&) {
  const bool has = config.scheme() == Scheme::kOffset;
  return StoredSize(config, has ? LayoutOf(config, shape).num_params : 0);
}

uint32_t OffsetsRole(DType) { return 8; }

void ValidateOffsets(const Context&, const QuantizedTensor& tensor) {
  if (tensor.part(Part::kOffsets).count != 0) {
    tensor.offsets().Validate("offset");
  }
}

PartData TensorScaleSize(const Config& config, const Shape&, const PartData&,
                         const Parts& before) {
  const bool has = config.scale_dtype() == ScaleDType::kE4M3;
  return Sized(has && before[Part::kScales].count != 0 ? 1 : 0, DType::kF32);
}

void ValidateTensorScale(const Context&, const QuantizedTensor& tensor) {
  const float scale = tensor.tensor_scale();
  // Where there is none it is 1.
  if (!(scale >= 0.0f && scale <= FLT_MAX)) {
    Fail(Status::kInvalidArgument, "tensor scale = ", scale,
         ", must be finite and not negative");
  }
}

PartData CodebookSize(const Config& config, const Shape& shape, const PartData&,
                      const Parts&) {
  const Format& format = FormatOf(config);
  const bool has = format.Has(kCodebook) && shape.elements() != 0;
  return Sized(
      has ? static_cast<uint64_t>(CountOf(format.code_range(config.variant())))
          : 0,
      DType::kF32);
}

void ValidateCodebook(const Context&, const QuantizedTensor& tensor) {
  const float* const values = tensor.codebook();
  const uint64_t count = tensor.part(Part::kCodebook).count;
  for (uint64_t i = 0; i < count; ++i) {
    // Of NaN every comparison is false.
    if (std::fabs(values[i]) <= kGreatestEntry &&
        (i == 0 || values[i] >= values[i - 1])) {
      continue;
    }
    Fail(Status::kInvalidArgument, "codebook entry ", i, " = ", values[i],
         ", must be within -", kGreatestEntry, " to ", kGreatestEntry,
         " and no less than the one before it");
  }
}

PartData InputScalesSize(const Config&, const Shape& shape,
                         const PartData& given, const Parts&) {
  const uint64_t count = given.bytes / sizeof(float);
  if (count != 0 && count != shape.columns()) {
    Fail(Status::kInvalidArgument, count, " input scales, must be ",
         shape.columns(), ", the columns of a row, or none");
  }
  return Sized(count, DType::kF32);
}

void ValidateInputScales(const Context&, const QuantizedTensor& tensor) {
  const float* const scales = tensor.input_scales();
  const uint64_t count = tensor.part(Part::kInputScales).count;
  for (uint64_t i = 0; i < count; ++i) {
    if (scales[i] > 0.0f && scales[i] <= FLT_MAX) continue;
    Fail(Status::kInvalidArgument, "input scale ", i, " = ", scales[i],
         ", must be finite and above 0");
  }
}

void AnythingGoes(const Context&, const QuantizedTensor&) {}

const PartInfo kParts[kNumParts] = {
    {Part::kCodes, "codes", 1, true, RoleOf<DType::kU8, 2>, CodesSize,
     ValidateCodes},
    {Part::kScales, "scales", sizeof(float), true, ScalesRole, ScalesSize,
     ValidateScales},
    {Part::kZeroPoints, "zero_points", 1, false, RoleOf<DType::kI8, 4>,
     ZeroPointsSize, ValidateZeroPoints},
    {Part::kOutlierColumns, "outlier_columns", sizeof(uint32_t), false,
     RoleOf<DType::kU32, 5>, OutlierColumnsSize, ValidateOutlierColumns},
    {Part::kOutlierValues, "outlier_values", 1, false, OutlierValuesRole,
     OutlierValuesSize, AnythingGoes},
    {Part::kOffsets, "offsets", sizeof(float), false, OffsetsRole, OffsetsSize,
     ValidateOffsets},
    {Part::kTensorScale, "tensor_scale", sizeof(float), false,
     RoleOf<DType::kF32, 9>, TensorScaleSize, ValidateTensorScale},
    {Part::kCodebook, "codebook", sizeof(float), false, RoleOf<DType::kF32, 10>,
     CodebookSize, ValidateCodebook},
    {Part::kInputScales, "input_scales", sizeof(float), false,
     RoleOf<DType::kF32, 11>, InputScalesSize, ValidateInputScales},
};

}  // namespace

uint64_t Parts::bytes() const {
  uint64_t total = 0;
  for (const PartData& data : data_) total += data.bytes;
  return total;
}

const PartInfo& PartAt(int index) { return kParts[index]; }

const PartInfo* FindPart(int32_t id) {
  for (const PartInfo& info : kParts) {
    if (static_cast<int32_t>(info.id) == id) return &info;
  }
  return nullptr;
}

Parts PartSizes(const Config& config, const Shape& shape, const Parts& given) {
  Parts sizes;
  for (const PartInfo& info : kParts) {
    sizes[info.id] = info.size(config, shape, given[info.id], sizes);
  }
  return sizes;
}

PartData CheckedPart(Part id, const PartData& size, const PartData& given) {
  const PartInfo& info = *FindPart(static_cast<int32_t>(id));
  if (given.bytes != size.bytes) {
    Fail(Status::kInvalidArgument, info.name, " take ", given.bytes,
         " bytes, must be ", size.bytes);
  }
  PartData part = size;
  if (part.bytes == 0) return part;
  if (given.dtype != part.dtype) {
    Fail(Status::kInvalidArgument, info.name, " are of ",
         Info(given.dtype).name, ", must be of ", Info(part.dtype).name);
  }
  if (given.data == nullptr) {
    Fail(Status::kInvalidArgument, info.name, " are NULL, must be ", part.bytes,
         " bytes");
  }
  const uintptr_t address = reinterpret_cast<uintptr_t>(given.data);
  if (address % info.alignment != 0) {
    Fail(Status::kInvalidArgument, info.name, " = ", Hex(address, 1),
         ", must be aligned to ", info.alignment, " bytes");
  }
  part.data = given.data;
  return part;
}

Parts CheckedParts(const Config& config, const Shape& shape,
                   const Parts& given) {
  Parts parts = PartSizes(config, shape, given);
  for (const PartInfo& info : kParts) {
    parts[info.id] = CheckedPart(info.id, parts[info.id], given[info.id]);
  }
  return parts;
}

}  // namespace bnq
