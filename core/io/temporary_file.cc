#include "core/io/temporary_file.h"

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <new>
#include <random>
#include <vector>

#include "core/base/error.h"
#include "core/base/names.h"

namespace bnq {
namespace {

constexpr int kAttempts = 100;
constexpr char kBeginning[] = ".bnq-", kEnding[] = ".tmp";

std::string RandomName() {
  std::random_device random;
  char name[40];
  std::snprintf(name, sizeof name, "%s%08x%08x%s", kBeginning,
                static_cast<unsigned>(random()),
                static_cast<unsigned>(random()), kEnding);
  return name;
}

bool Exists(const std::string& path) {
  sys::FileStatus status;
  return sys::GetStatus(path, /*follow=*/false, &status) == 0;
}

}  // namespace

bool IsTemporaryName(const std::string& name) {
  return name.rfind(kBeginning, 0) == 0 && EndsWith(name, kEnding) &&
         name.size() ==
             sizeof kBeginning - 1 + 2 * sizeof(uint64_t) + sizeof kEnding - 1;
}

std::string DirectoryOf(const std::string& path) {
  return path.substr(0, sys::NameBegin(path));
}

std::string NameOf(const std::string& path) {
  return path.substr(sys::NameBegin(path));
}

void SyncDirectory(const std::string& directory) {
  sys::SyncFolder(directory.empty() ? "." : directory);
}

std::string BackUp(const std::string& path) {
  sys::FileStatus status;
  if (sys::GetStatus(path, /*follow=*/false, &status) == ENOENT) return "";
  int error = 0;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const std::string name = DirectoryOf(path) + RandomName();
    error = sys::HardLink(path, name);
    if (sys::MeansNoLinks(error)) error = sys::Rename(path, name);
    if (error == 0) return name;
    if (error != EEXIST) break;
  }
  Fail(Status::kIo, "cannot replace ", Quoted(path), ": ",
       sys::ErrorText(error));
}

void Restore(const std::string& backup, const std::string& path) {
  sys::Rename(backup, path);
  // That does nothing where both are names of one file.
  sys::RemoveName(backup);
}

void RemoveFile(const std::string& path) { sys::RemoveName(path); }

void RemoveTree(const std::string& path) {
  // A file takes no memory to remove: of what a full one leaves behind, most
  // are files.
  const int error = sys::RemoveName(path);
  if (error == 0 || error == ENOENT) return;
  try {
    std::vector<std::string> names;
    sys::ListFolder(path, [&](const std::string& name) {
      names.push_back(path + '/' + name);
    });
    for (const std::string& name : names) RemoveTree(name);
    sys::RemoveFolder(path);
  } catch (const std::bad_alloc&) {
    // It stays: destructors come here.
  }
}

bool IsEmptyDirectory(const std::string& path) {
  sys::FileStatus status;
  if (sys::GetStatus(path, /*follow=*/false, &status) != 0 ||
      status.type != sys::FileType::kFolder) {
    return false;
  }
  bool empty = true;
  return sys::ListFolder(path, [&](const std::string&) { empty = false; }) ==
             0 &&
         empty;
}

void Temporary::FailSystem(int error) const {
  Fail(error == EEXIST ? Status::kExists : Status::kIo, "cannot write ",
       Quoted(output_), ": ", sys::ErrorText(error));
}

Temporary::~Temporary() {
  if (!kept_ && !placed_ && !name_.empty() && process_.IsHere())
    RemoveTree(name_);
}

std::shared_ptr<Temporary> Temporary::Kept(const std::string& name,
                                           const std::string& output) {
  sys::FileStatus status;
  if (sys::GetStatus(name, /*follow=*/false, &status) == 0 &&
      status.type == sys::FileType::kFolder) {
    return TemporaryDirectory::Kept(name, output);
  }
  const auto file = TemporaryFile::Kept(name, output, 0666, false);
  file->Close();
  return file;
}

TemporaryDirectory::TemporaryDirectory(const std::string& directory,
                                       const std::string& output)
    : Temporary(output) {
  int error = 0;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::string name = directory + RandomName();
    error = sys::MakeFolder(name, 0777);
    if (error == 0) {
      name_.swap(name);
      return;
    }
    if (error != EEXIST) break;
  }
  FailSystem(error);
}

