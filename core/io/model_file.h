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
#include "core/io/bnq_reader.h"
#include "core/io/mapped_file.h"
#include "core/io/npy_reader.h"
#include "core/io/safetensors.h"
#include "core/io/safetensors_index.h"

namespace bnq {

// Values are those of BNQ_FILE_*.
enum class FileKind : int32_t {
  kSafetensors = 1,
  kBnq = 2,
  kSafetensorsIndex = 3,
  kNpy = 4,  // one array, of the file's name without its ending
};

struct ModelEntry {
  std::string name;
  int32_t format = 0;  // 0: a plain array
  int32_t dtype = 0;   // of a plain array (DType), else 0
  Shape shape;
  uint64_t raw_bytes = 0;
  uint64_t stored_bytes = 0;
  // Where it lies: in sections of a .bnq file, or else as raw_bytes of a file.
  const BnqEntry* bnq = nullptr;
  const MappedFile* file = nullptr;
  uint64_t offset = 0;
};

// Immutable; any number of threads may read.
class ModelFile {
 public:
  // Told by content. NOT_FOUND, IO, and the errors of the readers.
  static std::shared_ptr<const ModelFile> Open(const Context& context,
                                               const std::string& path);
  // Borrows data for as long as the object lives. An index is UNSUPPORTED: it
  // names files.
  static std::shared_ptr<const ModelFile> FromMemory(const Context& context,
                                                     const void* data,
                                                     uint64_t size);

  FileKind kind() const { return kind_; }
  // Sorted by the bytes of the name.
  const std::vector<ModelEntry>& entries() const { return entries_; }
  // nullptr where there is none.
  const ModelEntry* Find(const std::string& name) const;
  const Metadata& metadata() const;
  // nullptr where it is not a .bnq file.
  const BnqReader* bnq() const { return bnq_.get(); }

  // A plain array's bytes within the file, not compared with checksums;
  // nullptr where it is empty, compressed or quantized.
  const uint8_t* Mapped(const ModelEntry& entry) const;
  // MappedFile::Release for these raw bytes of a plain array, or
  // of a section of a quantized tensor; nothing where it is not mapped.
  void Release(const ModelEntry& entry, uint64_t offset, uint64_t bytes) const;
  void Release(const BnqSection& section, uint64_t offset,
               uint64_t bytes) const;

  // All files it is read from: the index, too.
  const std::vector<const MappedFile*>& files() const { return files_; }
  // Whether path leads to one of them, under whatever name.
  bool IsReadFrom(const std::string& path) const;

 private:
  ModelFile() = default;
  void Load(const Context& context, std::shared_ptr<const MappedFile> file);

  FileKind kind_ = FileKind::kSafetensors;
  std::unique_ptr<BnqReader> bnq_;
  std::unique_ptr<SafetensorsReader> safetensors_;
  std::unique_ptr<SafetensorsIndex> index_;
  std::unique_ptr<NpyReader> npy_;
  std::vector<ModelEntry> entries_;
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

  uint64_t remaining() const { return remaining_; }
  // The next bytes, at most remaining() (INVALID_ARGUMENT). CORRUPT_FILE names
  // the tensor.
  void Read(void* out, uint64_t bytes);

 private:
  const uint8_t* next_ = nullptr;
  uint64_t remaining_ = 0;
  std::unique_ptr<BnqSectionReader> chunks_;
};

}  // namespace bnq

#endif  // BNQ_CORE_IO_MODEL_FILE_H_
