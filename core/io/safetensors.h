// safetensors: a length, a JSON header, the tensors' bytes. Strict: everything
// the reference implementation (safetensors/src/tensor.rs) refuses is refused,
// in its order and by its names of errors, and so are repeated keys.
#ifndef BNQ_CORE_IO_SAFETENSORS_H_
#define BNQ_CORE_IO_SAFETENSORS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/context.h"
#include "core/base/dtype.h"
#include "core/base/shape.h"
#include "core/io/atomic_file.h"
#include "core/io/mapped_file.h"
#include "core/io/new_array.h"
#include "core/io/output.h"
#include "core/io/text.h"

namespace bnq {

// Bytes of JSON, padding included.
constexpr uint64_t kMaxSafetensorsHeader = 100000000;

using SafetensorsTensor = NewArray;
// The order of a file: by data type, the strictest alignment first, then by
// name.
bool SafetensorsBefore(const NewArray& a, const NewArray& b);

struct SafetensorsEntry : SafetensorsTensor {
  uint64_t offset = 0;  // from the start of the file
  uint64_t bytes = 0;
};

// Immutable; any number of threads may read.
class SafetensorsReader {
 public:
  // CORRUPT_FILE for whatever is wrong, naming the file and the tensor;
  // UNSUPPORTED for a rank above 8, an empty name, or a NUL in a name or in the
  // metadata.
  explicit SafetensorsReader(std::shared_ptr<const MappedFile> file);

  const MappedFile& file() const { return *file_; }
  const Metadata& metadata() const { return metadata_; }
  // Sorted by the bytes of the name.
  const std::vector<SafetensorsEntry>& entries() const { return entries_; }
  // nullptr where there is none.
  const SafetensorsEntry* Find(const std::string& name) const;
  // nullptr for an empty tensor; not necessarily aligned.
  const uint8_t* Data(const SafetensorsEntry& entry) const {
    return entry.bytes == 0 ? nullptr : file_->data() + entry.offset;
  }

 private:
  // Metadata by key and entries by name, none twice.
  void SortAndCheckNames();
  // Offsets are behind `begin`, without gaps, to the end of the file.
  void PlaceEntries(uint64_t begin);

  std::shared_ptr<const MappedFile> file_;
  Metadata metadata_;
  std::vector<SafetensorsEntry> entries_;
};

// What comes before the data, and where each tensor goes.
struct SafetensorsLayout {
  std::string header;                     // the length and the padded JSON
  std::vector<SafetensorsEntry> entries;  // in the order of the file
  uint64_t file_bytes = 0;
};

// The reference writer's layout: tensors as SafetensorsBefore; metadata sorted
// by key. INVALID_ARGUMENT names the tensor.
SafetensorsLayout LayOutSafetensors(std::vector<SafetensorsTensor> tensors,
                                    Metadata metadata);

// Writes one tensor after the other, in any number of pieces. For one thread.
class SafetensorsWriter {
 public:
  // As LayOutSafetensors and AtomicFile. options.compress has no effect.
  SafetensorsWriter(const std::string& path, const WriteOptions& options,
                    std::vector<SafetensorsTensor> tensors, Metadata metadata);
  SafetensorsWriter(std::shared_ptr<ByteOutput> output,
                    std::vector<SafetensorsTensor> tensors, Metadata metadata);

  // The order in which the tensors are to be appended, with their sizes.
  const std::vector<SafetensorsEntry>& entries() const {
    return layout_.entries;
  }
  uint64_t file_bytes() const { return layout_.file_bytes; }
  // The next bytes of entries()[index]. INVALID_ARGUMENT where it is not this
  // tensor's turn, or these are more than its bytes.
  void Append(size_t index, const void* data, uint64_t bytes);
  // The bytes of entries()[index], whose turn it is, are there already
  // (ByteOutput::Keep).
  void Skip(size_t index);
  // Commits the output. INVALID_ARGUMENT where bytes are missing.
  void Finish();

 private:
  SafetensorsLayout layout_;
  std::shared_ptr<ByteOutput> output_;
  size_t current_ = 0;    // the tensor being written
  uint64_t written_ = 0;  // of its bytes
};

}  // namespace bnq

#endif  // BNQ_CORE_IO_SAFETENSORS_H_
