// Output files that are there whole or not at all.
#ifndef BNQ_CORE_IO_ATOMIC_FILE_H_
#define BNQ_CORE_IO_ATOMIC_FILE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "core/io/output.h"

namespace bnq {

class HeldOutputs;    // held_outputs.h
class PartialOutput;  // partial_output.h
class TemporaryFile;  // temporary_file.h

struct WriteOptions {
  bool overwrite = false;  // replace an existing output
  bool compress = false;   // DEFLATE the chunks of a .bnq file
  // Do everything but write. The path is checked all the same, unless it is
  // empty.
  bool dry_run = false;
  // Bytes of tensors in one file of a model that may be split
  // (model_output.h); 0: it may not.
  uint64_t max_shard_bytes = 0;
  // A symbolic link is replaced, not followed.
  bool replace_link = false;
  // Where a complete output waits to be put in its place; null: it does not.
  std::shared_ptr<HeldOutputs> held = nullptr;
  // Where the output is until it is complete, so that another process can go on
  // with it; null: in temporary files, which go with this one.
  std::shared_ptr<PartialOutput> partial = nullptr;
};

// What a path leads to, which may be nothing: without symbolic links, as far as
// its last name goes. IO where they cannot be followed.
std::string FollowLinks(const std::string& path);

// Writes to a temporary file in the directory of `path`, which takes its place
// in Commit. Until then an existing file stays as it is; without Commit
// nothing is left behind, except by a process that is killed: a hidden file
// .bnq-*.tmp. A symbolic link is followed, and kept, unless the options say
// otherwise. A replaced file's permissions are kept. A write that fails is IO,
// naming the path and the system's reason: a full disk, a quota, a limit of the
// process on the size of its files (without SIGXFSZ, which would end it). A dry
// run counts what would have been written. For one process: the copy in a
// forked child is only to be destroyed, which leaves the temporary file alone.
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
  uint64_t KeptBytes() const override;

  std::string path_;    // as the caller wrote it
  std::string target_;  // without symbolic links
  WriteOptions options_;
  std::shared_ptr<TemporaryFile> file_;  // nullptr in a dry run
};

}  // namespace bnq

#endif  // BNQ_CORE_IO_ATOMIC_FILE_H_
