#include "core/interchange/module_arrays.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/base/half.h"
#include "core/io/endian.h"
#include "core/io/naming.h"
#include "core/kernels/packing.h"
#include "core/scheme/registry.h"

namespace bnq {

const std::initializer_list<DType> kScaleTypes = {DType::kF32, DType::kF16,
                                                  DType::kBF16};

// ---- Integer codes ----

FieldKind FieldsOf(const Config& config) {
  const Format& format = FormatOf(config);
  if (!format.Has(kInteger)) return {};
  const uint32_t bits = CodeBits(format.packing);
  return {bits, format.Has(kBase3Codes) ? 1 : 1 << (bits - 1)};
}

Packing PackingOfBits(uint32_t bits) {
  switch (bits) {
    case 2:
      return Packing::kBits2;
    case 3:
      return Packing::kBits3;
    case 4:
      return Packing::kBits4;
    case 5:
      return Packing::kBits5;
    case 6:
      return Packing::kBits6;
    default:
      return Packing::kBits8;
  }
}

Config IntegerConfig(uint32_t bits, uint64_t columns, uint64_t group_size,
                     Scheme scheme, DType scales) {
  std::string text = Message("format=int", bits, ",scale_dtype=",
                             scales == DType::kF16    ? "f16"
                             : scales == DType::kBF16 ? "bf16"
                                                      : "f32");
  text += group_size >= columns ? ",granularity=channel"
                                : Message(",group_size=", group_size);
  text += scheme == Scheme::kSymmetric    ? ",symmetric_range=full"
          : scheme == Scheme::kAsymmetric ? ",scheme=asymmetric"
                                          : ",scheme=offset";
  return Config::FromText(text);
}

// ---- Reading ----

uint32_t StoredArray::WordAt(uint64_t i) const {
  return LoadLE<uint32_t>(data + 4 * i);
}

float StoredArray::FloatAt(uint64_t i) const {
  if (dtype == DType::kF32) return F32OfBits(WordAt(i));
  const uint16_t half = LoadLE<uint16_t>(data + 2 * i);
  return dtype == DType::kF16 ? F32FromF16(half) : F32FromBF16(half);
}

StoredArray FindStored(const ForeignModel& model, const std::string& name) {
  StoredArray array;
  const ModelEntry* const entry = model.Find(name);
  if (entry == nullptr || entry->format != 0) return array;
  array.data = model.file.Mapped(*entry);
  if (array.data == nullptr) return array;
  array.entry = entry;
  array.dtype = static_cast<DType>(entry->dtype);
  array.shape = entry->shape;
  return array;
}

bool IsOneOf(DType dtype, std::initializer_list<DType> types) {
  return std::find(types.begin(), types.end(), dtype) != types.end();
}

void Expect(const StoredArray& array, const std::string& name,
            std::initializer_list<DType> types,
            std::initializer_list<uint64_t> dims) {
  if (!array) {
    Fail(Status::kCorruptFile, "there is no array ", Quoted(name),
         " beside it");
  }
  if (!IsOneOf(array.dtype, types)) {
    std::string names;
    for (const DType type : types) {
      names += (names.empty() ? "" : " or ") + std::string(Info(type).name);
    }
    Fail(Status::kCorruptFile, "array ", Quoted(name), " is ",
         Info(array.dtype).name, ", must be ", names);
  }
  const Shape shape =
      Shape::Make(static_cast<int32_t>(dims.size()), dims.begin());
  if (array.shape != shape) {
    Fail(Status::kCorruptFile, "array ", Quoted(name), " is of shape ",
         array.shape.ToString(), ", must be ", shape.ToString());
  }
}

void ForEachModule(const ForeignModel& model, const std::string& ending,
                   const std::function<void(const std::string& prefix,
                                            const StoredArray& array)>& f) {
  for (const ModelEntry& entry : model.file.entries()) {
    const std::string& name = entry.name;
    if (name.size() <= ending.size() ||
        name.compare(name.size() - ending.size(), ending.size(), ending) != 0) {
      continue;
    }
    const StoredArray array = FindStored(model, name);
    if (!array) continue;
    const std::string prefix = name.substr(0, name.size() - ending.size());
    InTensor(prefix + ".weight", [&] {
      try {
        f(prefix, array);
      } catch (const Error& e) {
        if (e.status() != Status::kInvalidArgument) throw;
        throw Error(Status::kCorruptFile, e.message());
      }
    });
  }
}

uint64_t UnsignedOr(const JsonTree& tree, const char* key, uint64_t otherwise) {
  const JsonTree* const found = tree.Find(key);
  return found != nullptr && found->kind == JsonTree::Kind::kUnsigned
             ? found->whole
             : otherwise;
}

std::string StringOr(const JsonTree& tree, const char* key,
                     const std::string& otherwise) {
  const JsonTree* const found = tree.Find(key);
  return found != nullptr && found->kind == JsonTree::Kind::kString
             ? found->string
             : otherwise;
}

FoundTensor::FoundTensor(const std::string& tensor_name,
                         const Shape& tensor_shape, const Config& tensor_config,
                         const std::string& tensor_note) {
  name = tensor_name;
  shape = tensor_shape;
  config = tensor_config;
  sizes = PartSizes(config, shape);
  note = tensor_note;
  rows = shape.rows();
}

FoundTensor::FoundTensor(const std::string& tensor_name,
                         const Shape& tensor_shape,
                         const std::string& tensor_note, MakeRows values) {
  name = tensor_name;
  shape = tensor_shape;
  quantized = false;
  note = tensor_note;
  rows = shape.rows();
  Make(Part::kCodes, std::move(values));
}

void FoundTensor::Map(Part part, const StoredArray& array) {
  const uint64_t bytes = array.entry->raw_bytes;
  if (bytes != sizes[part].bytes) {
    Fail(Status::kCorruptFile, "array ", Quoted(array.entry->name), " takes ",
         bytes, " bytes, must be ", sizes[part].bytes);
  }
  parts_[part].mapped = array.data;
  Take(array);
}

void FoundTensor::Make(Part part, MakeRows make) {
  parts_[part].make = std::move(make);
}

void FoundTensor::Take(const StoredArray& array) {
  from.push_back(array.entry);
}

void FoundTensor::Read(const Context& context, Part part, uint64_t begin,
                       uint64_t end, uint8_t* out) const {
  const auto found = parts_.find(part);
  if (found == parts_.end()) {
    Fail(Status::kInternal, "a part that it has not");
  }
  const Source& source = found->second;
  if (source.mapped == nullptr) return source.make(context, begin, end, out);
  // Whole where it is not cut into rows.
  const uint64_t bytes = sizes[part].bytes, row_bytes = bytes / rows;
  const uint64_t first = begin * row_bytes;
  const uint64_t last = end == rows ? bytes : end * row_bytes;
  std::memcpy(out, source.mapped + first, last - first);
}

const uint8_t* FoundTensor::Mapped(Part part) const {
  const auto found = parts_.find(part);
  return found == parts_.end() ? nullptr : found->second.mapped;
}

namespace {

// The last unit of a row of ours may be shorter than the array's.
void CopyRows(const uint8_t* from, uint64_t stride, uint64_t rows,
              uint64_t row_bytes, uint8_t flip, uint8_t* out) {
  for (uint64_t r = 0; r < rows; ++r, from += stride, out += row_bytes) {
    if (flip == 0) {
      std::memcpy(out, from, row_bytes);
    } else {
      for (uint64_t i = 0; i < row_bytes; ++i) {
        out[i] = static_cast<uint8_t>(from[i] ^ flip);
      }
    }
  }
}

}  // namespace

void MapFields(FieldKind fields, const StoredArray& array, uint64_t stride,
               FoundTensor* tensor) {
  const Format& format = FormatOf(tensor->config);
  const int32_t bias = BiasOf(format, RuleOf(format, tensor->config.variant()));
  const uint64_t rows = tensor->shape.rows();
  const uint64_t row_bytes = tensor->sizes[Part::kCodes].bytes / rows;
  if (bias == fields.bias && row_bytes == stride) {
    tensor->Map(Part::kCodes, array);
    return;
  }
  // Bytes in two's complement, whose bias is the sign.
  const uint8_t flip = bias == fields.bias ? 0 : 0x80;
  const uint8_t* const data = array.data;
  tensor->Take(array);
  tensor->Make(Part::kCodes, [=](const Context&, uint64_t begin, uint64_t end,
                                 uint8_t* out) {
    CopyRows(data + begin * stride, stride, end - begin, row_bytes, flip, out);
  });
}

std::vector<uint32_t> ReadGroupIndex(const StoredArray& index, uint64_t groups,
                                     uint64_t group_size) {
  const uint64_t columns = index.shape.elements();
  std::vector<uint32_t> found(columns);
  bool in_order = true, none = true;
  for (uint64_t i = 0; i < columns; ++i) {
    found[i] = index.WordAt(i);
    none = none && found[i] == UINT32_MAX;
    in_order = in_order && found[i] == i / group_size;
    if (found[i] < groups || none) continue;
    Fail(Status::kCorruptFile, "group ", static_cast<int32_t>(found[i]),
         " of column ", i, ", must be 0 to ", groups - 1);
  }
  // The first ones were, but not all.
  if (!none && columns != 0 && found[0] == UINT32_MAX) {
    Fail(Status::kCorruptFile, "group -1 of column 0, must be 0 to ",
         groups - 1);
  }
  if (in_order || none) found.clear();
  return found;
}

namespace {

// Rows of values; scales and zero points are of one row.
void MakeValues(const Context& context, const FoundTensor& tensor,
                const std::vector<uint32_t>& index, uint64_t begin,
                uint64_t end, float* out) {
  const Parts& sizes = tensor.sizes;
  const uint64_t columns = tensor.shape.columns(), rows = tensor.rows;
  const uint64_t row_bytes = sizes[Part::kCodes].bytes / rows;
  const uint64_t groups = sizes[Part::kScales].count / rows;
  const uint64_t scale_bytes = sizes[Part::kScales].bytes / rows;
  const bool shifted = sizes[Part::kZeroPoints].count != 0;
  const Format& format = FormatOf(tensor.config);
  const CodeRule rule = RuleOf(format, tensor.config.variant());
  const PackingKernels& kernels = GetPackingKernels(format.packing);
  std::vector<uint8_t> packed(row_bytes), stored(scale_bytes);
  std::vector<int8_t> codes(columns + kPackSlack), zeros(groups);
  std::vector<float> scales(groups);
  for (uint64_t row = begin; row < end; ++row, out += columns) {
    tensor.Read(context, Part::kCodes, row, row + 1, packed.data());
    kernels.unpack(packed.data(), columns, BiasOf(format, rule), codes.data());
    tensor.Read(context, Part::kScales, row, row + 1, stored.data());
    StoredScales(tensor.config, groups, stored.data())
        .Read(0, groups, scales.data());
    if (shifted) {
      tensor.Read(context, Part::kZeroPoints, row, row + 1,
                  reinterpret_cast<uint8_t*>(zeros.data()));
    }
    for (uint64_t c = 0; c < columns; ++c) {
      const uint32_t group = index[c];
      out[c] = static_cast<float>(codes[c] - zeros[group]) * scales[group];
    }
  }
}

}  // namespace

std::unique_ptr<FoundTensor> ValuesByIndex(std::unique_ptr<FoundTensor> codes,
                                           std::vector<uint32_t> index) {
  const std::shared_ptr<const FoundTensor> inner = std::move(codes);
  auto tensor = std::make_unique<FoundTensor>(
      inner->name, inner->shape, inner->note + ", act-order, dequantized",
      [inner, index = std::move(index)](const Context& context, uint64_t begin,
                                        uint64_t end, uint8_t* out) {
        // Rows of float32 are not aligned to it.
        std::vector<float> values((end - begin) * inner->shape.columns());
        MakeValues(context, *inner, index, begin, end, values.data());
        std::memcpy(out, values.data(), values.size() * sizeof(float));
      });
  tensor->from = inner->from;
  return tensor;
}

// ---- Writing ----

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
  const bool has = tensor_.part(Part::kZeroPoints).count != 0;
  for (uint64_t i = 0; i < n; ++i) {
    out[i] = has ? zeros[ParamOf(begin + i)] : int8_t{0};
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
  const PackingKernels& kernels = GetPackingKernels(packing);
  const uint64_t columns = tensor.shape().features();
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
                        std::initializer_list<uint64_t> dims,
                        WriteArray write) {
  NewArray array;
  array.name = name;
  array.dtype = dtype;
  array.shape = Shape::Make(static_cast<int32_t>(dims.size()), dims.begin());
  arrays.push_back(std::move(array));
  writers_.push_back(std::move(write));
}

void PlannedTensor::Add(const std::string& name, DType dtype,
                        std::initializer_list<uint64_t> dims,
                        std::string bytes) {
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

namespace {

float Rounded(float value, DType dtype) {
  switch (dtype) {
    case DType::kF16:
      return F32FromF16(F16FromF32(value));
    case DType::kBF16:
      return F32FromBF16(BF16FromF32(value));
    default:
      return value;
  }
}

void AppendFloats(const float* values, uint64_t n, DType dtype,
                  const AppendBytes& append) {
  if (dtype == DType::kF32) {
    append(values, n * sizeof(float));
    return;
  }
  constexpr uint64_t kBatch = 1024;
  uint8_t halves[2 * kBatch];
  for (uint64_t at = 0; at < n; at += kBatch) {
    const uint64_t count = std::min(kBatch, n - at);
    for (uint64_t i = 0; i < count; ++i) {
      StoreLE(dtype == DType::kF16 ? F16FromF32(values[at + i])
                                   : BF16FromF32(values[at + i]),
              halves + 2 * i);
    }
    append(halves, 2 * count);
  }
}

}  // namespace

void PlannedTensor::AppendScales(const float* scales, uint64_t n, DType dtype,
                                 const AppendBytes& append) {
  for (uint64_t i = 0; i < n; ++i) {
    const float stored = Rounded(scales[i], dtype);
    if (!std::isfinite(stored) || (stored == 0.0f) != (scales[i] == 0.0f)) {
      Fail(Status::kUnsupported, "scale ", scales[i], " becomes ", stored,
           " as ", Info(dtype).name);
    }
    if (stored == scales[i]) continue;
    scale_change = std::max(
        scale_change,
        std::fabs(static_cast<double>(stored) / static_cast<double>(scales[i]) -
                  1.0));
  }
  AppendFloats(scales, n, dtype, append);
}

void PlannedTensor::AppendOffsets(const float* offsets, uint64_t n, DType dtype,
                                  const AppendBytes& append) {
  for (uint64_t i = 0; i < n; ++i) {
    const float stored = Rounded(offsets[i], dtype);
    if (std::isfinite(stored)) continue;
    Fail(Status::kUnsupported, "offset ", offsets[i], " becomes ", stored,
         " as ", Info(dtype).name);
  }
  AppendFloats(offsets, n, dtype, append);
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

std::unique_ptr<NewArray> ModuleExporter::PlanPlain(const ModelEntry& entry) {
  if (entry.shape.rank >= 2) plain_.push_back(Prefix(entry.name));
  return Exporter::PlanPlain(entry);
}

Metadata ModuleExporter::MakeMetadata(const Metadata& input) {
  Metadata metadata = input;
  SetMetadata("format", format_, &metadata);
  return metadata;
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

std::string ModuleExporter::PlainModules() const { return JsonList(plain_); }

std::string JsonList(const std::vector<std::string>& texts) {
  std::string json;
  for (const std::string& text : texts) {
    json += (json.empty() ? "[" : ", ") + JsonText(text);
  }
  return json.empty() ? "[]" : json + "]";
}

}  // namespace bnq
