// The index of a safetensors model in several files
// (*.safetensors.index.json), and the files it names, as one model.
#ifndef BNQ_CORE_IO_SAFETENSORS_INDEX_H_
#define BNQ_CORE_IO_SAFETENSORS_INDEX_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/base/context.h"
#include "core/io/mapped_file.h"
#include "core/io/safetensors.h"

namespace bnq {

// Immutable; any number of threads may read.
class SafetensorsIndex {
 public:
  struct Entry {
    const SafetensorsReader* shard;
    const SafetensorsEntry* tensor;
  };

  // Opens the files beside the index. CORRUPT_FILE where the index is not what
  // it should be, a file lacks a tensor or two hold the same one; NOT_FOUND
  // where a file is missing. A tensor that the index leaves out is left out,
  // with a warning to context's log.
  SafetensorsIndex(const Context& context,
                   std::shared_ptr<const MappedFile> file);

  const MappedFile& file() const { return *file_; }
  const std::vector<std::unique_ptr<SafetensorsReader>>& shards() const {
    return shards_;
  }
  // That of all shards; the first in order of file names decides where they
  // differ, with a warning. The index's own (total_size) says nothing that the
  // shards do not.
  const Metadata& metadata() const { return metadata_; }
  // Sorted by the bytes of the name.
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::shared_ptr<const MappedFile> file_;
  std::vector<std::unique_ptr<SafetensorsReader>> shards_;
  Metadata metadata_;
  std::vector<Entry> entries_;
};

}  // namespace bnq

#endif  // BNQ_CORE_IO_SAFETENSORS_INDEX_H_
