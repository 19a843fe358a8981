// Open files.
#if defined(_WIN32)
#include "core/io/system_windows.h"

#include <algorithm>

namespace bnq {
namespace sys {

using namespace windows;

namespace {

OVERLAPPED At(uint64_t offset) {
  OVERLAPPED at{};
  at.Offset = static_cast<DWORD>(offset);
  at.OffsetHigh = static_cast<DWORD>(offset >> 32);
  return at;
}

// A lock keeps others from reading and writing what it is of: one byte where no
// file reaches.
constexpr uint64_t kLockedByte = uint64_t{1} << 62;

HANDLE Native(intptr_t handle) { return reinterpret_cast<HANDLE>(handle); }

}  // namespace

int File::Open(const std::string& path, unsigned flags, unsigned /*mode*/) {
  std::wstring wide;
  if (!WidePath(path, &wide)) return kBadPath;
  const DWORD access =
      ((flags & kRead) != 0 ? static_cast<DWORD>(GENERIC_READ) : 0) |
      ((flags & kWrite) != 0 ? static_cast<DWORD>(GENERIC_WRITE) : 0);
  const DWORD creation = (flags & kCreate) == 0 ? OPEN_EXISTING
                         : (flags & kNew) != 0  ? CREATE_NEW
                                                : OPEN_ALWAYS;
  const DWORD attributes =
      FILE_ATTRIBUTE_NORMAL |
      ((flags & kFollowLink) != 0
           ? 0
           : static_cast<DWORD>(FILE_FLAG_OPEN_REPARSE_POINT));
  HANDLE handle = INVALID_HANDLE_VALUE;
  const DWORD error = Retry([&] {
    handle = CreateFileW(wide.c_str(), access, kShareAll, nullptr, creation,
                         attributes, nullptr);
    // What is denied because it is a folder stays so.
    return handle != INVALID_HANDLE_VALUE || IsFolder(wide);
  });
  if (handle == INVALID_HANDLE_VALUE) {
    if (error == ERROR_SUCCESS) return EISDIR;
    return MissingOf(path, ErrorOf(error));
  }
  if ((flags & kFollowLink) == 0 && IsLink(handle)) {
    CloseHandle(handle);
    return ELOOP;
  }
  handle_ = reinterpret_cast<intptr_t>(handle);
  return 0;
}

int File::Close() {
  if (!is_open()) return 0;
  return CloseHandle(Native(std::exchange(handle_, kNone))) != 0 ? 0
                                                                 : LastError();
}

int File::Status(FileStatus* status) const {
  return StatusOf(Native(handle_), status);
}

// A file has the rights of the folder that it is made in.
void File::SetMode(unsigned /*mode*/) {}

int File::ReadAt(uint64_t offset, void* data, size_t bytes,
                 size_t* done) const {
  *done = 0;
  while (*done < bytes) {
    OVERLAPPED at = At(offset + *done);
    const DWORD want =
        static_cast<DWORD>(std::min<size_t>(bytes - *done, size_t{1} << 30));
    DWORD n = 0;
    if (ReadFile(Native(handle_), static_cast<char*>(data) + *done, want, &n,
                 &at) == 0) {
      if (GetLastError() == ERROR_HANDLE_EOF) break;
      return LastError();
    }
    if (n == 0) break;
    *done += n;
  }
  return 0;
}

int File::WriteAt(uint64_t offset, const void* data, uint64_t bytes) {
  if (offset + bytes > static_cast<uint64_t>(INT64_MAX)) return EFBIG;
  const char* p = static_cast<const char*>(data);
  while (bytes > 0) {
    OVERLAPPED at = At(offset);
    const DWORD want =
        static_cast<DWORD>(std::min<uint64_t>(bytes, uint64_t{1} << 30));
    DWORD n = 0;
    if (WriteFile(Native(handle_), p, want, &n, &at) == 0) return LastError();
    if (n == 0) return ENOSPC;
    p += n;
    offset += n;
    bytes -= n;
  }
  return 0;
}

int File::Truncate(uint64_t bytes) {
  FILE_END_OF_FILE_INFO info;
  info.EndOfFile.QuadPart = static_cast<LONGLONG>(bytes);
  return SetFileInformationByHandle(Native(handle_), FileEndOfFileInfo, &info,
                                    sizeof info) != 0
             ? 0
             : LastError();
}

int File::Sync() {
  return FlushFileBuffers(Native(handle_)) != 0 ? 0 : LastError();
}

int File::Lock() {
  OVERLAPPED at = At(kLockedByte);
  if (LockFileEx(Native(handle_),
                 LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0,
                 &at) != 0) {
    return 0;
  }
  return GetLastError() == ERROR_IO_PENDING ? EWOULDBLOCK : LastError();
}

void File::Unlock() {
  OVERLAPPED at = At(kLockedByte);
  UnlockFileEx(Native(handle_), 0, 1, 0, &at);
}

void File::Map(uint64_t /*bytes*/, const uint8_t** data) const {
  *data = nullptr;
  const Handle mapping(CreateFileMappingW(Native(handle_), nullptr,
                                          PAGE_READONLY, 0, 0, nullptr));
  if (mapping == nullptr) return;
  *data = static_cast<const uint8_t*>(
      MapViewOfFile(mapping.get(), FILE_MAP_READ, 0, 0, 0));
}

void Unmap(const uint8_t* data, uint64_t /*bytes*/) { UnmapViewOfFile(data); }

// Unlocking what is not locked takes it out of the working set.
void ReleasePages(const uint8_t* data, uint64_t begin, uint64_t end) {
  VirtualUnlock(const_cast<uint8_t*>(data) + begin,
                static_cast<SIZE_T>(end - begin));
}

uint64_t PageBytes() {
  SYSTEM_INFO info;
  GetSystemInfo(&info);
  return info.dwPageSize;
}

}  // namespace sys
}  // namespace bnq
#endif  // defined(_WIN32)
