// The POSIX half of folders. Another system needs its own version of this file.
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif

#include "core/io/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>

#include "core/base/error.h"

namespace bnq {
namespace {

constexpr int64_t kSecond = 1000000000;

[[noreturn]] void FailSystem(const char* what, const std::string& path) {
  const int error = errno;
  Fail(Status::kIo, "cannot ", what, " ", Quoted(path), ": ",
       std::strerror(error));
}

#if defined(__APPLE__)
#define BNQ_TIME(status, which) status.st_##which##timespec
#else
#define BNQ_TIME(status, which) status.st_##which##tim
#endif

int64_t Nanoseconds(const struct timespec& time) {
  return int64_t{time.tv_sec} * kSecond + time.tv_nsec;
}

}  // namespace

int64_t SystemTime() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

bool FindTraits(const std::string& path, FileTraits* traits) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return false;
  traits->bytes = static_cast<uint64_t>(status.st_size);
  traits->modified = Nanoseconds(BNQ_TIME(status, m));
  traits->changed = Nanoseconds(BNQ_TIME(status, c));
  traits->is_folder = S_ISDIR(status.st_mode);
  traits->id = {static_cast<uint64_t>(status.st_dev),
                static_cast<uint64_t>(status.st_ino)};
  return true;
}

bool SetModified(const std::string& path, int64_t time) {
  struct timespec times[2];
  times[0].tv_sec = 0;
  times[0].tv_nsec = UTIME_OMIT;
  times[1].tv_sec = static_cast<time_t>(time / kSecond);
  times[1].tv_nsec = static_cast<long>(time % kSecond);
  return utimensat(AT_FDCWD, path.c_str(), times, 0) == 0;
}

void ListFolder(const std::string& path,
                const std::function<void(const std::string& name)>& f) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(path.c_str()),
                                                   closedir);
  if (folder == nullptr) {
    if (errno == ENOENT) return;
    FailSystem("read the folder", path);
  }
  for (;;) {
    errno = 0;
    const struct dirent* const item = readdir(folder.get());
    if (item == nullptr) {
      if (errno != 0) FailSystem("read the folder", path);
      return;
    }
    const std::string name = item->d_name;
    if (name != "." && name != "..") f(name);
  }
}

void MakeFolders(const std::string& path) {
  if (mkdir(path.c_str(), 0777) == 0 || errno == EEXIST) return;
  const size_t slash = path.find_last_not_of('/', path.rfind('/'));
  if (errno != ENOENT || path.rfind('/') == std::string::npos ||
      slash == std::string::npos) {
    FailSystem("make the folder", path);
  }
  MakeFolders(path.substr(0, slash + 1));
  if (mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) {
    FailSystem("make the folder", path);
  }
}

bool RenameFile(const std::string& from, const std::string& to) {
  return rename(from.c_str(), to.c_str()) == 0;
}

std::string RealPath(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> real(
      realpath(path.c_str(), nullptr), free);
  return real == nullptr ? path : real.get();
}

FolderLock::FolderLock(const std::string& path) {
  fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (fd_ < 0 || flock(fd_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) {
    return;
  }
  close(fd_);
  fd_ = -1;
}

FolderLock::~FolderLock() {
  if (fd_ < 0) return;
  // A forked child may have the descriptor, too.
  flock(fd_, LOCK_UN);
  close(fd_);
}

}  // namespace bnq
