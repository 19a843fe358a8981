// A model file of any kind, as one list of tensors.
#ifndef BNQ_CORE_IO_MODEL_FILE_H_
#define BNQ_CORE_IO_MODEL_FILE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/context.h"
#include "core/base/shape.h"
#include "core/io/container.h"
#include "core/io/mapped_file.h"

namespace bnq {

// A tensor that has two names is stored under one of them. The other is a key
// of the metadata, whose value is the first: as save_model of safetensors.torch
// says it. The entry of that other name.
ModelEntry TiedEntry(const ModelEntry& entry, const std::string& name);

// Immutable; any number of threads may read.
class ModelFile {
 public:
  // Told by content; of a directory, the one model in it. NOT_FOUND, IO,
  // UNSUPPORTED for what is recognized as something else, and the errors of
  // the readers.
  static std::shared_ptr<const ModelFile> Open(const Context& context,
                                               const std::string& path);
  // As a .bnq file, whatever its bytes look like: CORRUPT_FILE where it is
  // none.
  static std::shared_ptr<const ModelFile> OpenBnq(
      const Context& context, std::shared_ptr<const MappedFile> file);
  // Borrows data for as long as the object lives. An index is UNSUPPORTED: it
  // names files.
  static std::shared_ptr<const ModelFile> FromMemory(const Context& context,
                                                     const void* data,
                                                     uint64_t size);

  // The same file with other entries, in any order, and other metadata. Entries
  // are those of `file` or of the readers, which borrow from it.
  static std::shared_ptr<const ModelFile> View(
      std::shared_ptr<const ModelFile> file, std::vector<ModelEntry> entries,
      Metadata metadata, std::vector<std::unique_ptr<ContainerReader>> readers);

  FileKind kind() const { return kind_; }
  // Sorted by the bytes of the name. Where a file that holds quantized tensors
  // says so, one is there under other names, too (TiedEntry).
  const std::vector<ModelEntry>& entries() const { return *entries_; }
  // nullptr where there is none.
  const ModelEntry* Find(const std::string& name) const;
  const Metadata& metadata() const { return *metadata_; }

  // A section's bytes within the file, not compared with checksums; nullptr
  // where they are empty or compressed. A plain array has section 0.
  const uint8_t* Mapped(const ModelEntry& entry, size_t section = 0) const {
    return entry.reader->Mapped(entry.index, section);
  }
  // MappedFile::Release for these raw bytes of a section; nothing where it is
  // not mapped.
  void Release(const ModelEntry& entry, uint64_t offset, uint64_t bytes,
               size_t section = 0) const {
    entry.reader->Release(entry.index, section, offset, bytes);
  }
  // All sections.
  void Release(const ModelEntry& entry) const;
  // The section's bytes, compared with their checksums. The file must outlive
  // it.
  std::unique_ptr<SectionReader> OpenSection(const Context& context,
                                             const ModelEntry& entry,
                                             size_t section) const {
    return entry.reader->Open(context, entry.index, section);
  }
  // ContainerReader::VerifyRest.
  void VerifyRest() const {
    if (viewed_ != nullptr) viewed_->VerifyRest();
    for (const auto& reader : readers_) reader->VerifyRest();
  }

  // All files it is read from: the index, too.
  const std::vector<const MappedFile*>& files() const { return files_; }
  // Whether path leads to one of them, under whatever name.
  bool IsReadFrom(const std::string& path) const;

 private:
  ModelFile() = default;
  void Load(const Context& context, const Container& row,
            std::shared_ptr<const MappedFile> file);
  void SetEntries(std::vector<ModelEntry> entries);

  FileKind kind_ = FileKind::kBnq;
  std::shared_ptr<const ModelFile> viewed_;  // nullptr: none
  std::vector<std::unique_ptr<ContainerReader>> readers_;
  const std::vector<ModelEntry>* entries_ = nullptr;  // a reader's, or own
  std::vector<ModelEntry> own_entries_;
  const Metadata* metadata_ = nullptr;
  Metadata own_metadata_;
  std::vector<const MappedFile*> files_;
};

// A plain array's bytes from its start to its end, whatever the file; those of
// a .bnq file are checked against their checksums. The file must outlive it.
// For one thread.
class PlainReader {
 public:
  // UNSUPPORTED where it is quantized.
  PlainReader(const Context& context, const ModelFile& file,
              const ModelEntry& entry);

  uint64_t remaining() const { return reader_->remaining(); }
  // The next bytes, at most remaining() (INVALID_ARGUMENT). CORRUPT_FILE names
  // the tensor.
  void Read(void* out, uint64_t bytes) { reader_->Read(out, bytes); }

 private:
  std::unique_ptr<SectionReader> reader_;
};

}  // namespace bnq

#endif  // BNQ_CORE_IO_MODEL_FILE_H_
