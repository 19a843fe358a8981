// Containers: how files of tensors are recognized, read and written. One row
// and one file each (*_container.cc).
#ifndef BNQ_CORE_IO_CONTAINER_H_
#define BNQ_CORE_IO_CONTAINER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/context.h"
#include "core/base/dtype.h"
#include "core/base/shape.h"
#include "core/io/atomic_file.h"
#include "core/io/bnq_format.h"
#include "core/io/mapped_file.h"
#include "core/io/new_array.h"
#include "core/io/output.h"
#include "core/io/text.h"

namespace bnq {

// Values are those of BNQ_FILE_*.
enum class FileKind : int32_t {
  kSafetensors = 1,
  kBnq = 2,
  kSafetensorsIndex = 3,
  kNpy = 4,  // one array, of the file's name without its ending
  kBnqIndex = 5,
  kGguf = 6,
};

// A .bnq file, or several.
constexpr bool IsBnq(FileKind kind) {
  return kind == FileKind::kBnq || kind == FileKind::kBnqIndex;
}

class ContainerReader;

// A piece of a quantized tensor: what it is (core/tensor knows) and its size.
struct ModelSection {
  BnqRole role = BnqRole::kData;
  uint64_t raw_bytes = 0;
};

struct ModelEntry {
  std::string name;
  int32_t format = 0;  // 0: a plain array
  int32_t dtype = 0;   // of a plain array (DType), else 0
  Shape shape;
  uint64_t raw_bytes = 0;
  uint64_t stored_bytes = 0;
  // How a quantized tensor was made, and its pieces, sorted by key and by role;
  // none of a plain array, whose data count as section 0.
  std::vector<BnqOption> options;
  std::vector<ModelSection> sections;
  // The tensor that this one is another name of, whose bytes it has, and which
  // has none of its own (stored_bytes is 0); "" where it is itself.
  std::string same_as;
  // What a plain array of bytes stands for; none of most.
  GgmlBlocks blocks;
  // As another ecosystem holds it, for people ("GPTQ", "Q4_K, dequantized"), ""
  // where it is as ours hold it (core/interchange).
  std::string layout;
  // Where it lies: in this file, whose entry of this index it is.
  const ContainerReader* reader = nullptr;
  size_t index = 0;
};

// The bytes of a section from its start to its end; where the container has
// checksums, compared with them. For one thread.
class SectionReader {
 public:
  virtual ~SectionReader() = default;
  virtual uint64_t remaining() const = 0;
  // The next bytes, at most remaining() (INVALID_ARGUMENT); only checks them
  // where out is NULL. CORRUPT_FILE names the tensor.
  virtual void Read(void* out, uint64_t bytes) = 0;
};

// An open file, or an index and the files that it names. Immutable; any number
// of threads may read.
class ContainerReader {
 public:
  virtual ~ContainerReader() = default;
  ContainerReader(const ContainerReader&) = delete;
  ContainerReader& operator=(const ContainerReader&) = delete;

  virtual FileKind kind() const = 0;
  // Sorted by the bytes of the name.
  const std::vector<ModelEntry>& entries() const { return entries_; }
  virtual const Metadata& metadata() const = 0;
  // All files it is read from.
  virtual void ListFiles(std::vector<const MappedFile*>* files) const = 0;

  // Of a section of this reader's own entry `index`. Its bytes, not compared
  // with checksums; nullptr where they are empty or not in one piece.
  virtual const uint8_t* Mapped(size_t index, size_t section) const = 0;
  // MappedFile::Release for these of its raw bytes, where they are mapped.
  virtual void Release(size_t index, size_t section, uint64_t offset,
                       uint64_t bytes) const = 0;
  // Not to outlive this.
  virtual std::unique_ptr<SectionReader> Open(const Context& context,
                                              size_t index,
                                              size_t section) const = 0;
  // Reads what belongs to no tensor: CORRUPT_FILE where it is not as it should
  // be.
  virtual void VerifyRest() const {}

 protected:
  ContainerReader() = default;

