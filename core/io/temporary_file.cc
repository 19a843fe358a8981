// The POSIX half of writing. Another system needs its own version of this
// file.
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif

#include "core/io/temporary_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <new>
#include <random>
#include <utility>

#include "core/base/error.h"
#include "core/base/names.h"

namespace bnq {
namespace {

constexpr int kAttempts = 100;
constexpr char kBeginning[] = ".bnq-", kEnding[] = ".tmp";

std::string RandomName() {
  std::random_device random;
  char name[40];
  std::snprintf(name, sizeof name, "%s%08x%08x%s", kBeginning,
                static_cast<unsigned>(random()),
                static_cast<unsigned>(random()), kEnding);
  return name;
}

// FAT, and some network file systems.
bool MeansNoLinks(int error) {
  return error == EPERM || error == ENOSYS || error == ENOTSUP ||
         error == EOPNOTSUPP || error == EMLINK;
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

bool IsTemporaryName(const std::string& name) {
  return name.rfind(kBeginning, 0) == 0 && EndsWith(name, kEnding) &&
         name.size() ==
             sizeof kBeginning - 1 + 2 * sizeof(uint64_t) + sizeof kEnding - 1;
}

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

std::string NameOf(const std::string& path) {
  return path.substr(DirectoryOf(path).size());
}

void SyncDirectory(const std::string& directory) {
  const int fd = open(directory.empty() ? "." : directory.c_str(),
                      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  static_cast<void>(fsync(fd) == 0);
  close(fd);
}

std::string BackUp(const std::string& path) {
  struct stat status;
  if (lstat(path.c_str(), &status) != 0 && errno == ENOENT) return "";
  int error = 0;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const std::string name = DirectoryOf(path) + RandomName();
    if (link(path.c_str(), name.c_str()) == 0) return name;
    error = errno;
    if (MeansNoLinks(error)) {
      if (rename(path.c_str(), name.c_str()) == 0) return name;
      error = errno;
    }
    if (error != EEXIST) break;
  }
  Fail(Status::kIo, "cannot replace ", Quoted(path), ": ",
       std::strerror(error));
}

void Restore(const std::string& backup, const std::string& path) {
  static_cast<void>(rename(backup.c_str(), path.c_str()) == 0);
  // rename does nothing where both are names of one file.
  unlink(backup.c_str());
}

void RemoveFile(const std::string& path) { unlink(path.c_str()); }

void RemoveTree(const std::string& path) {
  // A file takes no memory to remove: of what a full one leaves behind, most
  // are files.
  if (unlink(path.c_str()) == 0 || errno == ENOENT) return;
  try {
    std::error_code error;
    std::filesystem::remove_all(path, error);
  } catch (const std::bad_alloc&) {
    // It stays: destructors come here.
  }
}

bool IsEmptyDirectory(const std::string& path) {
  struct stat status;
  std::error_code error;
  return lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
         std::filesystem::is_empty(path, error) && !error;
}

void Temporary::FailSystem(int error) const {
  Fail(error == EEXIST ? Status::kExists : Status::kIo, "cannot write ",
       Quoted(output_), ": ", std::strerror(error));
}

Temporary::~Temporary() {
  if (!kept_ && !placed_ && !name_.empty() && process_.IsHere())
    RemoveTree(name_);
}

std::shared_ptr<Temporary> Temporary::Kept(const std::string& name,
                                           const std::string& output) {
  struct stat status;
  if (lstat(name.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return TemporaryDirectory::Kept(name, output);
  }
  const auto file = TemporaryFile::Kept(name, output, 0666, false);
  file->Close();
  return file;
}

TemporaryDirectory::TemporaryDirectory(const std::string& directory,
                                       const std::string& output)
    : Temporary(output) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::string name = directory + RandomName();
    if (mkdir(name.c_str(), 0777) == 0) {
      name_.swap(name);
      return;
    }
    if (errno != EEXIST) break;
  }
  FailSystem(errno);
}

std::shared_ptr<TemporaryDirectory> TemporaryDirectory::Kept(
    const std::string& name, const std::string& output) {
  std::shared_ptr<TemporaryDirectory> made(new TemporaryDirectory(output));
  made->kept_ = true;
  if (mkdir(name.c_str(), 0777) != 0 && errno != EEXIST) {
    made->FailSystem(errno);
  }
  made->name_ = name;
  return made;
}

// False where there is a file already, which may not be.
bool TemporaryFile::Open(const std::string& name, int flags, unsigned mode,
                         bool exactly) {
  // Before there is a file that nobody would know.
  std::string known = name;
  do {
    fd_ = open(name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW,
               static_cast<mode_t>(mode));
  } while (fd_ < 0 && errno == EINTR);
  if (fd_ < 0) {
    if (errno == EEXIST) return false;
    Fail(Status::kIo, "cannot write ", Quoted(output_),
         ": cannot create a file in its directory: ", std::strerror(errno));
  }
  name_.swap(known);
  // What the umask took away. Some file systems have no permissions.
  if (exactly) {
    static_cast<void>(fchmod(fd_, static_cast<mode_t>(mode)) == 0);
  }
  return true;
}

TemporaryFile::TemporaryFile(const std::string& directory,
                             const std::string& output, unsigned mode,
                             bool exactly)
    : Temporary(output) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (Open(directory + RandomName(), O_WRONLY | O_CREAT | O_EXCL, mode,
             exactly)) {
      return;
    }
  }
  FailSystem(EEXIST);
}

