// Several output files that are there all together or not at all.
#ifndef BNQ_CORE_IO_ATOMIC_FILE_SET_H_
#define BNQ_CORE_IO_ATOMIC_FILE_SET_H_

#include <memory>
#include <string>
#include <vector>

#include "core/io/atomic_file.h"

namespace bnq {

// Files of one directory whose names are known only at the end. For one thread.
//
// Each is a temporary file (AtomicFile's) until Commit. A process that is
// killed within Commit can leave some of them in their places: the last one,
// which tells of the others, comes last.
class AtomicFileSet {
 public:
  // In the directory of `path`, whose errors are AtomicFile's; whether `path`
  // itself exists does not matter.
  AtomicFileSet(const std::string& path, const WriteOptions& options);
  // Whatever has no name is removed.
  ~AtomicFileSet();
  AtomicFileSet(const AtomicFileSet&) = delete;
  AtomicFileSet& operator=(const AtomicFileSet&) = delete;

  // Another file. Its own Commit syncs and closes it, and nothing more.
  std::shared_ptr<ByteOutput> Add();
  size_t size() const { return files_.size(); }

  // Puts the files in their places, or among the held outputs, in the order of
  // Add: names[i] within the directory. All have been committed. `remove`, if
  // it is not empty, is then there no more. EXISTS or IO: none of them is
  // there, and what was there before is there again.
  void Commit(const std::vector<std::string>& names,
              const std::string& remove = "");

 private:
  class File;

  std::string path_;       // as the caller wrote it
  std::string directory_;  // with the slash, "" for the working directory
  WriteOptions options_;
  std::vector<std::shared_ptr<File>> files_;
};

}  // namespace bnq

#endif  // BNQ_CORE_IO_ATOMIC_FILE_SET_H_
