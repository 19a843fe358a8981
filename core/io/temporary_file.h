// A file without a name that anybody knows, which gets one when it is whole.
#ifndef BNQ_CORE_IO_TEMPORARY_FILE_H_
#define BNQ_CORE_IO_TEMPORARY_FILE_H_

#include <cstdint>
#include <string>

#include "core/base/process.h"

namespace bnq {

// With the slash, so that a name can be appended: "" for the working
// directory.
std::string DirectoryOf(const std::string& path);
// Makes names given in it last through a power failure, where the file system
// can.
void SyncDirectory(const std::string& directory);
// Gives the file at `path`, which may not be a directory, a second name beside
// it, or that name alone where the file system has no hard links. Returns it:
// "" where there is no file.
std::string BackUp(const std::string& path);
// Gives it its old name back, and takes the second one away.
void Restore(const std::string& backup, const std::string& path);
void RemoveFile(const std::string& path);

// Named .bnq-*.tmp, of a name that cannot be foreseen and so nobody can put
// something else in its place beforehand; only a process that is killed leaves
// it behind. Errors are IO, naming `output` and the system's reason. For one
// thread, and one process: the copy in a forked child is only to be destroyed,
// which leaves the file alone.
class TemporaryFile {
 public:
  // mode: permissions, less the umask's unless `exactly`.
  TemporaryFile(const std::string& directory, const std::string& output,
                unsigned mode, bool exactly);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  // A limit of the process on the size of its files is an error like a full
  // disk, without SIGXFSZ, which would end the process.
  void WriteAt(uint64_t offset, const void* data, uint64_t bytes);
  // Syncs and closes it.
  void Close();
  // Its name, once it is closed. Something of that name is replaced, or EXISTS.
  void Place(const std::string& target, bool replace);

 private:
  void Link(const std::string& target);
  [[noreturn]] void FailSystem(int error) const;

  std::string output_;
  std::string name_;  // "" where it has been placed
  int fd_ = -1;
  ProcessMark process_;
};

}  // namespace bnq

#endif  // BNQ_CORE_IO_TEMPORARY_FILE_H_
