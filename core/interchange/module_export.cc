#include "core/interchange/module_export.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/base/half.h"
#include "core/interchange/transcode.h"
#include "core/kernels/elements.h"
#include "core/kernels/packing.h"

namespace bnq {

uint64_t ScaleRun(const Config& config, const Shape& shape) {
  const uint64_t columns = shape.features();
  const uint64_t group = config.group_size();
  switch (config.granularity()) {
    case Granularity::kTensor:
    case Granularity::kToken:
      return columns;
    case Granularity::kChannel:
      return shape.Axis(config.axis()) == shape.rank - 1 ? 0 : columns;
    case Granularity::kTile:
      return std::min(group, columns);
    case Granularity::kGroup:
      if (shape.rank == 2) return std::min(group, columns);
      break;
    case Granularity::kBlock:
      break;
  }
  // They go on over the ends of rows.
  return columns % group == 0 ? group : group % columns == 0 ? columns : 0;
}

bool HoldsGroups(const Config& config, const Shape& shape,
                 uint64_t group_size) {
  const uint64_t run = ScaleRun(config, shape);
  return run != 0 && (run % group_size == 0 || run == shape.features());
}

GroupValues::GroupValues(const QuantizedTensor& tensor, uint64_t group_size)
    : tensor_(tensor),
      columns_(tensor.shape().features()),
      group_size_(group_size),
      groups_(DivCeil(columns_, group_size)),
      rows_(tensor.shape().elements() / columns_),
      in_order_(ScaleRun(tensor.config(), tensor.shape()) == group_size &&
                tensor.config().granularity() != Granularity::kTile &&
                tensor.layout().num_params == rows_ * groups_) {}

const PartData* GroupValues::StoredAs(DType dtype) const {
  const PartData& scales = tensor_.part(Part::kScales);
  return in_order_ && scales.dtype == dtype && scales.count != 0 ? &scales
                                                                 : nullptr;
}

uint64_t GroupValues::ParamOf(uint64_t group) const {
  if (in_order_) return group;
  const Layout& layout = tensor_.layout();
  const uint64_t element =
      group / groups_ * columns_ + group % groups_ * group_size_;
  return layout.ParamIndex(element / layout.columns, element % layout.columns);
}

namespace {

void ReadStored(const StoredScales& stored, bool in_order, uint64_t begin,
                uint64_t n, float* out,
                const std::function<uint64_t(uint64_t)>& param) {
  if (stored.count == 0) {
    std::fill_n(out, n, 0.0f);
  } else if (in_order) {
    stored.Read(begin, n, out);
  } else {
    for (uint64_t i = 0; i < n; ++i) stored.Read(param(begin + i), 1, out + i);
  }
}

}  // namespace

void GroupValues::Scales(uint64_t begin, uint64_t n, float* out) const {
  ReadStored(tensor_.scales(), in_order_, begin, n, out,
             [this](uint64_t i) { return ParamOf(i); });
}

void GroupValues::Offsets(uint64_t begin, uint64_t n, float* out) const {
  ReadStored(tensor_.offsets(), in_order_, begin, n, out,
             [this](uint64_t i) { return ParamOf(i); });
}

void GroupValues::ZeroPoints(uint64_t begin, uint64_t n, int8_t* out) const {
  const int8_t* const zeros = tensor_.zero_points();
  if (tensor_.part(Part::kZeroPoints).count == 0) {
    std::memset(out, 0, n);
  } else if (in_order_) {
    std::memcpy(out, zeros + begin, n);
  } else {
    for (uint64_t i = 0; i < n; ++i) out[i] = zeros[ParamOf(begin + i)];
  }
}

namespace {

// Codes that are made at a time.
constexpr uint64_t kPiece = 4096;
// Bytes that are appended at a time.
constexpr uint64_t kAppendBytes = uint64_t{1} << 20;

bool AreSameBytes(const QuantizedTensor& tensor, FieldKind fields,
                  uint64_t stride) {
  const Packing packing = PackingOfBits(fields.bits);
  const uint64_t columns = tensor.shape().features();
  // Rows of the last dimension start on a byte where it is one of a matrix, or
  // fills whole units.
  return tensor.packing() == packing && tensor.bias() == fields.bias &&
         stride == RowBytes(packing, columns) &&
         (tensor.layout().columns == columns ||
          columns % CodesPerUnit(packing) == 0);
}

}  // namespace

void ReadFields(const Context& context, const QuantizedTensor& tensor,
                uint64_t begin, uint64_t end, FieldKind fields, uint64_t stride,
                uint8_t* out) {
  if (AreSameBytes(tensor, fields, stride)) {
    std::memcpy(out, tensor.codes() + begin * stride, (end - begin) * stride);
    return;
  }
  const Packing packing = PackingOfBits(fields.bits);
  const uint64_t columns = tensor.shape().features();
  if (fields.bits == 8 && tensor.packing() == packing && stride == columns) {
    FlipSigns(tensor.codes() + begin * stride, (end - begin) * stride, out);
    return;
  }
  const PackingKernels& kernels = GetPackingKernels(packing);
  int8_t codes[kPiece + kPackSlack];
  for (uint64_t row = begin; row < end; ++row, out += stride) {
    const uint64_t used = RowBytes(packing, columns);
    std::memset(out + used, 0, stride - used);
    for (uint64_t column = 0; column < columns; column += kPiece) {
      const uint64_t n = std::min(kPiece, columns - column);
      UnpackCodes(context, tensor, row * columns + column, n, codes);
      std::memset(codes + n, -fields.bias, kMaxUnitCodes);
      kernels.pack(codes, n, fields.bias, out + ByteOf(packing, column));
    }
  }
}

const uint8_t* FieldRows(const Context& context, const QuantizedTensor& tensor,
                         FieldKind fields, uint64_t stride, Buffer* buffer) {
  if (AreSameBytes(tensor, fields, stride)) return tensor.codes();
  const uint64_t rows = tensor.shape().elements() / tensor.shape().features();
  *buffer = context.Allocate(rows * stride + kPackSlack);
  ReadFields(context, tensor, 0, rows, fields, stride, buffer->data());
  return buffer->data();
}

void AppendFields(const Context& context, const QuantizedTensor& tensor,
                  FieldKind fields, uint64_t stride,
                  const AppendBytes& append) {
  const uint64_t rows = tensor.shape().elements() / tensor.shape().features();
  const uint64_t band =
      std::max<uint64_t>(kAppendBytes / std::max<uint64_t>(stride, 1), 1);
  const bool same = AreSameBytes(tensor, fields, stride);
  Buffer buffer =
      context.Allocate(same ? 0 : std::min(band, rows) * stride + kPackSlack);
  for (uint64_t begin = 0; begin < rows; begin += band) {
    const uint64_t end = std::min(rows, begin + band);
    if (same) {
      append(tensor.codes() + begin * stride, (end - begin) * stride);
    } else {
      ReadFields(context, tensor, begin, end, fields, stride, buffer.data());
      append(buffer.data(), (end - begin) * stride);
    }
    context.Tick();
  }
}

void PlannedTensor::Add(const std::string& name, DType dtype,
                        const std::vector<uint64_t>& dims, WriteArray write) {
  NewArray array;
  array.name = name;
  array.dtype = dtype;
  array.shape = Shape::Make(static_cast<int32_t>(dims.size()), dims.data());
  arrays.push_back(std::move(array));
  writers_.push_back(std::move(write));
}

void PlannedTensor::Add(const std::string& name, DType dtype,
                        const std::vector<uint64_t>& dims, std::string bytes) {
  Add(name, dtype, dims,
      [bytes = std::move(bytes)](const Context&, const QuantizedTensor&,
                                 const AppendBytes& append) {
        append(bytes.data(), bytes.size());
      });
}

void PlannedTensor::Lower(Verdict to, const std::string& reason) {
  if (static_cast<int>(to) > static_cast<int>(verdict)) verdict = to;
  why += (why.empty() ? "" : "; ") + reason;
}

void RoundTo(DType dtype, float* values, uint64_t n) {
  if (dtype == DType::kF32) return;
  for (uint64_t i = 0; i < n; ++i) {
    values[i] = dtype == DType::kF16 ? F32FromF16(F16FromF32(values[i]))
                                     : F32FromBF16(BF16FromF32(values[i]));
  }
}

void PlannedTensor::Append(const char* what, const float* values, uint64_t n,
                           DType dtype, bool to_zero,
                           const AppendBytes& append) {
  constexpr uint64_t kBatch = 2048;
  uint8_t bytes[4 * kBatch];
  float stored[kBatch + 64];  // what LoadElements may write behind them
  const uint64_t element = Info(dtype).bits / 8;
  SourceView view;
  view.data = bytes;
  view.dtype = dtype;
  for (uint64_t at = 0; at < n; at += kBatch) {
    const float* const from = values + at;
    const uint64_t count = std::min(kBatch, n - at);
    StoreElements(from, count, dtype, /*stream=*/false, bytes);
    LoadElements(view, 0, count, stored);
    if (!AreEqual(stored, from, count)) {
      CompareRounded(what, from, stored, count, dtype, to_zero);
    }
    append(bytes, count * element);
  }
}

void PlannedTensor::CompareRounded(const char* what, const float* values,
                                   const float* stored, uint64_t n, DType dtype,
                                   bool to_zero) {
  for (uint64_t i = 0; i < n; ++i) {
    if (stored[i] == values[i]) continue;
    if (!std::isfinite(stored[i]) || (stored[i] == 0.0f && !to_zero)) {
      Fail(Status::kUnsupported, what, ' ', values[i], " becomes ", stored[i],
           " as ", Info(dtype).name);
    }
    scale_change =
        std::max(scale_change, std::fabs(static_cast<double>(stored[i]) /
                                             static_cast<double>(values[i]) -
                                         1.0));
  }
}

void AppendScalesOf(const GroupValues& values, DType dtype,
                    PlannedTensor* tensor, const AppendBytes& append) {
  const PartData* const stored = values.StoredAs(dtype);
  if (stored != nullptr) return append(stored->data, stored->bytes);
  constexpr uint64_t kBatch = 4096;
  float scales[kBatch];
  for (uint64_t at = 0; at < values.count(); at += kBatch) {
    const uint64_t n = std::min(kBatch, values.count() - at);
    values.Scales(at, n, scales);
    tensor->AppendScales(scales, n, dtype, append);
  }
}

void AppendTransposedScales(const GroupValues& values, DType dtype,
                            PlannedTensor* tensor, const AppendBytes& append) {
  const uint64_t rows = values.rows(), groups = values.groups();
  std::vector<float> all(values.count()), column(rows);
  values.Scales(0, all.size(), all.data());
  for (uint64_t g = 0; g < groups; ++g) {
    for (uint64_t r = 0; r < rows; ++r) column[r] = all[r * groups + g];
    tensor->AppendScales(column.data(), rows, dtype, append);
  }
}

void AppendTransposedZeros(const GroupValues& values, FieldKind fields,
                           int32_t shift, const AppendBytes& append) {
  const uint64_t rows = values.rows(), groups = values.groups();
  const Packing packing = PackingOfBits(fields.bits);
  const uint64_t bytes = RowBytes(packing, rows);
  std::vector<int8_t> all(values.count()), column(rows + kPackSlack);
  std::vector<uint8_t> packed(bytes);
  values.ZeroPoints(0, all.size(), all.data());
  for (uint64_t g = 0; g < groups; ++g) {
    for (uint64_t r = 0; r < rows; ++r) {
      column[r] = static_cast<int8_t>(all[r * groups + g] + shift);
    }
    for (uint64_t at = 0; at < rows; at += kPiece) {
      const uint64_t n = std::min(kPiece, rows - at);
      int8_t codes[kPiece + kPackSlack];
      std::memcpy(codes, column.data() + at, n + kMaxUnitCodes);
      GetPackingKernels(packing).pack(codes, n, fields.bias,
                                      packed.data() + ByteOf(packing, at));
    }
    append(packed.data(), bytes);
  }
}

void LowerToF16(const Config& config, PlannedTensor* tensor) {
  if (config.scale_dtype() == ScaleDType::kF16) return;
  tensor->Lower(Verdict::kScalesRounded,
                ScalesBecome(config, {DType::kF16, true}));
}

ScalesAs ScalesAsStored(const Config& config, int32_t requested) {
  // What they are without loss.
  DType exact = DType::kF32;
  if (!config.double_quant()) {
    if (config.scale_dtype() == ScaleDType::kF16) exact = DType::kF16;
    if (config.scale_dtype() == ScaleDType::kBF16) exact = DType::kBF16;
  }
  if (requested == -1) return {exact, false};
  const DType dtype = static_cast<DType>(requested);
  return {dtype, dtype != exact && dtype != DType::kF32};
}

std::string ScalesBecome(const Config& config, ScalesAs scales) {
  const bool doubled = config.double_quant();
  return Message(
      doubled ? "double quantized"
              : OptionText(Config::Table().Known(
                               static_cast<int32_t>(Option::kScaleDType)),
                           static_cast<double>(config.scale_dtype())),
      " scales become ", Info(scales.dtype).name);
}

std::unique_ptr<PlainExport> ModuleExporter::PlanPlain(
    const ModelEntry& entry) {
  if (entry.shape.rank >= 2) plain_.push_back(Prefix(entry.name));
  return Exporter::PlanPlain(entry);
}

Metadata ModuleExporter::MakeMetadata(const Metadata& input) {
  Metadata metadata = input;
  SetMetadata("format", format_, &metadata);
  return metadata;
}

std::vector<std::string> ModuleExporter::Plain() const {
  std::vector<std::string> plain = plain_;
  const std::string head = "lm_head";
  const ModelEntry* const entry = request_.file.Find(head + ".weight");
  if ((entry == nullptr || !entry->same_as.empty()) &&
      std::find(plain.begin(), plain.end(), head) == plain.end()) {
    plain.push_back(head);
  }
  return plain;
}

std::string ModuleExporter::Refusal(const Config& config, const Parts& sizes,
                                    const Shape& shape) {
  if (shape.elements() == 0) return "it has no elements";
  if (shape.rank < 2) return "it is no matrix";
  if (config.outlier_threshold() != 0.0f) {
    return "it keeps outlier columns beside the codes (outlier_threshold)";
  }
  if (sizes[Part::kInputScales].bytes != 0) {
    return "its inputs are to be divided (input_scales), which no loader does";
  }
  if (ScaleRun(config, shape) == 0) {
    return "its scales are not those of runs of columns (granularity)";
  }
  return "";
}

std::unique_ptr<PlannedTensor> ModuleExporter::Refused(const std::string& why) {
  auto tensor = std::make_unique<PlannedTensor>();
  tensor->Lower(Verdict::kNotRepresentable, why);
  return tensor;
}

std::string ModuleExporter::Prefix(const std::string& name) {
  constexpr char kEnding[] = ".weight";
  constexpr size_t kLength = sizeof kEnding - 1;
  return name.size() > kLength &&
                 name.compare(name.size() - kLength, kLength, kEnding) == 0
             ? name.substr(0, name.size() - kLength)
             : name;
}

Config ModuleExporter::NearestIntegers(
    const ModelEntry& entry, const Config& config, const std::string& integers,
    std::initializer_list<uint64_t> group_sizes) {
  std::string text = "format=" + integers;
  uint64_t group = 0;
  for (const uint64_t size : group_sizes) {
    if (size > group && entry.shape.features() % size == 0) group = size;
  }
  text += group != 0 ? Message(",group_size=", group) : ",granularity=channel";
  if (config.scheme() != Scheme::kSymmetric) text += ",scheme=asymmetric";
  Config nearest = Config::FromText(text);
  const ScaleDType scales = config.scale_dtype();
  if (scales == ScaleDType::kF16 || scales == ScaleDType::kBF16) {
    nearest.SetInt(static_cast<int32_t>(Option::kScaleDType),
                   static_cast<int64_t>(scales));
  }
  return nearest;
}

std::string JsonList(const std::vector<std::string>& texts) {
  std::string json;
  for (const std::string& text : texts) {
    json += (json.empty() ? "[" : ", ") + JsonText(text);
  }
  return json.empty() ? "[]" : json + "]";
}

}  // namespace bnq
