// Quantized tensors out of .bnq files, and the verification of files.
#include <algorithm>
#include <utility>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/base/tick.h"
#include "core/io/naming.h"
#include "core/model/convert.h"
#include "core/model/expert_stacks.h"
#include "core/scheme/registry.h"
#include "core/tensor/source.h"

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

// A part's section as memory: mapped where it can be, else read into *buffer.
const uint8_t* SectionData(const Context& context, const ModelFile& file,
                           const ModelEntry& entry, size_t section,
                           const PartInfo& info, bool checked, Buffer* buffer) {
  const uint64_t bytes = entry.sections[section].raw_bytes;
  const auto reader = file.OpenSection(context, entry, section);
  const uint8_t* mapped = file.Mapped(entry, section);
  // A caller's memory may have any alignment.
  if (mapped && reinterpret_cast<uintptr_t>(mapped) % info.alignment == 0) {
    if (!checked) reader->Read(nullptr, bytes);
    return mapped;
  }
  *buffer = context.Allocate(bytes);
  reader->Read(buffer->data(), bytes);
  return buffer->data();
}

// What a tensor's parts live in.
struct Storage {
  std::shared_ptr<const ModelFile> file;
  Buffer parts[kNumParts];
};

constexpr size_t kNoSection = SIZE_MAX;

// The sections of an entry as parts without data; sections[i] is the index of
// that of PartAt(i), or kNoSection.
Parts SectionSizes(const ModelEntry& entry, size_t* sections) {
  std::fill_n(sections, kNumParts, kNoSection);
  Parts sizes;
  for (size_t i = 0; i < entry.sections.size(); ++i) {
    const ModelSection& section = entry.sections[i];
    Part part;
    DType dtype;
    if (!FindPartOfRole(static_cast<uint32_t>(section.role), &part, &dtype)) {
      Fail(Status::kUnsupported, "section role ", section.role,
           " is not known to this library");
    }
    size_t& slot = sections[static_cast<int>(part) - 1];
    if (slot != kNoSection) {
      Fail(Status::kCorruptFile, "it has ",
           FindPart(static_cast<int32_t>(part))->name, " of two types");
    }
    slot = i;
    sizes[part].bytes = section.raw_bytes;
    sizes[part].dtype = dtype;
  }
  return sizes;
}

std::unique_ptr<QuantizedTensor> Load(
    const Context& context, const std::shared_ptr<const ModelFile>& file,
    const ModelEntry& entry, bool checked) {
  const Config config = OptionsOf(entry);
  size_t sections[kNumParts];
  const Parts stored = SectionSizes(entry, sections);
  Parts parts = PartSizes(config, entry.shape, stored);
  auto storage = std::make_shared<Storage>();
  storage->file = file;
  for (int i = 0; i < kNumParts; ++i) {
    const PartInfo& info = PartAt(i);
    PartData& part = parts[info.id];
    if (stored[info.id].bytes != part.bytes) {
      Fail(Status::kCorruptFile, info.name, " take ", stored[info.id].bytes,
           " bytes, must be ", part.bytes);
    }
    if (part.bytes == 0) continue;
    part.data = SectionData(context, *file, entry, sections[i], info, checked,
                            &storage->parts[i]);
  }
  auto tensor = std::make_unique<QuantizedTensor>(context, config, entry.shape,
                                                  parts, std::move(storage));
  if (!checked) tensor->Validate(context);
  return tensor;
}

void CheckFinitePlain(const Context& context, const ModelFile& file,
                      const ModelEntry& entry, uint64_t piece_bytes) {
  const DType dtype = static_cast<DType>(entry.dtype);
  PlainReader reader(context, file, entry);
  const bool floats = IsSource(dtype);
  Buffer buffer = context.Allocate(std::min(piece_bytes, reader.remaining()));
  const uint64_t size = Info(dtype).bits / 8;
  for (uint64_t at = 0; reader.remaining() != 0;) {
    const uint64_t n = std::min(piece_bytes, reader.remaining());
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

Parts StoredSizes(const ModelEntry& entry) {
  const Config config = StoredConfig(entry);
  return InTensor(entry.name, [&] {
    size_t sections[kNumParts];
    return PartSizes(config, entry.shape, SectionSizes(entry, sections));
  });
}

std::unique_ptr<QuantizedTensor> LoadTensor(
    const Context& context, std::shared_ptr<const ModelFile> file,
    const ModelEntry& entry, bool checked) {
  return InTensor(entry.name, [&] {
    if (entry.format == 0) {
      Fail(Status::kUnsupported, "it is a plain array, not a quantized tensor");
    }
    try {
      return Load(context, file, entry, checked);
    } catch (const Error& e) {
      // The file said it, not the caller.
      if (e.status() != Status::kInvalidArgument) throw;
      throw Error(Status::kCorruptFile, e.message());
    }
  });
}

void VerifyFile(const Context& caller, std::shared_ptr<const ModelFile> file,
                const Progress& progress, uint64_t piece_bytes,
                const ModelPart& part) {
  TickingProgress ticking(caller, progress);
  const Context& context = ticking.context();
  const PartFilter filter(*file, part);
  uint64_t total = 0, done = 0;
  for (size_t i = 0; i < file->entries().size(); ++i) {
    if (filter.Has(i)) total += file->entries()[i].stored_bytes;
  }
  for (size_t i = 0; i < file->entries().size(); ++i) {
    const ModelEntry& entry = file->entries()[i];
    if (!filter.Has(i)) continue;
    ticking.Report(done, total, entry.name);
    if (!entry.same_as.empty()) continue;
    if (entry.format != 0) {
      LoadTensor(context, file, entry);
      file->Release(entry);
    } else {
      InTensor(entry.name,
               [&] { CheckFinitePlain(context, *file, entry, piece_bytes); });
    }
    done += entry.stored_bytes;
  }
  if (part.index == 0) {
    WholeExpertStacks(*file);
    file->VerifyRest();
  }
  ticking.Report(done, total, "");
}

}  // namespace bnq
