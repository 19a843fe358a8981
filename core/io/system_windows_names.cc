// What has names: files, folders, links.
#if defined(_WIN32)
#include "core/io/system_windows.h"
// After windows.h.
#include <aclapi.h>

#include <algorithm>
#include <cstring>
#include <cwchar>

namespace bnq {
namespace sys {

using namespace windows;

namespace {

// As rename() does it: whoever has the old file open keeps it. Of Windows 10
// 1607 on NTFS; elsewhere an error.
bool RenameAsPosix(const std::wstring& from, const std::wstring& to) {
  // FILE_RENAME_INFO with the flags that older headers do not have.
  constexpr DWORD kReplaceIfExists = 1, kPosixSemantics = 2;
  constexpr auto kRenameInfoEx = static_cast<FILE_INFO_BY_HANDLE_CLASS>(22);
  const Handle handle = OpenPath(from, DELETE | SYNCHRONIZE, false);
  if (handle == nullptr) return false;
  const size_t name_bytes = to.size() * sizeof(wchar_t);
  const size_t size = sizeof(FILE_RENAME_INFO) + name_bytes;
  const std::unique_ptr<uint64_t[]> memory(new uint64_t[size / 8 + 1]());
  auto* const info = reinterpret_cast<FILE_RENAME_INFO*>(memory.get());
  const DWORD flags = kReplaceIfExists | kPosixSemantics;
  std::memcpy(info, &flags, sizeof flags);
  info->FileNameLength = static_cast<DWORD>(name_bytes);
  std::memcpy(info->FileName, to.data(), name_bytes);
  return SetFileInformationByHandle(handle.get(), kRenameInfoEx, info,
                                    static_cast<DWORD>(size)) != 0;
}

bool FullPath(const std::wstring& path, std::wstring* full) {
  const DWORD size = GetFullPathNameW(path.c_str(), 0, nullptr, nullptr);
  full->resize(size);
  const DWORD length =
      size == 0 ? 0
                : GetFullPathNameW(path.c_str(), size, &(*full)[0], nullptr);
  full->resize(length);
  return length != 0;
}

}  // namespace

int Rename(const std::string& from, const std::string& to) {
  std::wstring wide_from, wide_to, full_to;
  if (!WidePath(from, &wide_from) || !WidePath(to, &wide_to) ||
      !FullPath(wide_to, &full_to)) {
    return kBadPath;
  }
  const bool folder = IsFolder(wide_from), on_folder = IsFolder(wide_to);
  if (on_folder && !folder) return EISDIR;
  if (on_folder && !RemoveDirectoryW(wide_to.c_str())) return LastError();
  const DWORD error = Retry([&] {
    return RenameAsPosix(wide_from, full_to) ||
           MoveFileExW(wide_from.c_str(), wide_to.c_str(),
                       MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH) != 0;
  });
  return error == ERROR_SUCCESS ? 0 : MissingOf(from, ErrorOf(error));
}

int HardLink(const std::string& from, const std::string& to) {
  std::wstring wide_from, wide_to;
  if (!WidePath(from, &wide_from) || !WidePath(to, &wide_to)) return kBadPath;
  if (IsFolder(wide_from)) {
    FileStatus status;
    return GetStatus(to, false, &status) == 0 ? EEXIST : EPERM;
  }
  return CreateHardLinkW(wide_to.c_str(), wide_from.c_str(), nullptr) != 0
             ? 0
             : LastError();
}

int RemoveName(const std::string& path) {
  std::wstring wide;
  if (!WidePath(path, &wide)) return kBadPath;
  if (IsFolder(wide)) {
    // A link to a folder is one to Windows, too.
    const Handle handle = OpenPath(wide, FILE_READ_ATTRIBUTES, false);
    if (handle == nullptr || !IsLink(handle.get())) return EISDIR;
    return RemoveDirectoryW(wide.c_str()) != 0 ? 0 : LastError();
  }
  const DWORD error = Retry([&] { return DeleteFileW(wide.c_str()) != 0; });
  return error == ERROR_SUCCESS ? 0 : MissingOf(path, ErrorOf(error));
}

// What it leads to at its end.
int ReadLink(const std::string& path, std::string* target) {
  return RealPath(path, target) ? 0 : ENOENT;
}

int SetModified(const std::string& path, int64_t time) {
  std::wstring wide;
  if (!WidePath(path, &wide)) return kBadPath;
  const Handle handle = OpenPath(wide, FILE_WRITE_ATTRIBUTES, true);
  if (handle == nullptr) return LastError();
  const uint64_t ticks = static_cast<uint64_t>(time / 100 + kEpoch);
  const FILETIME modified = {static_cast<DWORD>(ticks),
                             static_cast<DWORD>(ticks >> 32)};
  return SetFileTime(handle.get(), nullptr, nullptr, &modified) != 0
             ? 0
             : LastError();
}

int MakeFolder(const std::string& path, unsigned /*mode*/) {
  std::wstring wide;
  if (!WidePath(path, &wide)) return kBadPath;
  return CreateDirectoryW(wide.c_str(), nullptr) != 0
             ? 0
             : MissingOf(path, LastError());
}

int RemoveFolder(const std::string& path) {
  std::wstring wide;
  if (!WidePath(path, &wide)) return kBadPath;
  const DWORD error =
      Retry([&] { return RemoveDirectoryW(wide.c_str()) != 0; });
  return error == ERROR_SUCCESS ? 0 : ErrorOf(error);
}

int IsOwnFolder(const std::string& path, bool* own) {
  std::wstring wide;
  if (!WidePath(path, &wide)) return kBadPath;
  const Handle handle =
      OpenPath(wide, FILE_READ_ATTRIBUTES | READ_CONTROL, false);
  if (handle == nullptr) return LastError();
  FileStatus status;
  if (const int error = StatusOf(handle.get(), &status)) return error;
  if (status.type != FileType::kFolder) {
    return status.type == FileType::kLink ? ELOOP : ENOTDIR;
  }
  *own = false;
  PSID owner = nullptr;
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  const DWORD error =
      GetSecurityInfo(handle.get(), SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION,
                      &owner, nullptr, nullptr, nullptr, &descriptor);
  if (error != ERROR_SUCCESS) return ErrorOf(error);
  HANDLE process = nullptr;
  if (OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &process) != 0) {
    const Handle token(process);
    // The user, or whom what it makes belongs to: of an administrator, the
    // group.
    for (const TOKEN_INFORMATION_CLASS kind : {TokenUser, TokenOwner}) {
      DWORD size = 0;
      GetTokenInformation(process, kind, nullptr, 0, &size);
      const std::unique_ptr<uint64_t[]> memory(new uint64_t[size / 8 + 1]());
      if (GetTokenInformation(process, kind, memory.get(), size, &size) == 0) {
        continue;
      }
      // Both begin with a pointer to the SID.
      PSID sid = nullptr;
      std::memcpy(&sid, memory.get(), sizeof sid);
      if (EqualSid(owner, sid) != 0) *own = true;
    }
  }
  LocalFree(descriptor);
  return 0;
}

int ListFolder(const std::string& path,
               const std::function<void(const std::string& name)>& f) {
  std::wstring wide;
  const bool slash = !path.empty() && IsSlash(path.back());
  if (!WidePath(path + (slash ? "*" : "/*"), &wide)) return kBadPath;
  struct Finder {
    HANDLE handle;
    ~Finder() {
      if (handle != INVALID_HANDLE_VALUE) FindClose(handle);
    }
  };
  WIN32_FIND_DATAW item;
  const Finder finder{FindFirstFileW(wide.c_str(), &item)};
  if (finder.handle == INVALID_HANDLE_VALUE) {
    // The root of an empty volume has not even "." and "..".
    return GetLastError() == ERROR_FILE_NOT_FOUND
               ? 0
               : MissingOf(path + "/*", LastError());
  }
  do {
    const std::string name =
        Narrow(item.cFileName, std::wcslen(item.cFileName));
    if (name != "." && name != "..") f(name);
  } while (FindNextFileW(finder.handle, &item) != 0);
  return GetLastError() == ERROR_NO_MORE_FILES ? 0 : LastError();
}

// The file system's own journal keeps names, and MoveFileEx writes through.
void SyncFolder(const std::string& /*path*/) {}
bool RealPath(const std::string& path, std::string* real) {
  std::wstring wide;
  if (!WidePath(path, &wide)) return false;
  const Handle handle = OpenPath(wide, FILE_READ_ATTRIBUTES, true);
  if (handle == nullptr) return false;
  std::wstring found(32768, L'\0');  // no path is longer
  const DWORD room = static_cast<DWORD>(found.size());
  DWORD length = GetFinalPathNameByHandleW(handle.get(), &found[0], room,
                                           FILE_NAME_NORMALIZED);
  // Some file systems cannot say: then with what links it has.
  if (length == 0 || length >= room) {
    length = GetFullPathNameW(wide.c_str(), room, &found[0], nullptr);
  }
  if (length == 0 || length >= room) return false;
  *real = Narrow(found.data(), length);
  std::replace(real->begin(), real->end(), '\\', '/');
  if (real->compare(0, 8, "//?/UNC/") == 0) {
    real->erase(2, 6);
  } else if (real->compare(0, 4, "//?/") == 0) {
    real->erase(0, 4);
  }
  return true;
}

}  // namespace sys
}  // namespace bnq
#endif  // defined(_WIN32)