std::shared_ptr<TemporaryDirectory> TemporaryDirectory::Kept(
    const std::string& name, const std::string& output) {
  std::shared_ptr<TemporaryDirectory> made(new TemporaryDirectory(output));
  made->kept_ = true;
  const int error = sys::MakeFolder(name, 0777);
  if (error != 0 && error != EEXIST) made->FailSystem(error);
  made->name_ = name;
  return made;
}

// False where there is a file already, which may not be.
bool TemporaryFile::Open(const std::string& name, unsigned flags, unsigned mode,
                         bool exactly) {
  // Before there is a file that nobody would know.
  std::string known = name;
  const int error = file_.Open(name, sys::File::kWrite | flags, mode);
  if (error == EEXIST) return false;
  if (error != 0) {
    Fail(Status::kIo, "cannot write ", Quoted(output_),
         ": cannot create a file in its directory: ", sys::ErrorText(error));
  }
  name_.swap(known);
  // What the umask took away.
  if (exactly) file_.SetMode(mode);
  return true;
}

TemporaryFile::TemporaryFile(const std::string& directory,
                             const std::string& output, unsigned mode,
                             bool exactly)
    : Temporary(output) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (Open(directory + RandomName(), sys::File::kCreate | sys::File::kNew,
             mode, exactly)) {
      return;
    }
  }
  FailSystem(EEXIST);
}

std::shared_ptr<TemporaryFile> TemporaryFile::Kept(const std::string& name,
                                                   const std::string& output,
                                                   unsigned mode,
                                                   bool exactly) {
  std::shared_ptr<TemporaryFile> file(new TemporaryFile(output));
  file->kept_ = true;
  file->Open(name, sys::File::kCreate, mode, exactly);
  return file;
}

TemporaryFile::~TemporaryFile() { static_cast<void>(file_.Close()); }

uint64_t TemporaryFile::size() const {
  sys::FileStatus status;
  const int error = file_.Status(&status);
  if (error != 0) FailSystem(error);
  return status.bytes;
}

void TemporaryFile::Truncate(uint64_t bytes) {
  const int error = file_.Truncate(bytes);
  if (error != 0) FailSystem(error);
}

void TemporaryFile::Sync() {
  const int error = file_.is_open() ? file_.Sync() : 0;
  if (error != 0) FailSystem(error);
}

void TemporaryFile::WriteAt(uint64_t offset, const void* data, uint64_t bytes) {
  const int error = file_.WriteAt(offset, data, bytes);
  if (error != 0) FailSystem(error);
}

void TemporaryFile::Close() {
  if (!file_.is_open()) {
    Fail(Status::kInternal, "a temporary file is closed twice");
  }
  Sync();
  // Some network file systems report a full disk only here.
  const int error = file_.Close();
  if (error != 0) FailSystem(error);
}

void Temporary::Link(const std::string& target) {
  // Unlike a rename, a link never replaces anything.
  const int error = sys::HardLink(name_, target);
  if (error == 0) {
    sys::RemoveName(name_);
    return;
  }
  if (error == EEXIST && !IsEmptyDirectory(target)) {
    Fail(Status::kExists, "output ", Quoted(output_),
         " appeared while it was being written");
  }
  // Directories, and file systems without hard links: looking first leaves a
  // moment in which another process could create the file. (A rename never
  // replaces a directory with anything in it.)
  if (error != EEXIST && !sys::MeansNoLinks(error)) FailSystem(error);
  if (Exists(target) && !IsEmptyDirectory(target)) FailSystem(EEXIST);
  const int renamed = sys::Rename(name_, target);
  if (renamed != 0) FailSystem(renamed);
}

void Temporary::Place(const std::string& target, bool replace) {
  if (!replace) {
    Link(target);
  } else if (const int error = sys::Rename(name_, target)) {
    FailSystem(error);
  }
  placed_ = true;
}

void Temporary::PutBack(const std::string& target) {
  sys::Rename(target, name_);
  placed_ = false;
}

}  // namespace bnq
