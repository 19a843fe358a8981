// With temporary_file.cc and partial_output.cc the POSIX half of writing.
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif

#include "core/io/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

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
       std::strerror(error));
}

Journal::Journal(const std::string& path, const std::string& output)
    : output_(output) {
  const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
  fd_ = open(path.c_str(), flags | O_CREAT | O_EXCL, 0600);
  created_ = fd_ >= 0;
  if (!created_ && errno == EEXIST) fd_ = open(path.c_str(), flags);
  if (fd_ < 0) FailSystem(errno);
  if (flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    close(fd_);
    if (error != EWOULDBLOCK) FailSystem(error);
    Fail(Status::kExists, "output ", Quoted(output),
         " is being written by another process");
  }
  try {
    Load();
  } catch (...) {
    close(fd_);
    throw;
  }
}

Journal::~Journal() { close(fd_); }

bool Journal::exists() const {
  struct stat status;
  return fstat(fd_, &status) == 0 && status.st_nlink != 0;
}

void Journal::Load() {
  struct stat status;
  if (fstat(fd_, &status) != 0) FailSystem(errno);
  std::string text(static_cast<size_t>(status.st_size), '\0');
  for (size_t at = 0; at < text.size();) {
    const ssize_t n =
        pread(fd_, &text[at], text.size() - at, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) FailSystem(errno);
    if (n == 0) text.resize(at);
    at += static_cast<size_t>(n);
  }
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
  if (ftruncate(fd_, 0) != 0) FailSystem(errno);
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
  for (size_t at = 0; at < text.size();) {
    const ssize_t n = pwrite(fd_, text.data() + at, text.size() - at,
                             static_cast<off_t>(end_ + at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) FailSystem(n < 0 ? errno : ENOSPC);
    at += static_cast<size_t>(n);
  }
  // What was torn there.
  if (ftruncate(fd_, static_cast<off_t>(end_ + text.size())) != 0 ||
      fsync(fd_) != 0) {
    FailSystem(errno);
  }
  end_ += text.size();
}

}  // namespace bnq
