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

QuantizedTensor::QuantizedTensor(const Context& context, const Config& config,
                                 const Shape& shape, const Parts& given,
                                 std::shared_ptr<const void> keep_alive)
    : config_(config),
      format_(&FormatOf(config)),
      shape_(shape),
      layout_(MakeLayout(*format_, config, shape)),
      parts_(PartSizes(config, shape, given)),
      keep_alive_(std::move(keep_alive)) {
  for (int i = 0; i < kNumParts; ++i) {
    const Part id = PartAt(i).id;
    PartData& part = parts_[id];
    part.data = given[id].data;
    if (part.data != nullptr || part.bytes == 0) continue;
    own_[i] = context.Allocate(part.bytes);
    part.data = own_[i].data();
  }
}

namespace {

double BitsPerWeight(const Parts& parts, const Shape& shape) {
  const uint64_t n = shape.elements();
  if (n == 0) return 0.0;
  return 8.0 * static_cast<double>(parts.bytes()) / static_cast<double>(n);
}

}  // namespace

double BitsPerWeight(const Config& config) {
  const uint64_t dims[] = {4096, 4096};
  const Shape shape = Shape::Make(2, dims);
  return BitsPerWeight(PartSizes(config, shape), shape);
}

double QuantizedTensor::bits_per_weight() const {
  return BitsPerWeight(parts_, shape_);
}

StoredScales QuantizedTensor::scales() const {
  const PartData& part = parts_[Part::kScales];
  return StoredScales(config_, part.count, part.data, tensor_scale());
}

StoredScales QuantizedTensor::offsets() const {
  const PartData& part = parts_[Part::kOffsets];
  return StoredScales(config_, part.count, part.data);
}

float QuantizedTensor::tensor_scale() const {
  const PartData& part = parts_[Part::kTensorScale];
  return part.count == 0 ? 1.0f : *reinterpret_cast<const float*>(part.data);
}

Outliers QuantizedTensor::outliers() const {
  const PartData& columns = parts_[Part::kOutlierColumns];
  const PartData& values = parts_[Part::kOutlierValues];
  return {reinterpret_cast<const uint32_t*>(columns.data), columns.count,
          values.dtype, values.data};
}

void QuantizedTensor::Validate(const Context& context) const {
  for (int i = 0; i < kNumParts; ++i) PartAt(i).validate(context, *this);
}

bool SameTensor(const QuantizedTensor& a, const QuantizedTensor& b) {
  // What they are, not how they were made.
  if (!(a.config().OfTensor() == b.config().OfTensor()) ||
      a.shape() != b.shape()) {
    return false;
  }
  for (int i = 0; i < kNumParts; ++i) {
    const PartData& x = a.part(PartAt(i).id);
    const PartData& y = b.part(PartAt(i).id);
    if (x.bytes != y.bytes || x.dtype != y.dtype) return false;
    if (x.bytes != 0 && std::memcmp(x.data, y.data, x.bytes) != 0) return false;
  }
  return true;
}

std::unique_ptr<QuantizedTensor> TensorOfParts(const Context& context,
                                               const Config& config,
                                               const Shape& shape,
                                               const Parts& given,
                                               bool borrow) {
  const Parts parts = CheckedParts(config, shape, given);
  Parts sizes = parts;
  for (int i = 0; !borrow && i < kNumParts; ++i) {
    sizes[PartAt(i).id].data = nullptr;
  }
  auto tensor =
      std::make_unique<QuantizedTensor>(context, config, shape, sizes);
  for (int i = 0; !borrow && i < kNumParts; ++i) {
    const Part id = PartAt(i).id;
    if (parts[id].bytes == 0) continue;
    std::memcpy(tensor->mutable_part(id), parts[id].data, parts[id].bytes);
  }
  tensor->Validate(context);
  return tensor;
}

// Codes between two ticks.
constexpr uint64_t kTickCodes = 65536;

