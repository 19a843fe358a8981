// What the program asks the system about its terminal, arguments and signals:
// console_posix.cc and console_windows.cc. (Files are the library's business.)
#ifndef BNQ_CLI_CONSOLE_H_
#define BNQ_CLI_CONSOLE_H_

#include <cstddef>
#include <string>
#include <vector>

namespace bnq::cli {

// While it exists, both outputs take UTF-8 and pass bytes on as they are.
class Console {
 public:
  Console();
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

 private:
  unsigned output_code_page_ = 0;  // of Windows, before this
};

// Those of main(), in UTF-8.
std::vector<std::string> Arguments(int argc, char** argv);

// As write(2) to standard output; sets errno.
long WriteOutput(const char* data, std::size_t bytes);

bool ErrorsGoToTerminal();
// Its columns; 80 where they are not known.
std::size_t TerminalColumns();

// Those that ask the program to end.
const std::vector<int>& EndingSignals();
// From now on these end a system call that waits.
void LetSignalsInterrupt();

// What a handler of theirs ends with: Windows forgets one that has been called.
void HandleAgain(int signal, void (*handler)(int));

// /dev/null, NUL.
bool LeadsToNullDevice(const std::string& path);

}  // namespace bnq::cli

#endif  // BNQ_CLI_CONSOLE_H_
