#include "core/io/journal.h"

#include <cerrno>
#include <cstring>

#include "core/base/error.h"
#include "core/io/deflate.h"
#include "core/io/endian.h"

namespace bnq {
namespace {

// "\x89BNJ", and the version of what follows.
constexpr uint8_t kMagic[8] = {0x89, 'B', 'N', 'J', 1, '\r', '\n', '\n'};
// Of a record: the bytes of its text and their crc32.
constexpr size_t kPrefix = 8;

}  // namespace

void Journal::FailSystem(int error) const {
  Fail(Status::kIo, "cannot write the journal of ", Quoted(output_), ": ",
       sys::ErrorText(error));
}

Journal::Journal(const std::string& path, const std::string& output)
    : output_(output) {
  constexpr unsigned kFlags = sys::File::kRead | sys::File::kWrite;
  int error =
      file_.Open(path, kFlags | sys::File::kCreate | sys::File::kNew, 0600);
  created_ = error == 0;
  if (error == EEXIST) error = file_.Open(path, kFlags);
  if (error == 0) error = file_.Lock();
  if (error == EWOULDBLOCK) {
    Fail(Status::kExists, "output ", Quoted(output),
         " is being written by another process");
  }
  if (error != 0) FailSystem(error);
  Load();
}

bool Journal::exists() const {
  sys::FileStatus status;
  return file_.Status(&status) == 0 && status.has_name;
}

void Journal::Load() {
  sys::FileStatus status;
  int error = file_.Status(&status);
  if (error != 0) FailSystem(error);
  std::string text(static_cast<size_t>(status.bytes), '\0');
  size_t size = 0;
  error = file_.ReadAt(0, &text[0], text.size(), &size);
  if (error != 0) FailSystem(error);
  text.resize(size);
  const auto* data = reinterpret_cast<const uint8_t*>(text.data());
  if (text.size() < sizeof kMagic ||
      std::memcmp(data, kMagic, sizeof kMagic) != 0) {
    return;
  }
  size_t at = sizeof kMagic;
  while (text.size() - at >= kPrefix) {
    const uint32_t size = LoadLE<uint32_t>(data + at);
    if (size > text.size() - at - kPrefix) break;
    const uint8_t* record = data + at + kPrefix;
    if (Crc32(0, record, size) != LoadLE<uint32_t>(data + at + 4)) break;
    records_.emplace_back(reinterpret_cast<const char*>(record), size);
    at += kPrefix + size;
  }
  end_ = at;
}

void Journal::Clear() {
  const int error = file_.Truncate(0);
  if (error != 0) FailSystem(error);
  records_.clear();
  end_ = 0;
}

void Journal::Append(const std::vector<std::string>& records) {
  std::string text;
  if (end_ == 0) {
    text.assign(reinterpret_cast<const char*>(kMagic), sizeof kMagic);
  }
  for (const std::string& record : records) {
    if (record.size() > UINT32_MAX) FailSystem(EFBIG);
    AppendLE(static_cast<uint32_t>(record.size()), &text);
    AppendLE(Crc32(0, record.data(), record.size()), &text);
    text += record;
  }
  int error = file_.WriteAt(end_, text.data(), text.size());
  // What was torn there.
  if (error == 0) error = file_.Truncate(end_ + text.size());
  if (error == 0) error = file_.Sync();
  if (error != 0) FailSystem(error);
  end_ += text.size();
}

}  // namespace bnq
