// What the parts of the Windows port share; of nobody else.
#ifndef BNQ_CORE_IO_SYSTEM_WINDOWS_H_
#define BNQ_CORE_IO_SYSTEM_WINDOWS_H_

// The whole of the API, with names that are no macros.
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>

#include <cerrno>
#include <memory>
#include <string>

#include "core/io/system.h"

namespace bnq {
namespace sys {
namespace windows {

// False for what is no UTF-8.
bool Wide(const std::string& text, std::wstring* wide);
std::string Narrow(const wchar_t* wide, size_t length);

inline bool IsSlash(char c) { return c == '/' || c == '\\'; }

// A path as the system takes it: from where names are longer than MAX_PATH
// (less a file's short name, of a folder) on with the prefix that lifts the
// limit, absolute and with backslashes only.
bool WidePath(const std::string& path, std::wstring* wide);

int ErrorOf(DWORD windows);
inline int LastError() { return ErrorOf(GetLastError()); }
// Not UTF-8, or with NUL.
constexpr int kBadPath = EILSEQ;
// A path with a file where it needs a folder is none at all to Windows: ENOTDIR
// instead of ENOENT.
int MissingOf(const std::string& path, int error);

// Others open a file for moments: virus scanners, indexers, backups. Until they
// have let go, an operation on its name fails with one of these.
inline bool IsPassing(DWORD error) {
  return error == ERROR_SHARING_VIOLATION || error == ERROR_ACCESS_DENIED ||
         error == ERROR_USER_MAPPED_FILE;
}

// f until it succeeds or 0.2 s have gone by with passing errors.
template <class F>
DWORD Retry(F f) {
  for (DWORD wait = 1;; wait *= 2) {
    if (f()) return ERROR_SUCCESS;
    const DWORD error = GetLastError();
    if (!IsPassing(error) || wait > 128) return error;
    Sleep(wait);
  }
}

struct Closer {
  void operator()(HANDLE handle) const { CloseHandle(handle); }
};
using Handle = std::unique_ptr<void, Closer>;

constexpr DWORD kShareAll =
    FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

// Of a folder, too; null where it cannot be opened.
Handle OpenPath(const std::wstring& path, DWORD access, bool follow);

// 100 ns from 1601 to 1970.
constexpr int64_t kEpoch = 116444736000000000;

// A symbolic link or a junction.
bool IsLink(HANDLE handle);
int StatusOf(HANDLE handle, FileStatus* status);
bool IsFolder(const std::wstring& path);

}  // namespace windows
}  // namespace sys
}  // namespace bnq

#endif  // BNQ_CORE_IO_SYSTEM_WINDOWS_H_
