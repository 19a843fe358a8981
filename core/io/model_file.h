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

  FileKind kind() const { return reader_->kind(); }
  // Sorted by the bytes of the name.
  const std::vector<ModelEntry>& entries() const { return reader_->entries(); }
  // nullptr where there is none.
  const ModelEntry* Find(const std::string& name) const;
  const Metadata& metadata() const { return reader_->metadata(); }

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
  void VerifyRest() const { reader_->VerifyRest(); }

  // All files it is read from: the index, too.
  const std::vector<const MappedFile*>& files() const { return files_; }
  // Whether path leads to one of them, under whatever name.
  bool IsReadFrom(const std::string& path) const;

 private:
  ModelFile() = default;
  void Load(const Context& context, const Container& row,
            std::shared_ptr<const MappedFile> file);

  std::unique_ptr<ContainerReader> reader_;
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