void UnpackCodes(const Context& context, const QuantizedTensor& tensor,
                 uint64_t begin, uint64_t count, int8_t* codes) {
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
        tensor.codes() + row * layout.row_bytes + ByteOf(packing, column),
        skip + n, tensor.bias(), scratch);
    std::memcpy(codes + done, scratch + skip, n);
    done += n;
    if (done % kTickCodes < n) context.Tick();
  }
}

void PackCodes(const Context& context, const Config& config, const Shape& shape,
               const int8_t* codes, uint8_t* packed) {
  const Format& format = FormatOf(config);
  RefuseWide(format);
  const Layout layout = MakeLayout(format, config, shape);
  const Packing packing = PackingOf(format, config);
  const PackingKernels& kernels = GetPackingKernels(packing);
  const CodeRule rule = RuleOf(format, config.variant());
  const CodeRange range = rule.range;
  const int32_t bias = BiasOf(format, rule);
  int8_t scratch[kSpan + kPackSlack];
  for (uint64_t row = 0; row < layout.rows; ++row) {
    for (uint64_t column = 0; column < layout.columns; column += kSpan) {
      const uint64_t left = layout.columns - column;
      const uint64_t n = left < kSpan ? left : kSpan;
      const uint64_t at = row * layout.columns + column;
      for (uint64_t i = 0; i < n; ++i) {
        const int8_t code = codes[at + i];
        if (code >= range.lo && code <= range.hi &&
            !(rule.signs && code == 0)) {
          continue;
        }
        Fail(Status::kInvalidArgument, "code of element ", at + i, " = ", code,
             ", must be ", range.lo, rule.signs ? " or " : " to ", range.hi,
             " for format ", format.name);
      }
      std::memcpy(scratch, codes + at, n);
      std::memset(scratch + n, format.padding, kMaxUnitCodes);
      kernels.pack(scratch, n, bias,
                   packed + row * layout.row_bytes + ByteOf(packing, column));
      if (at % kTickCodes < n) context.Tick();
    }
  }
}

std::unique_ptr<QuantizedTensor> Repack(const Context& context,
                                        const QuantizedTensor& tensor,
                                        PackingChoice packing) {
  Config config = tensor.config();
  config.SetInt(static_cast<int32_t>(Option::kPacking),
                static_cast<int64_t>(packing));
  // All parts but codes are as they were.
  Parts sizes = tensor.parts();
  for (int i = 0; i < kNumParts; ++i) sizes[PartAt(i).id].data = nullptr;
  auto copy =
      std::make_unique<QuantizedTensor>(context, config, tensor.shape(), sizes);
  const bool same_codes = tensor.packing() == copy->packing();
  for (int i = 0; i < kNumParts; ++i) {
    const Part id = PartAt(i).id;
    const PartData& from = tensor.part(id);
    if (from.bytes == 0 || (id == Part::kCodes && !same_codes)) continue;
    std::memcpy(copy->mutable_part(id), from.data, from.bytes);
  }
  if (same_codes) return copy;
  // Row by row: where a row of the shape ends on a unit depends on the packing,
  // so the layouts may have other rows.
  const auto [rows, columns] =
      CodeMatrixOf(config.granularity(), tensor.shape());
  const PackingKernels& kernels = GetPackingKernels(copy->packing());
  const uint64_t row_bytes = RowBytes(copy->packing(), columns);
  int8_t codes[kSpan + kPackSlack];
  for (uint64_t row = 0; row < rows; ++row) {
    for (uint64_t column = 0; column < columns; column += kSpan) {
      const uint64_t n = std::min<uint64_t>(kSpan, columns - column);
      UnpackCodes(context, tensor, row * columns + column, n, codes);
      std::memset(codes + n, copy->format().padding, kMaxUnitCodes);
      kernels.pack(codes, n, copy->bias(),
                   copy->mutable_codes() + row * row_bytes +
                       ByteOf(copy->packing(), column));
    }
  }
  return copy;
}

}  // namespace bnq
