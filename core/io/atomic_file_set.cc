#include "core/io/atomic_file_set.h"

#include "core/base/error.h"
#include "core/io/held_outputs.h"
#include "core/io/partial_output.h"
#include "core/io/temporary_file.h"

namespace bnq {

class AtomicFileSet::File final : public ByteOutput {
 public:
  // Without a file in a dry run.
  File(std::shared_ptr<TemporaryFile> file, bool partial)
      : file_(std::move(file)), partial_(partial) {}

  void Commit() override {
    if (!file_) return;
    if (partial_) file_->Truncate(size());
    file_->Close();
  }
  const std::shared_ptr<TemporaryFile>& file() const { return file_; }

 private:
  void DoWriteAt(uint64_t offset, const void* data, uint64_t bytes,
                 uint64_t /*end*/) override {
    if (file_) file_->WriteAt(offset, data, bytes);
  }
  uint64_t KeptBytes() const override { return file_ ? file_->size() : 0; }

  std::shared_ptr<TemporaryFile> file_;
  const bool partial_;
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
  const bool partial = options_.partial != nullptr;
  if (!options_.dry_run) {
    file = partial ? options_.partial->OpenFile(path_, 0666, false)
                   : std::make_shared<TemporaryFile>(directory_, path_, 0666,
                                                     false);
  }
  files_.push_back(std::make_shared<File>(std::move(file), partial));
  return files_.back();
}

void AtomicFileSet::Commit(const std::vector<std::string>& names,
                           const std::string& remove) {
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
    outputs.Add(files_[i]->file(), directory_ + names[i], options_.overwrite,
                options_.partial);
  }
  if (!remove.empty()) outputs.AddRemoval(remove, options_.partial);
  own.Place();
}

}  // namespace bnq
