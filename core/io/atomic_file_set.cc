#include "core/io/atomic_file_set.h"

#include "core/base/error.h"
#include "core/io/temporary_file.h"

namespace bnq {

class AtomicFileSet::File final : public ByteOutput {
 public:
  // Without a file in a dry run.
  explicit File(std::unique_ptr<TemporaryFile> file) : file_(std::move(file)) {}

  void Commit() override {
    if (file_) file_->Close();
  }
  void Place(const std::string& target, bool replace) const {
    file_->Place(target, replace);
  }

 private:
  void DoWriteAt(uint64_t offset, const void* data, uint64_t bytes,
                 uint64_t /*end*/) override {
    if (file_) file_->WriteAt(offset, data, bytes);
  }

  std::unique_ptr<TemporaryFile> file_;
};

AtomicFileSet::AtomicFileSet(const std::string& path,
                             const WriteOptions& options)
    : path_(path), directory_(DirectoryOf(path)), options_(options) {
  WriteOptions check = options;
  check.dry_run = true;
  check.overwrite = true;
  AtomicFile(path, check);
}

AtomicFileSet::~AtomicFileSet() = default;

std::shared_ptr<ByteOutput> AtomicFileSet::Add() {
  std::unique_ptr<TemporaryFile> file;
  if (!options_.dry_run) {
    file = std::make_unique<TemporaryFile>(directory_, path_, 0666, false);
  }
  files_.push_back(std::make_shared<File>(std::move(file)));
  return files_.back();
}

void AtomicFileSet::Place(const File& file, const std::string& target,
                          std::vector<Placed>* placed) {
  placed->push_back({target, ""});
  try {
    if (options_.overwrite) placed->back().backup = BackUp(target);
    file.Place(target, options_.overwrite);
  } catch (...) {
    // Its own undoing: what is at target is not this file.
    if (!placed->back().backup.empty()) {
      Restore(placed->back().backup, target);
    }
    placed->pop_back();
    throw;
  }
}

void AtomicFileSet::Undo(const std::vector<Placed>& placed) const {
  for (const Placed& item : placed) {
    if (item.backup.empty()) {
      RemoveFile(item.target);
    } else {
      Restore(item.backup, item.target);
    }
  }
}

void AtomicFileSet::Commit(const std::vector<std::string>& names) {
  if (names.size() != files_.size()) {
    Fail(Status::kInternal, names.size(), " names for ", files_.size(),
         " files");
  }
  // As AtomicFile judges each; nothing is touched before all may be written.
  for (const std::string& name : names) {
    WriteOptions check = options_;
    check.dry_run = true;
    AtomicFile(directory_ + name, check);
  }
  if (options_.dry_run) return;
  std::vector<Placed> placed;
  placed.reserve(names.size());
  try {
    for (size_t i = 0; i < names.size(); ++i) {
      Place(*files_[i], directory_ + names[i], &placed);
    }
  } catch (...) {
    Undo(placed);
    throw;
  }
  for (const Placed& item : placed) {
    if (!item.backup.empty()) RemoveFile(item.backup);
  }
  SyncDirectory(directory_);
}

}  // namespace bnq
