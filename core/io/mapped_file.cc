// The POSIX half of reading. Another system needs its own FindFileId, Open,
// Release and destructor.
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif

#include "core/io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/error.h"

namespace bnq {
namespace {

// Closes it on the way out.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

FileId IdOf(const struct stat& status) {
  return {static_cast<uint64_t>(status.st_dev),
          static_cast<uint64_t>(status.st_ino)};
}

int64_t ModifiedNs(const struct stat& status) {
#if defined(__APPLE__)
  const struct timespec& at = status.st_mtimespec;
#else
  const struct timespec& at = status.st_mtim;
#endif
  return int64_t{at.tv_sec} * 1000000000 + at.tv_nsec;
}

[[noreturn]] void FailSystem(const std::string& label, const char* what,
                             int error) {
  const bool missing = error == ENOENT || error == ENOTDIR;
  Fail(missing ? Status::kNotFound : Status::kIo, "cannot ", what, " ", label,
       ": ", std::strerror(error));
}

void CheckRegular(const std::string& label, const struct stat& status) {
  if (S_ISREG(status.st_mode)) return;
  const char* kind = S_ISDIR(status.st_mode)    ? "a directory"
                     : S_ISFIFO(status.st_mode) ? "a pipe"
                     : S_ISSOCK(status.st_mode) ? "a socket"
                                                : "a device";
  Fail(Status::kIo, label, " is ", kind, ", must be a regular file");
}

// Between two ticks.
constexpr size_t kReadBytes = size_t{4} << 20;

// Where the file cannot be mapped.
void ReadAll(const Context& context, int fd, const std::string& label,
             Buffer* buffer) {
  size_t done = 0;
  while (done < buffer->size()) {
    const size_t want = std::min(buffer->size() - done, kReadBytes);
    const ssize_t n = read(fd, buffer->data() + done, want);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) FailSystem(label, "read", errno);
    if (n == 0) {
      Fail(Status::kIo, "cannot read ", label, ": it became shorter meanwhile");
    }
    done += static_cast<size_t>(n);
    context.Tick();
  }
}

}  // namespace

bool FindFileId(const std::string& path, FileId* id) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return false;
  *id = IdOf(status);
  return true;
}

MappedFile::MappedFile(const std::string& path)
    : path_(path), label_(Quoted(path)) {}

std::shared_ptr<const MappedFile> MappedFile::Open(const Context& context,
                                                   const std::string& path) {
  std::shared_ptr<MappedFile> file(new MappedFile(path));
  const std::string& label = file->label_;
  // Asked first, since opening some devices has effects.
  struct stat status;
  if (stat(path.c_str(), &status) != 0) FailSystem(label, "open", errno);
  CheckRegular(label, status);
  // If it has become a pipe meanwhile, O_NONBLOCK keeps open from hanging.
  const Descriptor descriptor{
      open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (descriptor.fd < 0) FailSystem(label, "open", errno);
  if (fstat(descriptor.fd, &status) != 0) FailSystem(label, "open", errno);
  CheckRegular(label, status);
  const uint64_t size = static_cast<uint64_t>(status.st_size);
  if (size > SIZE_MAX) {
    Fail(Status::kUnsupported, label, " has ", size,
         " bytes, more than this machine can address");
  }
  file->has_id_ = true;
  file->id_ = IdOf(status);
  file->modified_ns_ = ModifiedNs(status);
  file->size_ = size;
  if (size == 0) return file;
  void* p = context.map_files ? mmap(nullptr, static_cast<size_t>(size),
                                     PROT_READ, MAP_PRIVATE, descriptor.fd, 0)
                              : MAP_FAILED;
  if (p != MAP_FAILED) {
    file->data_ = static_cast<const uint8_t*>(p);
    file->mapped_ = true;
  } else {
    file->buffer_ = context.Allocate(size);
    ReadAll(context, descriptor.fd, label, &file->buffer_);
    file->data_ = file->buffer_.data();
  }
  return file;
}

std::shared_ptr<const MappedFile> MappedFile::FromMemory(
    const void* data, uint64_t size, const std::string& name) {
  if (data == nullptr && size > 0) {
    Fail(Status::kInvalidArgument, "data is NULL, size = ", size);
  }
  if (size > SIZE_MAX) {
    Fail(Status::kInvalidArgument, "size = ", size,
         ", more than this machine can address");
  }
  std::shared_ptr<MappedFile> file(new MappedFile(name));
  file->data_ = static_cast<const uint8_t*>(data);
  file->size_ = size;
  return file;
}

MappedFile::~MappedFile() {
  if (mapped_) {
    munmap(const_cast<uint8_t*>(data_), static_cast<size_t>(size_));
  }
}

void MappedFile::Release(uint64_t offset, uint64_t bytes) const {
  if (!mapped_ || offset >= size_) return;
  bytes = std::min(bytes, size_ - offset);
  const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t begin = (offset + page - 1) / page * page;
  // The file's last page is whole, too: the rest of it is nothing.
  const uint64_t end =
      offset + bytes == size_ ? size_ : (offset + bytes) / page * page;
  if (begin >= end) return;
  madvise(const_cast<uint8_t*>(data_) + begin, static_cast<size_t>(end - begin),
          MADV_DONTNEED);
}

}  // namespace bnq
