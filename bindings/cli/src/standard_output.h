// Standard output, of which only a complete report is written, and never
// silently in vain.
#ifndef BNQ_CLI_STANDARD_OUTPUT_H_
#define BNQ_CLI_STANDARD_OUTPUT_H_

#include <sstream>
#include <streambuf>

namespace bnq::cli {

// While it exists, what goes to std::cout is kept in memory. At most one exists
// at a time.
class StandardOutput {
 public:
  StandardOutput();
  ~StandardOutput();
  StandardOutput(const StandardOutput&) = delete;
  StandardOutput& operator=(const StandardOutput&) = delete;

  // Writes what has been kept. Fails with kInputOutput, saying why, or with
  // kCancelled where a signal has come while nobody was reading. A command that
  // replaces files calls it before it does so.
  static void Flush();

 private:
  std::stringbuf text_;
  std::streambuf* const usual_;
};

}  // namespace bnq::cli

#endif  // BNQ_CLI_STANDARD_OUTPUT_H_
