// Exit codes, and how a bnq_status becomes one.
#ifndef BNQ_CLI_FAILURE_H_
#define BNQ_CLI_FAILURE_H_

#include <bnq/bnq.h>

#include <stdexcept>
#include <string>

namespace bnq::cli {

// Documented in man/bnq.1 and in ExitCodeHelp(): never renumber.
enum ExitCode {
  kOk = 0,
  kOtherFailure = 1,
  kUsage = 2,
  kBadInput = 3,
  kInputOutput = 4,
  kCancelled = 5,
};

// The exit codes as shown below every --help.
std::string ExitCodeHelp();

// Ends the program with `code` after "bnq: error: <what>".
class Failure : public std::runtime_error {
 public:
  Failure(ExitCode code, const std::string& what)
      : std::runtime_error(what), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

// Throws a Failure with the library's text unless status is BNQ_OK.
void Check(bnq_status status);

// The same for a call whose only input is the command line: whatever the
// library objects to is then wrong usage. `where` names the option.
void CheckUsage(bnq_status status, const std::string& where);

// The same for a text file that was read: what the library objects to in it is
// bad input, whatever it is called there.
void CheckContent(bnq_status status, const std::string& path);

}  // namespace bnq::cli

#endif  // BNQ_CLI_FAILURE_H_
