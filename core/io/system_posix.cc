// POSIX: Linux, macOS and the BSDs.
#if !defined(_WIN32)
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "core/io/system.h"

namespace bnq {
namespace sys {
namespace {

constexpr int64_t kSecond = 1000000000;

#if defined(__APPLE__)
#define BNQ_TIME(status, which) status.st_##which##timespec
#else
#define BNQ_TIME(status, which) status.st_##which##tim
#endif

int64_t Nanoseconds(const struct timespec& time) {
  return int64_t{time.tv_sec} * kSecond + time.tv_nsec;
}

FileType TypeOf(mode_t mode) {
  return S_ISREG(mode)    ? FileType::kRegular
         : S_ISDIR(mode)  ? FileType::kFolder
         : S_ISLNK(mode)  ? FileType::kLink
         : S_ISFIFO(mode) ? FileType::kPipe
         : S_ISSOCK(mode) ? FileType::kSocket
                          : FileType::kDevice;
}

void Convert(const struct stat& from, FileStatus* to) {
  to->type = TypeOf(from.st_mode);
  to->bytes = static_cast<uint64_t>(from.st_size);
  to->modified = Nanoseconds(BNQ_TIME(from, m));
  to->changed = Nanoseconds(BNQ_TIME(from, c));
  to->id = {static_cast<uint64_t>(from.st_dev),
            static_cast<uint64_t>(from.st_ino)};
  to->mode = static_cast<unsigned>(from.st_mode) & 0777;
  to->has_name = from.st_nlink != 0;
}

int Result(int returned) { return returned == 0 ? 0 : errno; }

int FileDescriptor(intptr_t handle) { return static_cast<int>(handle); }

// pwrite that fails with EFBIG past the process's limit on the size of files
// (RLIMIT_FSIZE) without the signal that would end the process. The signal goes
// to the thread that writes, so blocking and taking it here leaves the rest of
// the process, its handlers among it, as it was.
ssize_t QuietWrite(int fd, const void* data, size_t bytes, off_t offset) {
  sigset_t limit, old, pending;
  sigemptyset(&limit);
  sigaddset(&limit, SIGXFSZ);
  sigpending(&pending);
  const bool was_pending = sigismember(&pending, SIGXFSZ) == 1;
  pthread_sigmask(SIG_BLOCK, &limit, &old);
  const ssize_t n = pwrite(fd, data, bytes, offset);
  const int error = errno;
  if (n < 0 && error == EFBIG && !was_pending) {
    sigpending(&pending);
    int taken;
    if (sigismember(&pending, SIGXFSZ) == 1) sigwait(&limit, &taken);
  }
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  errno = error;
  return n;
}

}  // namespace

std::string ErrorText(int error) { return std::strerror(error); }

// FAT, and some network file systems.
bool MeansNoLinks(int error) {
  return error == EPERM || error == ENOSYS || error == ENOTSUP ||
         error == EOPNOTSUPP || error == EMLINK;
}

int GetStatus(const std::string& path, bool follow, FileStatus* status) {
  struct stat found;
  if ((follow ? stat : lstat)(path.c_str(), &found) != 0) return errno;
  Convert(found, status);
  return 0;
}

// --- open files ------------------------------------------------------------

int File::Open(const std::string& path, unsigned flags, unsigned mode) {
  int native = O_CLOEXEC;
  native |= (flags & kWrite) == 0  ? O_RDONLY
            : (flags & kRead) == 0 ? O_WRONLY
                                   : O_RDWR;
  if ((flags & kCreate) != 0) native |= O_CREAT;
  if ((flags & kNew) != 0) native |= O_EXCL;
  if ((flags & kFollowLink) == 0) native |= O_NOFOLLOW;
  // Reading something that has become a pipe must not hang.
  if ((flags & kWrite) == 0) native |= O_NONBLOCK;
  int fd;
  do {
    fd = open(path.c_str(), native, static_cast<mode_t>(mode));
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return errno;
  handle_ = fd;
  return 0;
}

int File::Close() {
  if (!is_open()) return 0;
  // The descriptor is gone even if close() fails.
  const int error =
      Result(close(FileDescriptor(std::exchange(handle_, kNone))));
  return error == EINTR ? 0 : error;
}

int File::Status(FileStatus* status) const {
  struct stat found;
  if (fstat(FileDescriptor(handle_), &found) != 0) return errno;
  Convert(found, status);
  return 0;
}

void File::SetMode(unsigned mode) {
  static_cast<void>(
      fchmod(FileDescriptor(handle_), static_cast<mode_t>(mode)) == 0);
}

int File::ReadAt(uint64_t offset, void* data, size_t bytes,
                 size_t* done) const {
  *done = 0;
  while (*done < bytes) {
    const ssize_t n =
        pread(FileDescriptor(handle_), static_cast<char*>(data) + *done,
              bytes - *done, static_cast<off_t>(offset + *done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) break;
    *done += static_cast<size_t>(n);
  }
  return 0;
}

int File::WriteAt(uint64_t offset, const void* data, uint64_t bytes) {
  if (offset + bytes > static_cast<uint64_t>(INT64_MAX)) return EFBIG;
  const char* p = static_cast<const char*>(data);
  while (bytes > 0) {
    // The most that Linux writes at once is just below 2 GiB.
    const size_t want =
        static_cast<size_t>(std::min<uint64_t>(bytes, uint64_t{1} << 30));
    const ssize_t n = QuietWrite(FileDescriptor(handle_), p, want,
                                 static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? errno : ENOSPC;
    p += n;
    offset += static_cast<uint64_t>(n);
    bytes -= static_cast<uint64_t>(n);
  }
  return 0;
}

int File::Truncate(uint64_t bytes) {
  int error;
  do {
    error =
        Result(ftruncate(FileDescriptor(handle_), static_cast<off_t>(bytes)));
  } while (error == EINTR);
  return error;
}

int File::Sync() {
  int error;
  do {
    error = Result(fsync(FileDescriptor(handle_)));
  } while (error == EINTR);
  return error;
}

int File::Lock() {
  return Result(flock(FileDescriptor(handle_), LOCK_EX | LOCK_NB));
}

// A forked child may have the descriptor, too.
void File::Unlock() { flock(FileDescriptor(handle_), LOCK_UN); }

void File::Map(uint64_t bytes, const uint8_t** data) const {
  void* const p = mmap(nullptr, static_cast<size_t>(bytes), PROT_READ,
                       MAP_PRIVATE, FileDescriptor(handle_), 0);
  *data = p == MAP_FAILED ? nullptr : static_cast<const uint8_t*>(p);
}

void Unmap(const uint8_t* data, uint64_t bytes) {
  munmap(const_cast<uint8_t*>(data), static_cast<size_t>(bytes));
}

void ReleasePages(const uint8_t* data, uint64_t begin, uint64_t end) {
  madvise(const_cast<uint8_t*>(data) + begin, static_cast<size_t>(end - begin),
          MADV_DONTNEED);
}

uint64_t PageBytes() { return static_cast<uint64_t>(sysconf(_SC_PAGESIZE)); }

// --- names -----------------------------------------------------------------

int Rename(const std::string& from, const std::string& to) {
  return Result(rename(from.c_str(), to.c_str()));
}

int HardLink(const std::string& from, const std::string& to) {
  return Result(link(from.c_str(), to.c_str()));
}

int RemoveName(const std::string& path) { return Result(unlink(path.c_str())); }

int ReadLink(const std::string& path, std::string* target) {
  std::string text(256, '\0');
  for (;;) {
    const ssize_t n = readlink(path.c_str(), &text[0], text.size());
    if (n < 0) return errno;
    if (static_cast<size_t>(n) < text.size()) {
      target->assign(text, 0, static_cast<size_t>(n));
      return 0;
    }
    text.resize(2 * text.size());
  }
}

int SetModified(const std::string& path, int64_t time) {
  struct timespec times[2];
  times[0].tv_sec = 0;
  times[0].tv_nsec = UTIME_OMIT;
  times[1].tv_sec = static_cast<time_t>(time / kSecond);
  times[1].tv_nsec = static_cast<long>(time % kSecond);
  return Result(utimensat(AT_FDCWD, path.c_str(), times, 0));
}

int MakeFolder(const std::string& path, unsigned mode) {
  return Result(mkdir(path.c_str(), static_cast<mode_t>(mode)));
}

int RemoveFolder(const std::string& path) {
  return Result(rmdir(path.c_str()));
}

int IsOwnFolder(const std::string& path, bool* own) {
  const int fd =
      open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return errno;
  struct stat status;
  const int error = Result(fstat(fd, &status));
  close(fd);
  *own =
      error == 0 && status.st_uid == geteuid() && (status.st_mode & 022) == 0;
  return error;
}

int ListFolder(const std::string& path,
               const std::function<void(const std::string& name)>& f) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(path.c_str()),
                                                   closedir);
  if (folder == nullptr) return errno;
  for (;;) {
    errno = 0;
    const struct dirent* const item = readdir(folder.get());
    if (item == nullptr) return errno;
    const std::string name = item->d_name;
    if (name != "." && name != "..") f(name);
  }
}

void SyncFolder(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  static_cast<void>(fsync(fd) == 0);
  close(fd);
}

size_t NameBegin(const std::string& path) {
  return path.rfind('/') + 1;  // npos + 1 is 0
}

bool IsAbsolute(const std::string& path) {
  return !path.empty() && path[0] == '/';
}

bool RealPath(const std::string& path, std::string* real) {
  const std::unique_ptr<char, void (*)(void*)> found(
      realpath(path.c_str(), nullptr), free);
  if (found == nullptr) return false;
  *real = found.get();
  return true;
}

std::string Environment(const char* name) {
  const char* const value = getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace sys
}  // namespace bnq
#endif  // !defined(_WIN32)
