// A whole file as memory.
#ifndef BNQ_CORE_IO_MAPPED_FILE_H_
#define BNQ_CORE_IO_MAPPED_FILE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "core/base/context.h"
#include "core/base/memory.h"
#include "core/io/system.h"

namespace bnq {

// Of what path leads to; false where there is nothing or it cannot be known.
bool FindFileId(const std::string& path, FileId* id);

// A regular file mapped read-only, or read into memory where the system cannot
// map it or the context says so; or memory borrowed from the caller. Immutable;
// any number of threads may read. A file that another process cuts short while
// it is mapped makes the system raise SIGBUS, as with every mapping.
class MappedFile {
 public:
  // NOT_FOUND where there is no such file; IO where it is a directory or a
  // device, or cannot be read.
  static std::shared_ptr<const MappedFile> Open(const Context& context,
                                                const std::string& path);
  // Borrows data, which must outlive the object; data may be NULL only with
  // size 0. name stands for the path in messages.
  static std::shared_ptr<const MappedFile> FromMemory(
      const void* data, uint64_t size, const std::string& name = "(memory)");

  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const uint8_t* data() const { return data_; }
  uint64_t size() const { return size_; }
  const std::string& path() const { return path_; }
  // The path fit to stand in a message.
  const std::string& label() const { return label_; }
  // False for borrowed memory, which has no identity.
  bool has_id() const { return has_id_; }
  const FileId& id() const { return id_; }
  // When it was last written to, in ns since 1970; 0 of borrowed memory.
  int64_t modified_ns() const { return modified_ns_; }

  // A hint that this range will not be read again soon: whole pages in it no
  // longer count as resident. Reading them again is right, only slower.
  void Release(uint64_t offset, uint64_t bytes) const;

 private:
  explicit MappedFile(const std::string& path);

  std::string path_;
  std::string label_;
  const uint8_t* data_ = nullptr;
  uint64_t size_ = 0;
  bool has_id_ = false;
  bool mapped_ = false;
  FileId id_;
  int64_t modified_ns_ = 0;
  Buffer buffer_;  // where it was read instead of mapped
};

}  // namespace bnq

#endif  // BNQ_CORE_IO_MAPPED_FILE_H_
