#include "core/io/model_file.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/base/error.h"

namespace bnq {
namespace {

FileKind KindOf(const MappedFile& file) {
  const uint8_t* p = file.data();
  // A safetensors file starts with a length, of which these would be the
  // second to fourth byte: far too much.
  if (file.size() >= 4 && std::memcmp(p + 1, kBnqMagic + 1, 3) == 0) {
    return FileKind::kBnq;
  }
  if (IsNpy(file)) return FileKind::kNpy;
  // '{' could be a length's first byte, but then a NUL is among the next seven.
  if (file.size() >= 8 && std::memchr(p, 0, 8) == nullptr) {
    uint64_t i = 0;
    while (i < file.size() && std::memchr(" \t\r\n", p[i], 4) != nullptr) ++i;
    if (i < file.size() && p[i] == '{') return FileKind::kSafetensorsIndex;
  }
  return FileKind::kSafetensors;
}

ModelEntry FromSafetensors(const SafetensorsReader& shard,
                           const SafetensorsEntry& tensor) {
  ModelEntry entry;
  entry.name = tensor.name;
  entry.dtype = static_cast<int32_t>(tensor.dtype);
  entry.shape = tensor.shape;
  entry.raw_bytes = tensor.bytes;
  entry.stored_bytes = tensor.bytes;
  entry.file = &shard.file();
  entry.offset = tensor.offset;
  return entry;
}

ModelEntry FromNpy(const NpyReader& reader) {
  ModelEntry entry;
  entry.name = "array";
  if (reader.file().has_id()) {  // not in memory
    entry.name =
        std::filesystem::u8path(reader.file().path()).stem().u8string();
  }
  entry.dtype = static_cast<int32_t>(reader.array().dtype);
  entry.shape = reader.array().shape;
  TryByteSize(entry.shape, reader.array().dtype, &entry.raw_bytes);
  entry.stored_bytes = entry.raw_bytes;
  entry.file = &reader.file();
  entry.offset = reader.offset();
  return entry;
}

ModelEntry FromBnq(const BnqEntry& tensor) {
  ModelEntry entry;
  entry.name = tensor.name;
  entry.format = tensor.format;
  entry.dtype = tensor.dtype;
  entry.shape = tensor.shape;
  entry.raw_bytes = tensor.raw_bytes();
  entry.stored_bytes = tensor.stored_bytes();
  entry.bnq = &tensor;
  return entry;
}

}  // namespace

std::shared_ptr<const ModelFile> ModelFile::Open(const Context& context,
                                                 const std::string& path) {
  std::shared_ptr<ModelFile> model(new ModelFile);
  model->Load(context, MappedFile::Open(context, path));
  return model;
}

std::shared_ptr<const ModelFile> ModelFile::FromMemory(const Context& context,
                                                       const void* data,
                                                       uint64_t size) {
  auto file = MappedFile::FromMemory(data, size);
  if (KindOf(*file) == FileKind::kSafetensorsIndex) {
    Fail(Status::kUnsupported, file->label(),
         ": the index of a sharded model names files, and cannot be opened "
         "from memory");
  }
  std::shared_ptr<ModelFile> model(new ModelFile);
  model->Load(context, std::move(file));
  return model;
}

void ModelFile::Load(const Context& context,
                     std::shared_ptr<const MappedFile> file) {
  kind_ = KindOf(*file);
  files_.push_back(file.get());
  switch (kind_) {
    case FileKind::kSafetensors:
      safetensors_ = std::make_unique<SafetensorsReader>(std::move(file));
      entries_.reserve(safetensors_->entries().size());
      for (const SafetensorsEntry& tensor : safetensors_->entries()) {
        entries_.push_back(FromSafetensors(*safetensors_, tensor));
      }
      break;
    case FileKind::kBnq:
      bnq_ = std::make_unique<BnqReader>(std::move(file));
      entries_.reserve(bnq_->entries().size());
      for (const BnqEntry& tensor : bnq_->entries()) {
        entries_.push_back(FromBnq(tensor));
      }
      break;
    case FileKind::kSafetensorsIndex:
      index_ = std::make_unique<SafetensorsIndex>(context, std::move(file));
      entries_.reserve(index_->entries().size());
      for (const SafetensorsIndex::Entry& item : index_->entries()) {
        entries_.push_back(FromSafetensors(*item.shard, *item.tensor));
      }
      for (const auto& shard : index_->shards()) {
        files_.push_back(&shard->file());
      }
      break;
    case FileKind::kNpy:
      npy_ = std::make_unique<NpyReader>(std::move(file));
      entries_.push_back(FromNpy(*npy_));
      break;
  }
}

const ModelEntry* ModelFile::Find(const std::string& name) const {
  const auto it = std::lower_bound(
      entries_.begin(), entries_.end(), name,
      [](const auto& entry, const auto& n) { return entry.name < n; });
  return it != entries_.end() && it->name == name ? &*it : nullptr;
}

const Metadata& ModelFile::metadata() const {
  static const Metadata none;
  return bnq_           ? bnq_->metadata()
         : safetensors_ ? safetensors_->metadata()
         : index_       ? index_->metadata()
                        : none;
}

const uint8_t* ModelFile::Mapped(const ModelEntry& entry) const {
  if (entry.file != nullptr) {
    return entry.raw_bytes == 0 ? nullptr : entry.file->data() + entry.offset;
  }
  if (entry.format != 0) return nullptr;
  return bnq_->Mapped(entry.bnq->sections[0]);
}

void ModelFile::Release(const ModelEntry& entry, uint64_t offset,
                        uint64_t bytes) const {
  if (entry.file != nullptr) {
    if (offset >= entry.raw_bytes) return;
    entry.file->Release(entry.offset + offset,
                        std::min(bytes, entry.raw_bytes - offset));
  } else if (entry.format == 0) {
    Release(entry.bnq->sections[0], offset, bytes);
  }
}

void ModelFile::Release(const BnqSection& section, uint64_t offset,
                        uint64_t bytes) const {
  if (bnq_ == nullptr || bnq_->Mapped(section) == nullptr ||
      offset >= section.raw_bytes) {
    return;
  }
  bnq_->file().Release(section.chunks[0].offset + offset,
                       std::min(bytes, section.raw_bytes - offset));
}

bool ModelFile::IsReadFrom(const std::string& path) const {
  FileId id;
  if (!FindFileId(path, &id)) return false;
  return std::any_of(files_.begin(), files_.end(), [&](const auto* file) {
    return file->has_id() && file->id() == id;
  });
}

PlainReader::PlainReader(const Context& context, const ModelFile& file,
                         const ModelEntry& entry)
    : remaining_(entry.raw_bytes) {
  if (entry.format != 0) {
    Fail(Status::kUnsupported, "tensor ", Quoted(entry.name),
         " is quantized (format id ", static_cast<int>(entry.format),
         "), not a plain array");
  }
  if (entry.bnq != nullptr) {
    chunks_ = std::make_unique<BnqSectionReader>(
        context, *file.bnq(), *entry.bnq, entry.bnq->sections[0]);
  } else {
    next_ = file.Mapped(entry);
  }
}

void PlainReader::Read(void* out, uint64_t bytes) {
  if (bytes > remaining_) {
    Fail(Status::kInvalidArgument, "reading ", bytes, " bytes, but only ",
         remaining_, " of the array are left");
  }
  if (bytes == 0) return;
  if (chunks_) {
    chunks_->Read(out, bytes);
  } else {
    std::memcpy(out, next_, static_cast<size_t>(bytes));
    next_ += bytes;
  }
  remaining_ -= bytes;
}

}  // namespace bnq
