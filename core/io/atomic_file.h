// Output files that are there whole or not at all.
#ifndef BNQ_CORE_IO_ATOMIC_FILE_H_
#define BNQ_CORE_IO_ATOMIC_FILE_H_

#include <cstdint>
#include <string>

#include "core/base/process.h"
#include "core/io/output.h"

namespace bnq {

struct WriteOptions {
  bool overwrite = false;  // replace an existing output
  bool compress = false;   // DEFLATE the chunks of a .bnq file
  // Do everything but write. The path is checked all the same, unless it is
  // empty.
  bool dry_run = false;
};

// Writes to a temporary file in the directory of `path`, which takes its place
// in Commit. Until then an existing file stays as it is; without Commit
// nothing is left behind, except by a process that is killed: a hidden file
// .bnq-*.tmp. A symbolic link is followed, and kept. A replaced file's
// permissions are kept. A write that fails is IO, naming the path and the
// system's reason: a full disk, a quota, a limit of the process on the size of
// its files (without SIGXFSZ, which would end it). A dry run counts what would
// have been written. For one process: the copy in a forked child is only to be
// destroyed, which leaves the temporary file alone.
class AtomicFile final : public ByteOutput {
 public:
  // EXISTS where the output exists and may not be overwritten; IO where it is
  // a directory or a device, or its directory cannot be written to.
  AtomicFile(const std::string& path, const WriteOptions& options);
  ~AtomicFile() override;

  const std::string& path() const { return path_; }

  // Puts the file in its place, synced to the disk. EXISTS where an output has
  // appeared meanwhile that may not be overwritten.
  void Commit() override;

 private:
  void DoWriteAt(uint64_t offset, const void* data, uint64_t bytes,
                 uint64_t end) override;
  void CreateTemporary();
  void Link();
  [[noreturn]] void FailSystem(const char* what, int error) const;

  std::string path_;       // as the caller wrote it
  std::string target_;     // without symbolic links
  std::string temporary_;  // "" where there is none
  WriteOptions options_;
  unsigned mode_ = 0;  // permissions of the replaced file
  bool replaces_ = false;
  int fd_ = -1;
  ProcessMark process_;
};

}  // namespace bnq

#endif  // BNQ_CORE_IO_ATOMIC_FILE_H_
