#include "core/interchange/module_arrays.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/base/half.h"
#include "core/interchange/transcode.h"
#include "core/io/endian.h"
#include "core/io/naming.h"
#include "core/kernels/packing.h"
#include "core/kernels/transpose.h"
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

namespace {

void ForEachEnding(
    const ForeignModel& model, const std::string& ending, const char* added,
    const std::function<void(const std::string&, const StoredArray&)>& f) {
  for (const ModelEntry& entry : model.file.entries()) {
    const std::string& name = entry.name;
    if (name.size() <= ending.size() ||
        name.compare(name.size() - ending.size(), ending.size(), ending) != 0) {
      continue;
    }
    const StoredArray array = FindStored(model, name);
    if (!array) continue;
    const std::string prefix = name.substr(0, name.size() - ending.size());
    InTensor(prefix + added, [&] {
      try {
        f(prefix, array);
      } catch (const Error& e) {
        if (e.status() != Status::kInvalidArgument) throw;
        throw Error(Status::kCorruptFile, e.message());
      }
    });
  }
}

}  // namespace

void ForEachModule(const ForeignModel& model, const std::string& ending,
                   const std::function<void(const std::string& prefix,
                                            const StoredArray& array)>& f) {
  ForEachEnding(model, ending, ".weight", f);
}

void ForEachNamed(const ForeignModel& model, const std::string& ending,
                  const std::function<void(const std::string& name,
                                           const StoredArray& array)>& f) {
  ForEachEnding(model, ending, "", f);
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
  if (rows == 1) {
    MakePart(context, part, 0, shape.rows(), out);
  } else {
    MakePart(context, part, begin, end, out);
  }
}

void FoundTensor::MakePart(const Context& context, Part part, uint64_t begin,
                           uint64_t end, uint8_t* out) const {
  const auto found = parts_.find(part);
  if (found == parts_.end()) {
    Fail(Status::kInternal, "a part that it has not");
  }
  const Source& source = found->second;
  if (source.mapped == nullptr) return source.make(context, begin, end, out);
  // Whole where it is not cut into rows.
  const uint64_t bytes = sizes[part].bytes;
  const uint64_t row_bytes = bytes / shape.rows();
  const uint64_t first = begin * row_bytes;
  const uint64_t last = end == shape.rows() ? bytes : end * row_bytes;
  std::memcpy(out, source.mapped + first, last - first);
}

const uint8_t* FoundTensor::Mapped(Part part) const {
  const auto found = parts_.find(part);
  return found == parts_.end() ? nullptr : found->second.mapped;
}

namespace {

// The last unit of a row of ours may be shorter than the array's.
void CopyRows(const uint8_t* from, uint64_t stride, uint64_t rows,
              uint64_t row_bytes, bool flip, uint8_t* out) {
  if (stride == row_bytes) {
    row_bytes *= rows;
    rows = 1;
  }
  for (uint64_t r = 0; r < rows; ++r, from += stride, out += row_bytes) {
    if (flip) {
      FlipSigns(from, row_bytes, out);
    } else {
      std::memcpy(out, from, row_bytes);
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
  const bool flip = bias != fields.bias;
  const uint8_t* const data = array.data;
  tensor->Take(array);
  tensor->Make(Part::kCodes, [=](const Context&, uint64_t begin, uint64_t end,
                                 uint8_t* out) {
    CopyRows(data + begin * stride, stride, end - begin, row_bytes, flip, out);
  });
}

void ReadColumns(const uint8_t* data, uint64_t rows, uint64_t columns,
                 uint32_t element, uint64_t begin, uint64_t end, uint8_t* out) {
  if (element == 4) {
    TransposeWords(data + 4 * begin, 4 * columns, rows, end - begin, out,
                   4 * rows);
    return;
  }
  std::vector<const uint8_t*> starts(rows);
  for (uint64_t i = 0; i < rows; ++i) starts[i] = data + i * columns * element;
  TransposeArgs args;
  args.rows = starts.data();
  args.num_rows = rows;
  args.first = begin;
  args.columns = end - begin;
  args.element = element;
  args.out = out;
  args.out_stride = rows * element;
  Transpose(args);
}

void MapTransposedScales(const StoredArray& scales, FoundTensor* tensor) {
  const uint64_t groups = scales.dim(0), out = scales.dim(1);
  const uint32_t element = Info(scales.dtype).bits / 8;
  const uint8_t* const data = scales.data;
  tensor->Take(scales);
  tensor->Make(Part::kScales,
               [=](const Context&, uint64_t begin, uint64_t end, uint8_t* to) {
                 ReadColumns(data, groups, out, element, begin, end, to);
               });
}

uint64_t GroupSizeOf(uint64_t said, uint64_t columns, uint64_t groups) {
  if (said != 0 && DivCeil(columns, said) == groups) return said;
  if (groups != 0 && columns % groups == 0 && columns != 0) {
    return columns / groups;
  }
  Fail(Status::kCorruptFile, groups, " groups for ", columns,
       " columns, must divide them, or be as config.json says");
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
  const uint64_t columns = tensor.shape.columns(), rows = tensor.shape.rows();
  const uint64_t row_bytes = sizes[Part::kCodes].bytes / rows;
  const uint64_t groups = sizes[Part::kScales].count / rows;
  const bool shifted = sizes[Part::kZeroPoints].count != 0;
  const Format& format = FormatOf(tensor.config);
  const CodeRule rule = RuleOf(format, tensor.config.variant());
  const PackingKernels& kernels = GetPackingKernels(format.packing);
  const uint64_t count = end - begin;
  std::vector<uint8_t> packed(count * row_bytes);
  std::vector<uint8_t> stored(count * sizes[Part::kScales].bytes / rows);
  std::vector<int8_t> codes(columns + kPackSlack), zeros(count * groups);
  std::vector<float> scales(count * groups);
  tensor.MakePart(context, Part::kCodes, begin, end, packed.data());
  tensor.MakePart(context, Part::kScales, begin, end, stored.data());
  StoredScales(tensor.config, scales.size(), stored.data())
      .Read(0, scales.size(), scales.data());
  if (shifted) {
    tensor.MakePart(context, Part::kZeroPoints, begin, end,
                    reinterpret_cast<uint8_t*>(zeros.data()));
  }
  for (uint64_t row = 0; row < count; ++row, out += columns) {
    kernels.unpack(packed.data() + row * row_bytes, columns,
                   BiasOf(format, rule), codes.data());
    const int8_t* const zero = zeros.data() + row * groups;
    const float* const scale = scales.data() + row * groups;
    for (uint64_t c = 0; c < columns; ++c) {
      const uint32_t group = index[c];
      out[c] = static_cast<float>(codes[c] - zero[group]) * scale[group];
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

}  // namespace bnq
