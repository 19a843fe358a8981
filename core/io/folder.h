// A folder of files that several processes share: what is in it, when it was
// used, and a lock.
#ifndef BNQ_CORE_IO_FOLDER_H_
#define BNQ_CORE_IO_FOLDER_H_

#include <cstdint>
#include <functional>
#include <string>

#include "core/io/mapped_file.h"

namespace bnq {

// Times are nanoseconds since 1970.
int64_t SystemTime();

struct FileTraits {
  uint64_t bytes = 0;
  int64_t modified = 0;
  // Of its contents or of what the system keeps about it: nobody can set it
  // back.
  int64_t changed = 0;
  bool is_folder = false;
  FileId id;
};

// Of what path leads to; false where there is nothing or it cannot be known.
bool FindTraits(const std::string& path, FileTraits* traits);
// Of what path leads to.
bool IsFolder(const std::string& path);
bool IsRegularFile(const std::string& path);
// Sets when a file was modified; false where it cannot.
bool SetModified(const std::string& path, int64_t time);
// Calls f with the name of everything in a folder, without "." and "..", in any
// order. Nothing where there is no such folder; IO where it cannot be read.
void ListFolder(const std::string& path,
                const std::function<void(const std::string& name)>& f);
// The same of all that is not a folder and lies in it or below: f with the path
// from it on, with "/". Links to folders are not followed; enter says whether
// to look into a folder of this name.
void ListTree(const std::string& path,
              const std::function<bool(const std::string& name)>& enter,
              const std::function<void(const std::string& path)>& f);
// And those that it lies in. IO where it cannot be made.
void MakeFolders(const std::string& path);
// Another name for a file, which replaces what has it. False where it cannot.
bool RenameFile(const std::string& from, const std::string& to);
// The path without symbolic links and dots; itself where there is nothing.
std::string RealPath(const std::string& path);

// Held by one at a time, of all processes; the system lets go of it when its
// holder dies.
class FolderLock {
 public:
  // Of this file, which is made.
  explicit FolderLock(const std::string& path);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  // False: somebody else holds it, or there is no such folder. True where the
  // file system has no locks.
  bool held() const { return file_.is_open(); }

 private:
  sys::File file_;
};

}  // namespace bnq

#endif  // BNQ_CORE_IO_FOLDER_H_
