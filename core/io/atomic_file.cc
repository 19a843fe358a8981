// The POSIX half of writing. Another system needs its own version of this
// file.
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif

#include "core/io/atomic_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <random>
#include <utility>

#include "core/base/error.h"

namespace bnq {
namespace {

// As many as Linux follows itself.
constexpr int kMaxLinks = 40;

// With the slash, so that a name can be appended: "" for the working
// directory.
std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

std::string ReadLink(const std::string& path) {
  std::string target(256, '\0');
  for (;;) {
    const ssize_t n = readlink(path.c_str(), &target[0], target.size());
    if (n < 0) {
      Fail(Status::kIo, "cannot read the symbolic link ", Quoted(path), ": ",
           std::strerror(errno));
    }
    if (static_cast<size_t>(n) < target.size()) {
      target.resize(static_cast<size_t>(n));
      return target;
    }
    target.resize(2 * target.size());
  }
}

// Unpredictable, so that nobody can put something else in its place
// beforehand.
std::string RandomName() {
  std::random_device random;
  char name[40];
  std::snprintf(name, sizeof name, ".bnq-%08x%08x.tmp",
                static_cast<unsigned>(random()),
                static_cast<unsigned>(random()));
  return name;
}

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

void AtomicFile::FailSystem(const char* what, int error) const {
  Fail(error == EEXIST ? Status::kExists : Status::kIo, "cannot ", what, " ",
       Quoted(path_), ": ", std::strerror(error));
}

AtomicFile::AtomicFile(const std::string& path, const WriteOptions& options)
    : path_(path), target_(path), options_(options) {
  if (path.empty()) {
    if (options.dry_run) return;
    Fail(Status::kInvalidArgument, "output path is empty");
  }
  // rename() would replace a link instead of what it leads to.
  struct stat status;
  bool exists = false;
  for (int links = 0;; ++links) {
    exists = lstat(target_.c_str(), &status) == 0;
    if (!exists && errno != ENOENT) FailSystem("write", errno);
    if (!exists || !S_ISLNK(status.st_mode)) break;
    if (links == kMaxLinks) FailSystem("write", ELOOP);
    const std::string next = ReadLink(target_);
    target_ = next[0] == '/' ? next : DirectoryOf(target_) + next;
  }
  if (exists && !S_ISREG(status.st_mode)) {
    Fail(Status::kIo, "output ", Quoted(path), " is ",
         S_ISDIR(status.st_mode) ? "a directory" : "a device, pipe or socket",
         ", must be a regular file");
  }
  if (exists && !options.overwrite) {
    Fail(Status::kExists, "output ", Quoted(path),
         " exists and overwriting was not asked for");
  }
  replaces_ = exists;
  if (exists) mode_ = static_cast<unsigned>(status.st_mode) & 0777;
  const std::string directory = DirectoryOf(target_);
  if (stat(directory.empty() ? "." : directory.c_str(), &status) != 0) {
    Fail(Status::kIo, "cannot write ", Quoted(path), ": directory ",
         Quoted(directory), ": ", std::strerror(errno));
  }
  if (!options.dry_run) CreateTemporary();
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) close(fd_);
  // It is the file of the process that began it, not of a child that it forked.
  if (!temporary_.empty() && process_.IsHere()) unlink(temporary_.c_str());
}

void AtomicFile::CreateTemporary() {
  const std::string directory = DirectoryOf(target_);
  // Never open to more people than the file it replaces.
  const mode_t mode = replaces_ ? static_cast<mode_t>(mode_) : 0666;
  for (int attempt = 0; attempt < 100; ++attempt) {
    std::string name = directory + RandomName();
    fd_ = open(name.c_str(),
               O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd_ >= 0) {
      temporary_.swap(name);
      // What the umask took away. Some file systems have no permissions.
      if (replaces_) static_cast<void>(fchmod(fd_, mode) == 0);
      return;
    }
    if (errno != EEXIST && errno != EINTR) break;
  }
  Fail(Status::kIo, "cannot write ", Quoted(path_),
       ": cannot create a file in its directory: ", std::strerror(errno));
}

void AtomicFile::DoWriteAt(uint64_t offset, const void* data, uint64_t bytes,
                           uint64_t end) {
  if (end > static_cast<uint64_t>(INT64_MAX)) FailSystem("write", EFBIG);
  const char* p = static_cast<const char*>(data);
  while (!options_.dry_run && bytes > 0) {
    // The most that Linux writes at once is just below 2 GiB.
    const size_t want =
        static_cast<size_t>(std::min<uint64_t>(bytes, uint64_t{1} << 30));
    const ssize_t n = QuietWrite(fd_, p, want, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) FailSystem("write", n < 0 ? errno : ENOSPC);
    p += n;
    offset += static_cast<uint64_t>(n);
    bytes -= static_cast<uint64_t>(n);
  }
}

void AtomicFile::Link() {
  // Unlike rename(), link() never replaces anything.
  if (link(temporary_.c_str(), target_.c_str()) == 0) {
    unlink(temporary_.c_str());
    return;
  }
  const int error = errno;
  if (error == EEXIST) {
    Fail(Status::kExists, "output ", Quoted(path_),
         " appeared while it was being written");
  }
  // File systems without hard links (FAT, some network ones): looking first
  // leaves a moment in which another process could create the file.
  const bool no_links = error == EPERM || error == ENOSYS || error == ENOTSUP ||
                        error == EOPNOTSUPP || error == EMLINK;
  if (!no_links) FailSystem("write", error);
  struct stat status;
  if (lstat(target_.c_str(), &status) == 0) FailSystem("write", EEXIST);
  if (rename(temporary_.c_str(), target_.c_str()) != 0) {
    FailSystem("write", errno);
  }
}

void AtomicFile::Commit() {
  if (options_.dry_run) return;
  if (fd_ < 0) Fail(Status::kInternal, "AtomicFile committed twice");
  while (fsync(fd_) != 0) {
    if (errno != EINTR) FailSystem("write", errno);
  }
  // Some network file systems report a full disk only here. The descriptor is
  // gone even if close() fails.
  if (close(std::exchange(fd_, -1)) != 0 && errno != EINTR) {
    FailSystem("write", errno);
  }
  if (options_.overwrite) {
    if (rename(temporary_.c_str(), target_.c_str()) != 0) {
      FailSystem("write", errno);
    }
  } else {
    Link();
  }
  temporary_.clear();
  // Makes the new name last through a power failure. The file is in its place
  // by now, so a file system that cannot do it is no error.
  const std::string directory = DirectoryOf(target_);
  const int fd = open(directory.empty() ? "." : directory.c_str(),
                      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    static_cast<void>(fsync(fd) == 0);
    close(fd);
  }
}

}  // namespace bnq
