#include "core/io/folder.h"

#include <cerrno>
#include <chrono>
#include <vector>

#include "core/base/error.h"

namespace bnq {
namespace {

[[noreturn]] void FailSystem(const char* what, const std::string& path,
                             int error) {
  Fail(Status::kIo, "cannot ", what, " ", Quoted(path), ": ",
       sys::ErrorText(error));
}

// Whether path leads to something of this type.
bool IsOf(const std::string& path, sys::FileType type) {
  sys::FileStatus status;
  return sys::GetStatus(path, /*follow=*/true, &status) == 0 &&
         status.type == type;
}

}  // namespace

int64_t SystemTime() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

bool FindTraits(const std::string& path, FileTraits* traits) {
  sys::FileStatus status;
  if (sys::GetStatus(path, /*follow=*/true, &status) != 0) return false;
  traits->bytes = status.bytes;
  traits->modified = status.modified;
  traits->changed = status.changed;
  traits->is_folder = status.type == sys::FileType::kFolder;
  traits->id = status.id;
  return true;
}

bool IsFolder(const std::string& path) {
  return IsOf(path, sys::FileType::kFolder);
}

bool IsRegularFile(const std::string& path) {
  return IsOf(path, sys::FileType::kRegular);
}

bool SetModified(const std::string& path, int64_t time) {
  return sys::SetModified(path, time) == 0;
}

void ListFolder(const std::string& path,
                const std::function<void(const std::string& name)>& f) {
  const int error = sys::ListFolder(path, f);
  if (error != 0 && error != ENOENT) FailSystem("read the folder", path, error);
}

void ListTree(const std::string& path,
              const std::function<bool(const std::string& name)>& enter,
              const std::function<void(const std::string& path)>& f) {
  // Those that are still to be read, from `path` on, with the slash.
  std::vector<std::string> folders = {""};
  while (!folders.empty()) {
    const std::string folder = folders.back();
    folders.pop_back();
    const std::string here = path + '/' + folder;
    ListFolder(here, [&](const std::string& name) {
      sys::FileStatus status;
      const bool known =
          sys::GetStatus(here + name, /*follow=*/false, &status) == 0;
      if (!known || status.type != sys::FileType::kFolder) {
        f(folder + name);
      } else if (enter(name)) {
        folders.push_back(folder + name + '/');
      }
    });
  }
}

void MakeFolders(const std::string& path) {
  int error = sys::MakeFolder(path, 0777);
  if (error == 0 || error == EEXIST) return;
  // Without the slashes at its end, and then without its name.
  std::string parent = path;
  while (!parent.empty() && sys::NameBegin(parent) == parent.size()) {
    parent.pop_back();
  }
  parent.resize(sys::NameBegin(parent));
  if (error != ENOENT || parent.empty()) {
    FailSystem("make the folder", path, error);
  }
  MakeFolders(parent);
  error = sys::MakeFolder(path, 0777);
  if (error != 0 && error != EEXIST) FailSystem("make the folder", path, error);
}

bool RenameFile(const std::string& from, const std::string& to) {
  return sys::Rename(from, to) == 0;
}

std::string RealPath(const std::string& path) {
  std::string real;
  return sys::RealPath(path, &real) ? real : path;
}

FolderLock::FolderLock(const std::string& path) {
  const int error = file_.Open(
      path, sys::File::kRead | sys::File::kWrite | sys::File::kCreate);
  if (error == 0 && file_.Lock() == EWOULDBLOCK) {
    static_cast<void>(file_.Close());
  }
}

FolderLock::~FolderLock() {
  if (held()) file_.Unlock();
}

}  // namespace bnq
