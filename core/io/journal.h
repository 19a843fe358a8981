// A file of records that is only ever appended to: what was written last may be
// torn by a crash, what comes before it is whole.
#ifndef BNQ_CORE_IO_JOURNAL_H_
#define BNQ_CORE_IO_JOURNAL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/io/system.h"

namespace bnq {

// For one thread, and for one process at a time: others find it locked.
class Journal {
 public:
  // Opens it, or makes it, readable by this user alone; in a directory that
  // this user alone may write to. `output` stands for it in messages: IO, and
  // EXISTS where another process has it open.
  Journal(const std::string& path, const std::string& output);
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Whether it was not there before.
  bool created() const { return created_; }
  // Whether it has still a name: nobody has removed it before it was locked.
  bool exists() const;
  // Those that were there, up to the first that is not whole.
  const std::vector<std::string>& records() const { return records_; }

  // No records.
  void Clear();
  // Behind the others, for good when it returns.
  void Append(const std::vector<std::string>& records);

 private:
  void Load();
  [[noreturn]] void FailSystem(int error) const;

  const std::string output_;
  sys::File file_;
  bool created_ = false;
  std::vector<std::string> records_;
  uint64_t end_ = 0;  // behind the last whole record
};

}  // namespace bnq

#endif  // BNQ_CORE_IO_JOURNAL_H_
