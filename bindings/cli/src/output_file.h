// What the command line itself writes, and looking before a long run whether a
// file may be written at all.
#ifndef BNQ_CLI_OUTPUT_FILE_H_
#define BNQ_CLI_OUTPUT_FILE_H_

#include <set>
#include <string>
#include <vector>

namespace bnq::cli {

// Fails with kInputOutput where `path` exists and `force` is not set, or where
// it is one of the inputs, or in a directory that is one.
void CheckOutput(const std::string& path, bool force,
                 const std::vector<std::string>& inputs);

// To a temporary file beside it, which takes its place when it is complete.
void WriteTextFile(const std::string& path, const std::string& text);

// Fails with kInputOutput if it cannot be made.
void MakeDirectory(const std::string& path);

// A file name that any system accepts and that no earlier call with this set
// has returned, not even in other case: the name with other characters than
// letters, digits, ".", "-" and "_" replaced, and the ending.
std::string FileNameFor(const std::string& name, const std::string& ending,
                        std::set<std::string>& taken);

}  // namespace bnq::cli

#endif  // BNQ_CLI_OUTPUT_FILE_H_
