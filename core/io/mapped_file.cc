#include "core/io/mapped_file.h"

#include <algorithm>
#include <cerrno>

#include "core/base/error.h"

namespace bnq {
namespace {

[[noreturn]] void FailSystem(const std::string& label, const char* what,
                             int error) {
  const bool missing = error == ENOENT || error == ENOTDIR;
  Fail(missing ? Status::kNotFound : Status::kIo, "cannot ", what, " ", label,
       ": ", sys::ErrorText(error));
}

void CheckRegular(const std::string& label, const sys::FileStatus& status) {
  if (status.type == sys::FileType::kRegular) return;
  const char* kind = status.type == sys::FileType::kFolder   ? "a directory"
                     : status.type == sys::FileType::kPipe   ? "a pipe"
                     : status.type == sys::FileType::kSocket ? "a socket"
                                                             : "a device";
  Fail(Status::kIo, label, " is ", kind, ", must be a regular file");
}

// Between two ticks.
constexpr size_t kReadBytes = size_t{4} << 20;

// Where the file cannot be mapped.
void ReadAll(const Context& context, const sys::File& file,
             const std::string& label, Buffer* buffer) {
  for (size_t done = 0; done < buffer->size();) {
    const size_t want = std::min(buffer->size() - done, kReadBytes);
    size_t n = 0;
    const int error = file.ReadAt(done, buffer->data() + done, want, &n);
    if (error != 0) FailSystem(label, "read", error);
    if (n < want) {
      Fail(Status::kIo, "cannot read ", label, ": it became shorter meanwhile");
    }
    done += n;
    context.Tick();
  }
}

}  // namespace

bool FindFileId(const std::string& path, FileId* id) {
  sys::FileStatus status;
  if (sys::GetStatus(path, /*follow=*/true, &status) != 0) return false;
  *id = status.id;
  return true;
}

MappedFile::MappedFile(const std::string& path)
    : path_(path), label_(Quoted(path)) {}

std::shared_ptr<const MappedFile> MappedFile::Open(const Context& context,
                                                   const std::string& path) {
  std::shared_ptr<MappedFile> file(new MappedFile(path));
  const std::string& label = file->label_;
  // Asked first, since opening some devices has effects.
  sys::FileStatus status;
  int error = sys::GetStatus(path, /*follow=*/true, &status);
  if (error != 0) FailSystem(label, "open", error);
  CheckRegular(label, status);
  sys::File opened;
  error = opened.Open(path, sys::File::kRead | sys::File::kFollowLink);
  if (error == 0) error = opened.Status(&status);
  if (error != 0) FailSystem(label, "open", error);
  CheckRegular(label, status);
  if (status.bytes > SIZE_MAX) {
    Fail(Status::kUnsupported, label, " has ", status.bytes,
         " bytes, more than this machine can address");
  }
  file->has_id_ = true;
  file->id_ = status.id;
  file->modified_ns_ = status.modified;
  file->size_ = status.bytes;
  if (file->size_ == 0) return file;
  if (context.map_files) opened.Map(file->size_, &file->data_);
  file->mapped_ = file->data_ != nullptr;
  if (!file->mapped_) {
    file->buffer_ = context.Allocate(file->size_);
    ReadAll(context, opened, label, &file->buffer_);
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
  if (mapped_) sys::Unmap(data_, size_);
}

void MappedFile::Release(uint64_t offset, uint64_t bytes) const {
  if (!mapped_ || offset >= size_) return;
  bytes = std::min(bytes, size_ - offset);
  static const uint64_t page = sys::PageBytes();
  const uint64_t begin = (offset + page - 1) / page * page;
  // The file's last page is whole, too: the rest of it is nothing.
  const uint64_t end =
      offset + bytes == size_ ? size_ : (offset + bytes) / page * page;
  if (begin < end) sys::ReleasePages(data_, begin, end);
}

}  // namespace bnq
