// Windows 10 and newer: the wide API, with paths from UTF-8.
#if defined(_WIN32)
#include "core/io/system_windows.h"

#include <algorithm>
#include <cstring>

namespace bnq {
namespace sys {
namespace windows {

// --- texts -----------------------------------------------------------------

bool Wide(const std::string& text, std::wstring* wide) {
  wide->clear();
  if (text.empty()) return true;
  if (text.size() > INT32_MAX) return false;
  const int bytes = static_cast<int>(text.size());
  const int size = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS,
                                       text.data(), bytes, nullptr, 0);
  if (size <= 0) return false;
  wide->resize(static_cast<size_t>(size));
  return MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text.data(), bytes,
                             &(*wide)[0], size) == size;
}

std::string Narrow(const wchar_t* wide, size_t length) {
  if (length == 0) return "";
  const int count = static_cast<int>(length);
  const int size = WideCharToMultiByte(CP_UTF8, 0, wide, count, nullptr, 0,
                                       nullptr, nullptr);
  std::string text(static_cast<size_t>(std::max(size, 0)), '\0');
  if (size > 0) {
    WideCharToMultiByte(CP_UTF8, 0, wide, count, &text[0], size, nullptr,
                        nullptr);
  }
  return text;
}

bool WidePath(const std::string& path, std::wstring* wide) {
  if (path.find('\0') != std::string::npos || !Wide(path, wide)) return false;
  if (wide->size() < MAX_PATH - 13 || wide->compare(0, 4, L"\\\\?\\") == 0) {
    // Relative paths are as long as the working directory makes them.
    if (IsAbsolute(path)) return true;
    const DWORD size = GetFullPathNameW(wide->c_str(), 0, nullptr, nullptr);
    if (size < MAX_PATH - 13) return true;
  }
  const DWORD size = GetFullPathNameW(wide->c_str(), 0, nullptr, nullptr);
  if (size == 0) return false;
  std::wstring full(size, L'\0');
  const DWORD length = GetFullPathNameW(wide->c_str(), size, &full[0], nullptr);
  if (length == 0 || length >= size) return false;
  full.resize(length);
  if (full.compare(0, 4, L"\\\\?\\") == 0 ||
      full.compare(0, 4, L"\\\\.\\") == 0) {
    *wide = full;
  } else if (full.compare(0, 2, L"\\\\") == 0) {
    *wide = L"\\\\?\\UNC" + full.substr(1);
  } else {
    *wide = L"\\\\?\\" + full;
  }
  return true;
}

// --- errors ----------------------------------------------------------------

namespace {

struct ErrorPair {
  DWORD windows;
  int error;
};
constexpr ErrorPair kErrors[] = {
    {ERROR_FILE_NOT_FOUND, ENOENT},
    {ERROR_PATH_NOT_FOUND, ENOENT},
    {ERROR_INVALID_DRIVE, ENOENT},
    {ERROR_INVALID_NAME, ENOENT},
    {ERROR_BAD_PATHNAME, ENOENT},
    {ERROR_BAD_NETPATH, ENOENT},
    {ERROR_BAD_NET_NAME, ENOENT},
    {ERROR_ACCESS_DENIED, EACCES},
    {ERROR_WRITE_PROTECT, EROFS},
    {ERROR_FILE_EXISTS, EEXIST},
    {ERROR_ALREADY_EXISTS, EEXIST},
    {ERROR_DIR_NOT_EMPTY, ENOTEMPTY},
    {ERROR_DIRECTORY, ENOTDIR},
    {ERROR_DISK_FULL, ENOSPC},
    {ERROR_HANDLE_DISK_FULL, ENOSPC},
    {ERROR_FILE_TOO_LARGE, EFBIG},
    {ERROR_NOT_SUPPORTED, ENOSYS},
    {ERROR_INVALID_FUNCTION, ENOSYS},
    {ERROR_TOO_MANY_LINKS, EMLINK},
    {ERROR_NOT_SAME_DEVICE, EXDEV},
    {ERROR_TOO_MANY_OPEN_FILES, EMFILE},
    {ERROR_NOT_ENOUGH_MEMORY, ENOMEM},
    {ERROR_OUTOFMEMORY, ENOMEM},
    {ERROR_FILENAME_EXCED_RANGE, ENAMETOOLONG},
    {ERROR_LOCK_VIOLATION, EWOULDBLOCK},
};

}  // namespace

int ErrorOf(DWORD windows) {
  for (const ErrorPair& pair : kErrors) {
    if (pair.windows == windows) return pair.error;
  }
  return -static_cast<int>(windows);
}

// --- what is there ---------------------------------------------------------

Handle OpenPath(const std::wstring& path, DWORD access, bool follow) {
  const HANDLE handle = CreateFileW(
      path.c_str(), access, kShareAll, nullptr, OPEN_EXISTING,
      FILE_FLAG_BACKUP_SEMANTICS |
          (follow ? 0 : static_cast<DWORD>(FILE_FLAG_OPEN_REPARSE_POINT)),
      nullptr);
  return Handle(handle == INVALID_HANDLE_VALUE ? nullptr : handle);
}

namespace {

int64_t Nanoseconds(int64_t ticks) { return (ticks - kEpoch) * 100; }

uint64_t Join(DWORD high, DWORD low) { return uint64_t{high} << 32 | low; }

}  // namespace

bool IsLink(HANDLE handle) {
  FILE_ATTRIBUTE_TAG_INFO info;
  return GetFileInformationByHandleEx(handle, FileAttributeTagInfo, &info,
                                      sizeof info) != 0 &&
         (info.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0 &&
         (info.ReparseTag == IO_REPARSE_TAG_SYMLINK ||
          info.ReparseTag == IO_REPARSE_TAG_MOUNT_POINT);
}

int StatusOf(HANDLE handle, FileStatus* status) {
  const DWORD kind = GetFileType(handle);
  if (kind != FILE_TYPE_DISK) {
    *status = FileStatus();
    status->type = kind == FILE_TYPE_PIPE ? FileType::kPipe : FileType::kDevice;
    return 0;
  }
  BY_HANDLE_FILE_INFORMATION info;
  FILE_BASIC_INFO basic;
  FILE_STANDARD_INFO standard;
  if (GetFileInformationByHandle(handle, &info) == 0 ||
      GetFileInformationByHandleEx(handle, FileBasicInfo, &basic,
                                   sizeof basic) == 0 ||
      GetFileInformationByHandleEx(handle, FileStandardInfo, &standard,
                                   sizeof standard) == 0) {
    return LastError();
  }
  status->type = IsLink(handle)                ? FileType::kLink
                 : standard.Directory != FALSE ? FileType::kFolder
                                               : FileType::kRegular;
  status->bytes = Join(info.nFileSizeHigh, info.nFileSizeLow);
  status->modified = Nanoseconds(basic.LastWriteTime.QuadPart);
  status->changed = Nanoseconds(basic.ChangeTime.QuadPart);
  status->id = {info.dwVolumeSerialNumber,
                Join(info.nFileIndexHigh, info.nFileIndexLow)};
  status->mode = 0666;
  status->has_name =
      standard.DeletePending == FALSE && standard.NumberOfLinks != 0;
  return 0;
}

bool IsFolder(const std::wstring& path) {
  const DWORD attributes = GetFileAttributesW(path.c_str());
  return attributes != INVALID_FILE_ATTRIBUTES &&
         (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

int MissingOf(const std::string& path, int error) {
  if (error != ENOENT) return error;
  for (size_t end = NameBegin(path); end > 1;
       end = NameBegin(path.substr(0, end - 1))) {
    std::wstring wide;
    if (!WidePath(path.substr(0, end - 1), &wide)) break;
    const DWORD attributes = GetFileAttributesW(wide.c_str());
    if (attributes == INVALID_FILE_ATTRIBUTES) continue;
    return (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0 ? ENOENT : ENOTDIR;
  }
  return ENOENT;
}

}  // namespace windows

using namespace windows;

std::string ErrorText(int error) {
  if (error >= 0) return std::strerror(error);
  const DWORD windows = static_cast<DWORD>(-error);
  wchar_t text[512];
  DWORD size = FormatMessageW(
      FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, nullptr,
      windows, 0, text, sizeof text / sizeof *text, nullptr);
  while (size > 0 && (text[size - 1] <= L' ' || text[size - 1] == L'.')) --size;
  return Narrow(text, size) + " (Windows error " + std::to_string(windows) +
         ")";
}

// FAT; and folders, of which HardLink says EPERM.
bool MeansNoLinks(int error) {
  return error == EPERM || error == ENOSYS || error == EMLINK;
}

int GetStatus(const std::string& path, bool follow, FileStatus* status) {
  std::wstring wide;
  if (!WidePath(path, &wide)) return kBadPath;
  const Handle handle = OpenPath(wide, FILE_READ_ATTRIBUTES, follow);
  if (handle == nullptr) return MissingOf(path, LastError());
  return StatusOf(handle.get(), status);
}
// Of a drive alone, too: "C:name" is in that drive's working directory.
size_t NameBegin(const std::string& path) {
  const size_t slash = path.find_last_of("/\\");
  if (slash != std::string::npos) return slash + 1;
  return path.size() >= 2 && path[1] == ':' ? 2 : 0;
}

bool IsAbsolute(const std::string& path) {
  return (!path.empty() && IsSlash(path[0])) ||
         (path.size() >= 3 && path[1] == ':' && IsSlash(path[2]));
}
std::string Environment(const char* name) {
  std::wstring wide;
  if (!Wide(name, &wide)) return "";
  const DWORD size = GetEnvironmentVariableW(wide.c_str(), nullptr, 0);
  if (size == 0) return "";
  std::wstring value(size, L'\0');
  const DWORD length = GetEnvironmentVariableW(wide.c_str(), &value[0], size);
  return length < size ? Narrow(value.data(), length) : "";
}

}  // namespace sys
}  // namespace bnq
#endif  // defined(_WIN32)
