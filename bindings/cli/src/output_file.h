// Where outputs go, and looking before a long run whether a file may be written
// at all. Writing is the library's.
#ifndef BNQ_CLI_OUTPUT_FILE_H_
#define BNQ_CLI_OUTPUT_FILE_H_

#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace bnq::cli {

// Fails with kInputOutput where `path` exists and `force` is not set, or where
// it is one of the inputs, or in a directory that is one.
void CheckOutput(const std::string& path, bool force,
                 const std::vector<std::string>& inputs);

// Whether what is written to `path` is gone: /dev/null. It cannot be replaced
// by a finished file, as outputs are, so writing to it is a dry run.
bool IsNullDevice(const std::string& path);

// A directory for outputs, which goes again, if it is empty, unless they are
// kept.
class NewDirectory {
 public:
  NewDirectory() = default;
  ~NewDirectory();
  NewDirectory(const NewDirectory&) = delete;
  NewDirectory& operator=(const NewDirectory&) = delete;

  // Where there is none, and those above it. Fails with kInputOutput.
  void Make(const std::string& path);
  void Keep() { made_.clear(); }

 private:
  std::vector<std::filesystem::path> made_;  // the deepest first
};

// A file name that any system accepts and that no earlier call with this set
// has returned, not even in other case: the name with other characters than
// letters, digits, ".", "-" and "_" replaced, and the ending.
std::string FileNameFor(const std::string& name, const std::string& ending,
                        std::set<std::string>& taken);

}  // namespace bnq::cli

#endif  // BNQ_CLI_OUTPUT_FILE_H_
