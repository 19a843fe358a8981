#include "core/io/atomic_file.h"

#include <cerrno>
#include <utility>

#include "core/base/error.h"
#include "core/io/held_outputs.h"
#include "core/io/partial_output.h"
#include "core/io/system.h"
#include "core/io/temporary_file.h"

namespace bnq {
namespace {

// As many as Linux follows itself.
constexpr int kMaxLinks = 40;

[[noreturn]] void FailSystem(const std::string& path, int error) {
  Fail(Status::kIo, "cannot write ", Quoted(path), ": ", sys::ErrorText(error));
}

}  // namespace

std::string FollowLinks(const std::string& path) {
  std::string target = path;
  sys::FileStatus status;
  for (int links = 0;; ++links) {
    int error = sys::GetStatus(target, /*follow=*/false, &status);
    if (error == ENOENT) return target;
    if (error != 0) FailSystem(path, error);
    if (status.type != sys::FileType::kLink) return target;
    if (links == kMaxLinks) FailSystem(path, ELOOP);
    std::string next;
    error = sys::ReadLink(target, &next);
    if (error != 0) {
      Fail(Status::kIo, "cannot read the symbolic link ", Quoted(target), ": ",
           sys::ErrorText(error));
    }
    target = sys::IsAbsolute(next) ? next : DirectoryOf(target) + next;
  }
}

AtomicFile::AtomicFile(const std::string& path, const WriteOptions& options)
    : path_(path), options_(options) {
  if (path.empty()) {
    if (options.dry_run) return;
    Fail(Status::kInvalidArgument, "output path is empty");
  }
  // Renaming replaces a link instead of what it leads to.
  target_ = options.replace_link ? path : FollowLinks(path);
  sys::FileStatus status;
  int error = sys::GetStatus(target_, /*follow=*/false, &status);
  const bool exists = error == 0;
  if (!exists && error != ENOENT) FailSystem(path, error);
  const bool link = exists && status.type == sys::FileType::kLink;
  if (exists && !link && status.type != sys::FileType::kRegular) {
    Fail(Status::kIo, "output ", Quoted(path), " is ",
         status.type == sys::FileType::kFolder ? "a directory"
                                               : "a device, pipe or socket",
         ", must be a regular file");
  }
  if (exists && !options.overwrite) {
    Fail(Status::kExists, "output ", Quoted(path),
         " exists and overwriting was not asked for");
  }
  // Never open to more people than the file it replaces.
  const bool exactly = exists && !link;
  const unsigned mode = exactly ? status.mode : 0666;
  const std::string directory = DirectoryOf(target_);
  error = sys::GetStatus(directory.empty() ? "." : directory, /*follow=*/true,
                         &status);
  if (error != 0) {
    Fail(Status::kIo, "cannot write ", Quoted(path), ": directory ",
         Quoted(directory), ": ", sys::ErrorText(error));
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
