#include "core/io/atomic_file_set.h"

#include "core/base/error.h"
#include "core/io/held_outputs.h"
#include "core/io/temporary_file.h"

namespace bnq {

class AtomicFileSet::File final : public ByteOutput {
 public:
  // Without a file in a dry run.
  explicit File(std::shared_ptr<TemporaryFile> file) : file_(std::move(file)) {}

  void Commit() override {
    if (file_) file_->Close();
  }
  const std::shared_ptr<TemporaryFile>& file() const { return file_; }

 private:
  void DoWriteAt(uint64_t offset, const void* data, uint64_t bytes,
                 uint64_t /*end*/) override {
    if (file_) file_->WriteAt(offset, data, bytes);
  }

  std::shared_ptr<TemporaryFile> file_;
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
  std::shared_ptr<TemporaryFile> file;
  if (!options_.dry_run) {
    file = std::make_shared<TemporaryFile>(directory_, path_, 0666, false);
  }
  files_.push_back(std::make_shared<File>(std::move(file)));
  return files_.back();
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
  HeldOutputs own;
  HeldOutputs& outputs = options_.held != nullptr ? *options_.held : own;
  for (size_t i = 0; i < names.size(); ++i) {
    outputs.Add(files_[i]->file(), directory_ + names[i], options_.overwrite);
  }
  own.Place();
}

}  // namespace bnq
