// Quantized tensors out of .bnq files, and the verification of files.
#include <algorithm>
#include <utility>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/io/naming.h"
#include "core/model/convert.h"
#include "core/scheme/registry.h"
#include "core/tensor/quantize.h"

namespace bnq {
namespace {

Config OptionsOf(const ModelEntry& entry) {
  Config config;
  if (FindFormat(entry.format) == nullptr) {
    Fail(Status::kUnsupported, "format = ", entry.format,
         " is not known to this library, which has: ", FormatNames());
  }
  config.SetInt(static_cast<int32_t>(Option::kFormat), entry.format);
  for (const BnqOption& option : entry.options) {
    if (option.is_float) {
      config.SetFloat(option.key, option.AsFloat());
    } else {
      config.SetInt(option.key, option.AsInt());
    }
  }
  if (config.format() != entry.format) {
    Fail(Status::kCorruptFile, "options say format ", config.format(),
         ", the entry says ", entry.format);
  }
  return config;
}

constexpr size_t kNoSection = SIZE_MAX;

size_t FindSection(const ModelEntry& entry, BnqRole role) {
  for (size_t i = 0; i < entry.sections.size(); ++i) {
    if (entry.sections[i].role == role) return i;
  }
  return kNoSection;
}

// A section as memory: mapped where it can be, else read into *buffer.
const uint8_t* SectionData(const Context& context, const ModelFile& file,
                           const ModelEntry& entry, BnqRole role,
                           uint64_t bytes, const char* what, Buffer* buffer) {
  const size_t section = FindSection(entry, role);
  const uint64_t there =
      section == kNoSection ? 0 : entry.sections[section].raw_bytes;
  if (there != bytes) {
    Fail(Status::kCorruptFile, what, " take ", there, " bytes, must be ",
         bytes);
  }
  if (bytes == 0) return nullptr;
  const auto reader = file.OpenSection(context, entry, section);
  const uint8_t* mapped = file.Mapped(entry, section);
  // A caller's memory may have any alignment.
  if (reinterpret_cast<uintptr_t>(mapped) % alignof(float) == 0 && mapped) {
    reader->Read(nullptr, bytes);
    return mapped;
  }
  *buffer = context.Allocate(bytes);
  reader->Read(buffer->data(), bytes);
  return buffer->data();
}

// What a tensor's parts live in.
struct Storage {
  std::shared_ptr<const ModelFile> file;
  Buffer codes, scales, zero_points, outlier_columns, outlier_values;
};

std::unique_ptr<QuantizedTensor> Load(
    const Context& context, const std::shared_ptr<const ModelFile>& file,
    const ModelEntry& entry) {
  const Config config = OptionsOf(entry);
  const QuantizedSizes sizes = SizesOf(config, entry.shape);
  // Every role but those of outliers may be there.
  const ModelSection* values = nullptr;
  for (const ModelSection& section : entry.sections) {
    switch (section.role) {
      case BnqRole::kCodes:
      case BnqRole::kScales:
      case BnqRole::kZeroPoints:
      case BnqRole::kOutlierColumns:
        break;
      case BnqRole::kOutlierValuesF16:
      case BnqRole::kOutlierValuesBF16:
        if (values != nullptr) {
          Fail(Status::kCorruptFile, "it has outlier values of two types");
        }
        values = &section;
        break;
      default:
        Fail(Status::kUnsupported, "section role ", section.role,
             " is not known to this library");
    }
  }
  auto storage = std::make_shared<Storage>();
  TensorParts parts;
  parts.codes = SectionData(context, *file, entry, BnqRole::kCodes,
                            sizes.code_bytes, "codes", &storage->codes);
  parts.scales = SectionData(context, *file, entry, BnqRole::kScales,
                             sizes.scale_bytes, "scales", &storage->scales);
  parts.zero_points = reinterpret_cast<const int8_t*>(
      SectionData(context, *file, entry, BnqRole::kZeroPoints,
                  sizes.zero_points, "zero points", &storage->zero_points));
  const size_t column_section = FindSection(entry, BnqRole::kOutlierColumns);
  if (column_section != kNoSection) {
    const ModelSection* columns = &entry.sections[column_section];
    const uint64_t features =
        entry.shape.rank == 0 ? 1 : entry.shape.dims[entry.shape.rank - 1];
    const uint64_t count = columns->raw_bytes / 4;
    if (config.outlier_threshold() == 0.0f || values == nullptr || count == 0 ||
        columns->raw_bytes % 4 != 0 || count > features) {
      Fail(Status::kCorruptFile, columns->raw_bytes,
           " bytes of outlier columns, which must be 4 each, at most ",
           features, " columns, with values and an outlier_threshold");
    }
    Outliers& outliers = parts.outliers;
    outliers.count = count;
    outliers.dtype =
        values->role == BnqRole::kOutlierValuesF16 ? DType::kF16 : DType::kBF16;
    outliers.columns = reinterpret_cast<const uint32_t*>(SectionData(
        context, *file, entry, BnqRole::kOutlierColumns, columns->raw_bytes,
        "outlier columns", &storage->outlier_columns));
    // No more than the elements' bytes, which fit.
    outliers.values =
        SectionData(context, *file, entry, values->role,
                    2 * count * (entry.shape.elements() / features),
                    "outlier values", &storage->outlier_values);
  } else if (values != nullptr) {
    Fail(Status::kCorruptFile, "it has outlier values without their columns");
  }
  storage->file = file;
  auto tensor = std::make_unique<QuantizedTensor>(config, entry.shape, parts,
                                                  std::move(storage));
  tensor->Validate();
  return tensor;
}

void CheckFinitePlain(const Context& context, const ModelFile& file,
                      const ModelEntry& entry) {
  const DType dtype = static_cast<DType>(entry.dtype);
  PlainReader reader(context, file, entry);
  const bool floats = IsSource(dtype);
  // A multiple of every element's size.
  constexpr uint64_t kPiece = uint64_t{1} << 20;
  Buffer buffer = context.Allocate(std::min(kPiece, reader.remaining()));
  const uint64_t size = Info(dtype).bits / 8;
  for (uint64_t at = 0; reader.remaining() != 0;) {
    const uint64_t n = std::min(kPiece, reader.remaining());
    reader.Read(buffer.data(), n);
    if (floats) {
      ArrayView piece;
      piece.dtype = dtype;
      piece.data = buffer.data();
      const uint64_t count = n / size;
      piece.shape = Shape::Make(1, &count);
      try {
        CheckFinite(piece, 0, count);
      } catch (const Error&) {
        // Once more with the whole array's shape, for the index.
        ArrayView whole;
        whole.dtype = dtype;
        whole.shape = entry.shape;
        whole.data = file.Mapped(entry);
        if (whole.data == nullptr) throw;
        CheckFinite(whole, at / size, at / size + count);
      }
    }
    file.Release(entry, at, n);
    at += n;
  }
}

}  // namespace

Config StoredConfig(const ModelEntry& entry) {
  return InTensor(entry.name, [&] {
    if (entry.format == 0) {
      Fail(Status::kUnsupported, "it is a plain array, not a quantized tensor");
    }
    try {
      return OptionsOf(entry);
    } catch (const Error& e) {
      if (e.status() != Status::kInvalidArgument) throw;
      throw Error(Status::kCorruptFile, e.message());
    }
  });
}

std::unique_ptr<QuantizedTensor> LoadTensor(
    const Context& context, std::shared_ptr<const ModelFile> file,
    const ModelEntry& entry) {
  return InTensor(entry.name, [&] {
    if (entry.format == 0) {
      Fail(Status::kUnsupported, "it is a plain array, not a quantized tensor");
    }
    try {
      return Load(context, file, entry);
    } catch (const Error& e) {
      // The file said it, not the caller.
      if (e.status() != Status::kInvalidArgument) throw;
      throw Error(Status::kCorruptFile, e.message());
    }
  });
}

void VerifyFile(const Context& context, std::shared_ptr<const ModelFile> file,
                const Progress& progress) {
  uint64_t total = 0, done = 0;
  for (const ModelEntry& entry : file->entries()) total += entry.stored_bytes;
  for (const ModelEntry& entry : file->entries()) {
    if (progress) progress(done, total, entry.name);
    if (entry.format != 0) {
      LoadTensor(context, file, entry);
      file->Release(entry);
    } else {
      InTensor(entry.name, [&] { CheckFinitePlain(context, *file, entry); });
    }
    done += entry.stored_bytes;
  }
  file->VerifyRest();
  if (progress) progress(done, total, "");
}

}  // namespace bnq
