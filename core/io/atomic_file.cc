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
#include "core/io/partial_output.h"
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

std::string FollowLinks(const std::string& path) {
  std::string target = path;
  struct stat status;
  for (int links = 0;; ++links) {
    if (lstat(target.c_str(), &status) != 0) {
      if (errno == ENOENT) return target;
      FailSystem(path, errno);
    }
    if (!S_ISLNK(status.st_mode)) return target;
    if (links == kMaxLinks) FailSystem(path, ELOOP);
    const std::string next = ReadLink(target);
    target = next[0] == '/' ? next : DirectoryOf(target) + next;
  }
}

AtomicFile::AtomicFile(const std::string& path, const WriteOptions& options)
    : path_(path), options_(options) {
  if (path.empty()) {
    if (options.dry_run) return;
    Fail(Status::kInvalidArgument, "output path is empty");
  }
  // rename() replaces a link instead of what it leads to.
  target_ = options.replace_link ? path : FollowLinks(path);
  struct stat status;
  const bool exists = lstat(target_.c_str(), &status) == 0;
  if (!exists && errno != ENOENT) FailSystem(path, errno);
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
  file_ = options.partial != nullptr
              ? options.partial->OpenFile(path, mode, exactly)
              : std::make_shared<TemporaryFile>(directory, path, mode, exactly);
}

AtomicFile::~AtomicFile() = default;

void AtomicFile::DoWriteAt(uint64_t offset, const void* data, uint64_t bytes,
                           uint64_t /*end*/) {
  if (file_) file_->WriteAt(offset, data, bytes);
}

uint64_t AtomicFile::KeptBytes() const { return file_ ? file_->size() : 0; }

void AtomicFile::Commit() {
  if (options_.dry_run) return;
  if (options_.partial != nullptr) file_->Truncate(size());
  file_->Close();
  HeldOutputs own;
  HeldOutputs& outputs = options_.held != nullptr ? *options_.held : own;
  outputs.Add(std::move(file_), target_, options_.overwrite, options_.partial);
  own.Place();
}

}  // namespace bnq
