// With mapped_file.cc and temporary_file.cc the POSIX half of files: another
// system needs its own versions.
#include "core/io/atomic_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/base/error.h"
#include "core/io/held_outputs.h"
#include "core/io/temporary_file.h"

namespace bnq {
namespace {

// As many as Linux follows itself.
constexpr int kMaxLinks = 40;

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

[[noreturn]] void FailSystem(const std::string& path, int error) {
  Fail(Status::kIo, "cannot write ", Quoted(path), ": ", std::strerror(error));
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path, const WriteOptions& options)
    : path_(path), target_(path), options_(options) {
  if (path.empty()) {
    if (options.dry_run) return;
    Fail(Status::kInvalidArgument, "output path is empty");
  }
  // rename() replaces a link instead of what it leads to.
  struct stat status;
  bool exists = false;
  for (int links = 0;; ++links) {
    exists = lstat(target_.c_str(), &status) == 0;
    if (!exists && errno != ENOENT) FailSystem(path, errno);
    if (!exists || !S_ISLNK(status.st_mode) || options.replace_link) break;
    if (links == kMaxLinks) FailSystem(path, ELOOP);
    const std::string next = ReadLink(target_);
    target_ = next[0] == '/' ? next : DirectoryOf(target_) + next;
  }
  const bool link = exists && S_ISLNK(status.st_mode);
  if (exists && !link && !S_ISREG(status.st_mode)) {
    Fail(Status::kIo, "output ", Quoted(path), " is ",
         S_ISDIR(status.st_mode) ? "a directory" : "a device, pipe or socket",
         ", must be a regular file");
  }
  if (exists && !options.overwrite) {
    Fail(Status::kExists, "output ", Quoted(path),
         " exists and overwriting was not asked for");
  }
  // Never open to more people than the file it replaces.
  const bool exactly = exists && !link;
  const unsigned mode =
      exactly ? static_cast<unsigned>(status.st_mode) & 0777 : 0666;
  const std::string directory = DirectoryOf(target_);
  if (stat(directory.empty() ? "." : directory.c_str(), &status) != 0) {
    Fail(Status::kIo, "cannot write ", Quoted(path), ": directory ",
         Quoted(directory), ": ", std::strerror(errno));
  }
  if (options.dry_run) return;
  file_ = std::make_unique<TemporaryFile>(directory, path, mode, exactly);
}

AtomicFile::~AtomicFile() = default;

void AtomicFile::DoWriteAt(uint64_t offset, const void* data, uint64_t bytes,
                           uint64_t /*end*/) {
  if (file_) file_->WriteAt(offset, data, bytes);
}

void AtomicFile::Commit() {
  if (options_.dry_run) return;
  file_->Close();
  if (options_.held != nullptr) {
    options_.held->Add(std::move(file_), target_, options_.overwrite);
    return;
  }
  file_->Place(target_, options_.overwrite);
  // The file is in its place by now, so a file system that cannot sync its
  // directory is no error.
  SyncDirectory(DirectoryOf(target_));
}

}  // namespace bnq
