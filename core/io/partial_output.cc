#include "core/io/partial_output.h"

#include <cerrno>
#include <utility>

#include "core/base/error.h"
#include "core/io/endian.h"
#include "core/io/held_outputs.h"
#include "core/io/mapped_file.h"
#include "core/io/system.h"

namespace bnq {
namespace {

// The first byte of a record.
constexpr char kFingerprint = 'F', kFinished = 'D', kPlacing = 'P';

constexpr char kEnding[] = ".part";
constexpr char kJournal[] = "journal", kDirectory[] = "output";

bool Exists(const std::string& path) {
  sys::FileStatus status;
  return sys::GetStatus(path, /*follow=*/false, &status) == 0;
}

// In a directory that others may write to, others may have made it.
void CheckOwn(const std::string& directory) {
  bool own = false;
  const int error = sys::IsOwnFolder(directory, &own);
  if (error != 0) {
    Fail(error == ENOTDIR || error == ELOOP ? Status::kExists : Status::kIo,
         "cannot use ", Quoted(directory), ": ", sys::ErrorText(error));
  }
  if (!own) {
    Fail(Status::kExists, "directory ", Quoted(directory),
         " is another user's, or others may write to it");
  }
}

// The line of each text in which they first differ.
std::pair<std::string, std::string> FirstDifference(const std::string& a,
                                                    const std::string& b) {
  size_t begin = 0;
  for (size_t i = 0; i < a.size() && i < b.size() && a[i] == b[i]; ++i) {
    if (a[i] == '\n') begin = i + 1;
  }
  const auto line = [begin](const std::string& text) {
    return text.substr(begin, text.find('\n', begin) - begin);
  };
  return {line(a), line(b)};
}

std::vector<std::string> SplitTexts(const std::string& record, size_t at) {
  std::vector<std::string> texts;
  const auto* data = reinterpret_cast<const uint8_t*>(record.data());
  while (record.size() - at >= 4) {
    const size_t size = LoadLE<uint32_t>(data + at);
    texts.push_back(record.substr(at + 4, size));
    at += 4 + size;
    if (at > record.size()) break;
  }
  return texts;
}

}  // namespace

PartialOutput::PartialOutput(const std::string& target,
                             const std::string& fingerprint, bool restart,
                             std::chrono::milliseconds interval)
    : target_(target),
      directory_(target + kEnding),
      interval_(interval),
      flushed_(std::chrono::steady_clock::now()) {
  OpenJournal();
  if (!restart && !journal_->records().empty()) {
    ReadRecords(fingerprint);
    return;
  }
  journal_->Clear();
  RemoveFiles();
  journal_->Append({kFingerprint + fingerprint});
  SyncDirectory(directory_);
  SyncDirectory(DirectoryOf(target_));
}

PartialOutput::~PartialOutput() {
  if (!process_.IsHere() || journal_ == nullptr) return;
  // Refused before anything was begun.
  if (records_.empty() && files_.empty() && !complete_) {
    Placed();
    return;
  }
  try {
    Flush();
  } catch (const Error&) {
    // What is not recorded is made again.
  }
}

void PartialOutput::OpenJournal() {
  for (;;) {
    const int error = sys::MakeFolder(directory_, 0700);
    const bool made = error == 0;
    if (!made && error != EEXIST) {
      Fail(Status::kIo, "cannot write ", Quoted(target_), ": cannot create ",
           Quoted(directory_), ": ", sys::ErrorText(error));
    }
    CheckOwn(directory_);
    if (!made && !Exists(directory_ + '/' + kJournal) &&
        !IsEmptyDirectory(directory_)) {
      Fail(Status::kExists, "directory ", Quoted(directory_),
           " is not what a conversion left: it has no journal");
    }
    journal_ = std::make_unique<Journal>(directory_ + '/' + kJournal, target_);
    // Otherwise the process that had it has just finished.
    if (journal_->exists()) return;
    journal_ = nullptr;
  }
}

void PartialOutput::ReadRecords(const std::string& fingerprint) {
  const std::vector<std::string>& records = journal_->records();
  const std::string ours = kFingerprint + fingerprint;
  if (records[0] != ours) {
    const auto [there, here] = FirstDifference(records[0], ours);
    Fail(Status::kExists, Quoted(directory_),
         " is of another conversion: it has ", Quoted(there),
         " where this one has ", Quoted(here), "; begin anew, or remove it");
  }
  for (const std::string& record : records) {
    if (record[0] == kFinished) records_.push_back(record.substr(1));
    if (record[0] != kPlacing) continue;
    const std::string parent = DirectoryOf(target_);
    const std::vector<std::string> texts = SplitTexts(record, 1);
    complete_ = true;
    moves_.clear();
    for (size_t i = 0; i + 1 < texts.size(); i += 2) {
      moves_.push_back(
          {texts[i].empty() ? "" : parent + texts[i], parent + texts[i + 1]});
    }
  }
}

void PartialOutput::RemoveFiles() {
  std::vector<std::string> names;
  sys::ListFolder(directory_,
                  [&](const std::string& name) { names.push_back(name); });
  for (const std::string& name : names) {
    if (name == kDirectory ||
        name.find_first_not_of("0123456789") == std::string::npos) {
      RemoveTree(directory_ + '/' + name);
    }
  }
}

void PartialOutput::Complete(const std::shared_ptr<PartialOutput>& partial,
                             HeldOutputs* outputs, bool replace) {
  bool waits = false;
  for (const Move& move : partial->moves_) {
    if (move.from.empty()) {
      if (!Exists(move.to)) continue;
      outputs->AddRemoval(move.to, partial);
      waits = true;
      continue;
    }
    if (!Exists(move.from)) continue;  // it is in its place
    FileId from, to;
    if (FindFileId(move.from, &from) && FindFileId(move.to, &to) &&
        from == to) {
      RemoveFile(move.from);  // its second name
      continue;
    }
    outputs->Add(Temporary::Kept(move.from, partial->target_), move.to, replace,
                 partial);
    waits = true;
  }
  if (!waits) partial->Placed();
}

std::shared_ptr<TemporaryFile> PartialOutput::OpenFile(
    const std::string& output, unsigned mode, bool exactly) {
  files_.push_back(
      TemporaryFile::Kept(directory_ + '/' + std::to_string(files_.size() + 1),
                          output, mode, exactly));
  SyncDirectory(directory_);
  return files_.back();
}

std::shared_ptr<TemporaryDirectory> PartialOutput::OpenDirectory(
    const std::string& output) {
  return TemporaryDirectory::Kept(directory_ + '/' + kDirectory, output);
}

void PartialOutput::Record(std::string record) {
  waiting_.push_back(kFinished + std::move(record));
  if (std::chrono::steady_clock::now() - flushed_ >= interval_) Flush();
}

void PartialOutput::Flush() {
  if (waiting_.empty()) return;
  for (const auto& file : files_) file->Sync();
  journal_->Append(waiting_);
  waiting_.clear();
  flushed_ = std::chrono::steady_clock::now();
}

void PartialOutput::BeginPlacing(const std::vector<Move>& moves) {
  Flush();
  // Relative to the directory in which the output is: another process may call
  // that by another name.
  const size_t parent = DirectoryOf(target_).size();
  std::string record(1, kPlacing);
  for (const Move& move : moves) {
    AppendText(move.from.empty() ? "" : move.from.substr(parent), &record);
    AppendText(move.to.substr(parent), &record);
  }
  journal_->Append({record});
}

void PartialOutput::Placed() {
  RemoveFiles();
  // The journal last, in which there is nothing to be done any more.
  RemoveFile(directory_ + '/' + kJournal);
  journal_ = nullptr;
  sys::RemoveFolder(directory_);
}

}  // namespace bnq
