#include "core/io/model_file.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/io/model_directory.h"

namespace bnq {

std::shared_ptr<const ModelFile> ModelFile::Open(const Context& context,
                                                 const std::string& path) {
  std::shared_ptr<ModelFile> model(new ModelFile);
  auto file = MappedFile::Open(context, ModelPath(path));
  const Container& row = ContainerOf(*file);
  model->Load(context, row, std::move(file));
  return model;
}

std::shared_ptr<const ModelFile> ModelFile::OpenBnq(
    const Context& context, std::shared_ptr<const MappedFile> file) {
  std::shared_ptr<ModelFile> model(new ModelFile);
  model->Load(context, kBnqContainer, std::move(file));
  return model;
}

std::shared_ptr<const ModelFile> ModelFile::FromMemory(const Context& context,
                                                       const void* data,
                                                       uint64_t size) {
  auto file = MappedFile::FromMemory(data, size);
  const Container& row = ContainerOf(*file);
  if (&row == &kIndexContainer) {
    Fail(Status::kUnsupported, file->label(),
         ": the index of a sharded model names files, and cannot be opened "
         "from memory");
  }
  std::shared_ptr<ModelFile> model(new ModelFile);
  model->Load(context, row, std::move(file));
  return model;
}

void ModelFile::Load(const Context& context, const Container& row,
                     std::shared_ptr<const MappedFile> file) {
  reader_ = row.open(context, std::move(file));
  reader_->ListFiles(&files_);
}

const ModelEntry* ModelFile::Find(const std::string& name) const {
  const auto it = std::lower_bound(
      entries().begin(), entries().end(), name,
      [](const auto& entry, const auto& n) { return entry.name < n; });
  return it != entries().end() && it->name == name ? &*it : nullptr;
}

void ModelFile::Release(const ModelEntry& entry) const {
  if (entry.format == 0) Release(entry, 0, entry.raw_bytes);
  for (size_t i = 0; i < entry.sections.size(); ++i) {
    Release(entry, 0, entry.sections[i].raw_bytes, i);
  }
}

bool ModelFile::IsReadFrom(const std::string& path) const {
  FileId id;
  if (!FindFileId(path, &id)) return false;
  return std::any_of(files_.begin(), files_.end(), [&](const auto* file) {
    return file->has_id() && file->id() == id;
  });
}

PlainReader::PlainReader(const Context& context, const ModelFile& file,
                         const ModelEntry& entry) {
  if (entry.format != 0) {
    Fail(Status::kUnsupported, "tensor ", Quoted(entry.name),
         " is quantized (format id ", entry.format, "), not a plain array");
  }
  reader_ = file.OpenSection(context, entry, 0);
}

}  // namespace bnq