  std::vector<ModelEntry> entries_;
};

// Writes one file. After an error it can only be destroyed. For one thread.
class ContainerWriter {
 public:
  virtual ~ContainerWriter() = default;
  // Starts a tensor, whose sections have role and raw_bytes set (a plain array
  // has one), in any order that Append counts them by. INVALID_ARGUMENT names
  // the tensor and what is wrong with it.
  virtual void BeginEntry(BnqEntry entry) = 0;
  // The next bytes of a section; sections may take turns.
  virtual void Append(size_t section, const void* data, uint64_t bytes) = 0;
  // Returns the bytes it takes up as stored.
  virtual uint64_t EndEntry() = 0;
  // In place of all Appends and EndEntry, in a dry run: counts the entry's
  // bytes as those of a file that is not compressed. Returns them. UNSUPPORTED
  // where the container cannot.
  virtual uint64_t SkipEntry();
  // Behind EndEntry: what RestoreEntry needs to know of the tensor.
  virtual std::string EntryState() const = 0;
  // In place of BeginEntry to EndEntry, where another writer of the same
  // tensors has written this one to the same output (partial_output.h).
  // CORRUPT_FILE where that cannot be.
  virtual void RestoreEntry(const std::string& name,
                            const std::string& state) = 0;
  // Writes what is left, and commits the output.
  virtual void Finish() = 0;
};

struct Container {
  FileKind kind;  // of an index, that of its shards decides (reader's kind())
  const char* name;    // as messages call it
  const char* ending;  // of its files' names
  // Whether the file begins as one; nullptr: what no other row takes.
  bool (*sniff)(const MappedFile& file);
  // Checks everything but checksummed data, and fails as the readers do.
  std::unique_ptr<ContainerReader> (*open)(
      const Context& context, std::shared_ptr<const MappedFile> file);
  // nullptr: cannot be written. Where it has an order, arrays are all that will
  // be written.
  std::unique_ptr<ContainerWriter> (*create)(
      const Context& context, std::shared_ptr<ByteOutput> output,
      const WriteOptions& options, const Metadata& metadata,
      const std::vector<NewArray>& arrays);
  // The order in which they must be written (indices), which must be known
  // before the first. nullptr: any.
  std::vector<size_t> (*order)(const std::vector<NewArray>& arrays);
  bool holds_quantized;
  // Where shards tell of each other, rather than an index of them all: the
  // metadata of one, counted from 0, of a model of so many arrays.
  Metadata (*shard_metadata)(const Metadata& metadata, size_t shard,
                             size_t shards, size_t arrays) = nullptr;
};

// All of them, each kind once.
const std::vector<const Container*>& Containers();
// nullptr where there is none.
const Container* FindContainer(FileKind kind);
// By content. The errors of a file that is none: UNSUPPORTED where it is
// recognized as something else, and CORRUPT_FILE.
const Container& ContainerOf(const MappedFile& file);

// Of an index, behind the name of the model.
constexpr char kIndexEnding[] = ".index.json";

// The rows, each in its own file.
extern const Container kBnqContainer;
extern const Container kGgufContainer;
extern const Container kIndexContainer;  // of shards of any kind
extern const Container kNpyContainer;
extern const Container kSafetensorsContainer;

// A reader of a file whose tensors are plain arrays, in one piece each.
class PlainContainerReader : public ContainerReader {
 public:
  void ListFiles(std::vector<const MappedFile*>* files) const override {
    files->push_back(&file_);
  }
  const uint8_t* Mapped(size_t index, size_t section) const override;
  void Release(size_t index, size_t section, uint64_t offset,
               uint64_t bytes) const override;
  std::unique_ptr<SectionReader> Open(const Context& context, size_t index,
                                      size_t section) const override;

 protected:
  explicit PlainContainerReader(const MappedFile& file) : file_(file) {}
  // In the order of the names.
  void Add(std::string name, DType dtype, const Shape& shape, uint64_t offset,
           uint64_t bytes);

 private:
  const MappedFile& file_;
  std::vector<uint64_t> offsets_;  // of entries_
};

}  // namespace bnq

#endif  // BNQ_CORE_IO_CONTAINER_H_
