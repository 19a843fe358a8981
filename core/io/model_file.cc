#include "core/io/model_file.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/io/model_directory.h"

namespace bnq {

ModelEntry TiedEntry(const ModelEntry& entry, const std::string& name) {
  ModelEntry tied = entry;
  tied.name = name;
  tied.same_as = entry.name;
  tied.stored_bytes = 0;
  return tied;
}

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
  readers_.push_back(row.open(context, std::move(file)));
  const ContainerReader& reader = *readers_[0];
  reader.ListFiles(&files_);
  kind_ = reader.kind();
  entries_ = &reader.entries();
  metadata_ = &reader.metadata();
  if (kind_ != FileKind::kBnq && kind_ != FileKind::kBnqIndex) return;
  std::vector<ModelEntry> tied;
  for (const auto& [name, of] : reader.metadata()) {
    const ModelEntry* const entry = Find(of);
    // "format" is what Hugging Face's files say of themselves ("pt").
    if (entry == nullptr || name.empty() || name == "format" ||
        Find(name) != nullptr) {
      continue;
    }
    tied.push_back(TiedEntry(*entry, name));
  }
  if (tied.empty()) return;
  tied.insert(tied.end(), entries_->begin(), entries_->end());
  SetEntries(std::move(tied));
}

void ModelFile::SetEntries(std::vector<ModelEntry> entries) {
  std::sort(
      entries.begin(), entries.end(),
      [](const ModelEntry& a, const ModelEntry& b) { return a.name < b.name; });
  own_entries_ = std::move(entries);
  entries_ = &own_entries_;
}

std::shared_ptr<const ModelFile> ModelFile::View(
    std::shared_ptr<const ModelFile> file, std::vector<ModelEntry> entries,
    Metadata metadata, std::vector<std::unique_ptr<ContainerReader>> readers) {
  std::shared_ptr<ModelFile> view(new ModelFile);
  view->kind_ = file->kind_;
  view->files_ = file->files_;
  view->readers_ = std::move(readers);
  view->SetEntries(std::move(entries));
  view->own_metadata_ = SortedMetadata(std::move(metadata));
  view->metadata_ = &view->own_metadata_;
  view->viewed_ = std::move(file);
  return view;
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