std::shared_ptr<TemporaryFile> TemporaryFile::Kept(const std::string& name,
                                                   const std::string& output,
                                                   unsigned mode,
                                                   bool exactly) {
  std::shared_ptr<TemporaryFile> file(new TemporaryFile(output));
  file->kept_ = true;
  file->Open(name, O_WRONLY | O_CREAT, mode, exactly);
  return file;
}

TemporaryFile::~TemporaryFile() {
  if (fd_ >= 0) close(fd_);
}

uint64_t TemporaryFile::size() const {
  struct stat status;
  if (fstat(fd_, &status) != 0) FailSystem(errno);
  return static_cast<uint64_t>(status.st_size);
}

void TemporaryFile::Truncate(uint64_t bytes) {
  while (ftruncate(fd_, static_cast<off_t>(bytes)) != 0) {
    if (errno != EINTR) FailSystem(errno);
  }
}

void TemporaryFile::Sync() {
  while (fd_ >= 0 && fsync(fd_) != 0) {
    if (errno != EINTR) FailSystem(errno);
  }
}

void TemporaryFile::WriteAt(uint64_t offset, const void* data, uint64_t bytes) {
  if (offset + bytes > static_cast<uint64_t>(INT64_MAX)) FailSystem(EFBIG);
  const char* p = static_cast<const char*>(data);
  while (bytes > 0) {
    // The most that Linux writes at once is just below 2 GiB.
    const size_t want =
        static_cast<size_t>(std::min<uint64_t>(bytes, uint64_t{1} << 30));
    const ssize_t n = QuietWrite(fd_, p, want, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) FailSystem(n < 0 ? errno : ENOSPC);
    p += n;
    offset += static_cast<uint64_t>(n);
    bytes -= static_cast<uint64_t>(n);
  }
}

void TemporaryFile::Close() {
  if (fd_ < 0) Fail(Status::kInternal, "a temporary file is closed twice");
  Sync();
  // Some network file systems report a full disk only here. The descriptor is
  // gone even if close() fails.
  if (close(std::exchange(fd_, -1)) != 0 && errno != EINTR) FailSystem(errno);
}

void Temporary::Link(const std::string& target) {
  // Unlike rename(), link() never replaces anything.
  if (link(name_.c_str(), target.c_str()) == 0) {
    unlink(name_.c_str());
    return;
  }
  const int error = errno;
  if (error == EEXIST && !IsEmptyDirectory(target)) {
    Fail(Status::kExists, "output ", Quoted(output_),
         " appeared while it was being written");
  }
  // Directories, and file systems without hard links: looking first leaves a
  // moment in which another process could create the file. (rename never
  // replaces a directory with anything in it.)
  if (error != EEXIST && !MeansNoLinks(error)) FailSystem(error);
  struct stat status;
  if (lstat(target.c_str(), &status) == 0 && !IsEmptyDirectory(target)) {
    FailSystem(EEXIST);
  }
  if (rename(name_.c_str(), target.c_str()) != 0) FailSystem(errno);
}

void Temporary::Place(const std::string& target, bool replace) {
  if (!replace) {
    Link(target);
  } else if (rename(name_.c_str(), target.c_str()) != 0) {
    FailSystem(errno);
  }
  placed_ = true;
}

void Temporary::PutBack(const std::string& target) {
  static_cast<void>(rename(target.c_str(), name_.c_str()) == 0);
  placed_ = false;
}

}  // namespace bnq
