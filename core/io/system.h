// What the library asks the system about files, in one place: system_posix.cc
// and system_windows.cc are all of core/io that another system needs anew.
//
// Paths are UTF-8 on Windows, of any length, with either slash; elsewhere they
// are any bytes. What can fail returns 0, or why it did: a value of errno, on
// Windows too, or below 0 where Windows has a reason that errno has not.
#ifndef BNQ_CORE_IO_SYSTEM_H_
#define BNQ_CORE_IO_SYSTEM_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace bnq {

// Tells files apart, whatever names lead to them.
struct FileId {
  uint64_t device = 0;
  uint64_t inode = 0;
  bool operator==(const FileId& other) const {
    return device == other.device && inode == other.inode;
  }
  bool operator!=(const FileId& other) const { return !(*this == other); }
};

namespace sys {

// In words.
std::string ErrorText(int error);
// Of a link or rename, where the file system has no second names for that.
bool MeansNoLinks(int error);

enum class FileType { kRegular, kFolder, kLink, kPipe, kSocket, kDevice };

struct FileStatus {
  FileType type = FileType::kRegular;
  uint64_t bytes = 0;
  // ns since 1970; `changed` is of its contents or of what the system keeps
  // about it, and nobody can set it back.
  int64_t modified = 0, changed = 0;
  FileId id;
  unsigned mode = 0;  // permissions; on Windows files have those of the folder
  bool has_name = true;  // nobody has removed it while it is open
};

// Of what `path` leads to or, not following it, of a symbolic link itself.
int GetStatus(const std::string& path, bool follow, FileStatus* status);

// An open file, which this closes. Whatever happens to its name meanwhile, it
// is this file; nobody else is kept from opening, renaming or removing it.
class File {
 public:
  enum Flags : unsigned {
    kRead = 1,
    kWrite = 2,
    kCreate = 4,      // where there is none
    kNew = 8,         // with kCreate: EEXIST where there is one
    kFollowLink = 16  // without it a symbolic link is an error
  };

  File() = default;
  ~File() { static_cast<void>(Close()); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  // Of something that is not open. mode: permissions of a new one.
  int Open(const std::string& path, unsigned flags, unsigned mode = 0666);
  bool is_open() const { return handle_ != kNone; }
  int Close();

  int Status(FileStatus* status) const;
  // Exactly these permissions, where the file system has some.
  void SetMode(unsigned mode);
  // *done: fewer than `bytes` at the file's end alone.
  int ReadAt(uint64_t offset, void* data, size_t bytes, size_t* done) const;
  // All of them. Where the process may not write as much (RLIMIT_FSIZE), EFBIG
  // without the signal that would end the process.
  int WriteAt(uint64_t offset, const void* data, uint64_t bytes);
  int Truncate(uint64_t bytes);
  // What has been written lasts through a power failure.
  int Sync();
  // Against every other File that is locked, of any process, without waiting:
  // EWOULDBLOCK where there is one. The system unlocks it when its process
  // dies.
  int Lock();
  void Unlock();
  // The whole of it read-only, until Unmap. *data is null where it cannot be.
  void Map(uint64_t bytes, const uint8_t** data) const;

 private:
  static constexpr intptr_t kNone = -1;
  intptr_t handle_ = kNone;
};

void Unmap(const uint8_t* data, uint64_t bytes);
// Whole pages, which are no longer resident until they are read again.
void ReleasePages(const uint8_t* data, uint64_t begin, uint64_t end);
uint64_t PageBytes();

// Takes the place of what has the name already, at once: of a file, or an empty
// folder if it is one itself.
int Rename(const std::string& from, const std::string& to);
// A second name for a file; never replaces anything.
int HardLink(const std::string& from, const std::string& to);
// Of anything but a folder.
int RemoveName(const std::string& path);
int ReadLink(const std::string& path, std::string* target);
int SetModified(const std::string& path, int64_t time);

// Of one user alone with 0700, where folders have permissions.
int MakeFolder(const std::string& path, unsigned mode);
// An empty one.
int RemoveFolder(const std::string& path);
// Whether a folder, which is no link, is this user's and nobody else may write
// to it; on Windows, whether it is this user's.
int IsOwnFolder(const std::string& path, bool* own);
// Without "." and "..", in any order. f may remove what it is given.
int ListFolder(const std::string& path,
               const std::function<void(const std::string& name)>& f);
// Names given in it last through a power failure, where the file system can.
void SyncFolder(const std::string& path);

// Where the name begins behind its folder: after the last slash.
size_t NameBegin(const std::string& path);
bool IsAbsolute(const std::string& path);
// Without links and dots, with "/"; false where there is nothing.
bool RealPath(const std::string& path, std::string* real);

// A variable of the environment; "" where it is not set.
std::string Environment(const char* name);

}  // namespace sys
}  // namespace bnq

#endif  // BNQ_CORE_IO_SYSTEM_H_
