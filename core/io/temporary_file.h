// Files and directories without a name that anybody knows, which get one when
// they are whole.
#ifndef BNQ_CORE_IO_TEMPORARY_FILE_H_
#define BNQ_CORE_IO_TEMPORARY_FILE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "core/base/process.h"
#include "core/io/system.h"

namespace bnq {

// With the slash, so that a name can be appended: "" for the working
// directory.
std::string DirectoryOf(const std::string& path);
// Whether a file of this name, without a folder, is one that was not finished.
bool IsTemporaryName(const std::string& name);
// What comes behind it.
std::string NameOf(const std::string& path);
// Makes names given in it last through a power failure, where the file system
// can.
void SyncDirectory(const std::string& directory);
// Gives what is at `path` a second name beside it, or that name alone where it
// cannot have two: a directory, or a file system without hard links. Returns
// it: "" where there is nothing.
std::string BackUp(const std::string& path);
// Gives it its old name back, and takes the second one away.
void Restore(const std::string& backup, const std::string& path);
void RemoveFile(const std::string& path);
// Whatever it is, with all that is in it; nothing where there is nothing.
void RemoveTree(const std::string& path);
// Whether it is a directory without anything in it.
bool IsEmptyDirectory(const std::string& path);

// What has a name for the time being: .bnq-*.tmp, which cannot be foreseen, so
// nobody can put something else in its place beforehand; or one that is known,
// and kept. Errors are IO, naming `output` and the system's reason. For one
// thread, and one process: the copy in a forked child is only to be destroyed,
// which leaves all as it is.
class Temporary {
 public:
  // Removed, unless it has been placed or is kept.
  virtual ~Temporary();
  // What is there already, of a process before this one.
  static std::shared_ptr<Temporary> Kept(const std::string& name,
                                         const std::string& output);
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  const std::string& name() const { return name_; }
  // Whether Place can take the place of something that is not empty.
  virtual bool replaces() const { return true; }
  // Its name for good. What is there already is replaced, or EXISTS.
  void Place(const std::string& target, bool replace);
  // After Place: the name that it had before.
  void PutBack(const std::string& target);

 protected:
  explicit Temporary(const std::string& output) : output_(output) {}
  [[noreturn]] void FailSystem(int error) const;

  const std::string output_;
  std::string name_;
  bool kept_ = false;

 private:
  void Link(const std::string& target);

  bool placed_ = false;
  ProcessMark process_;
};

// In which files can be written that take their places with it.
class TemporaryDirectory final : public Temporary {
 public:
  TemporaryDirectory(const std::string& directory, const std::string& output);
  // Of this name, which may be there already, and kept; in a directory that
  // this user alone may write to.
  static std::shared_ptr<TemporaryDirectory> Kept(const std::string& name,
                                                  const std::string& output);
  bool replaces() const override { return false; }

 private:
  explicit TemporaryDirectory(const std::string& output) : Temporary(output) {}
};

class TemporaryFile final : public Temporary {
 public:
  // mode: permissions, less the umask's unless `exactly`.
  TemporaryFile(const std::string& directory, const std::string& output,
                unsigned mode, bool exactly);
  // Of this name, which may be there already, and kept; in a directory that
  // this user alone may write to.
  static std::shared_ptr<TemporaryFile> Kept(const std::string& name,
                                             const std::string& output,
                                             unsigned mode, bool exactly);
  ~TemporaryFile() override;

  // A limit of the process on the size of its files is an error like a full
  // disk, without SIGXFSZ, which would end the process.
  void WriteAt(uint64_t offset, const void* data, uint64_t bytes);
  // Its bytes; of a file that was there already.
  uint64_t size() const;
  void Truncate(uint64_t bytes);
  // What has been written lasts through a power failure; nothing where it is
  // closed.
  void Sync();
  // Syncs and closes it.
  void Close();

 private:
  explicit TemporaryFile(const std::string& output) : Temporary(output) {}
  bool Open(const std::string& name, unsigned flags, unsigned mode,
            bool exactly);

  sys::File file_;
};

}  // namespace bnq

#endif  // BNQ_CORE_IO_TEMPORARY_FILE_H_
