#if !defined(_WIN32)
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "console.h"

namespace bnq::cli {

Console::Console() = default;
Console::~Console() = default;

std::vector<std::string> Arguments(int argc, char** argv) {
  return {argv, argv + argc};
}

long WriteOutput(const char* data, std::size_t bytes) {
  // Some systems refuse 2 GiB and more at once.
  constexpr std::size_t kMost = std::size_t{1} << 30;
  return static_cast<long>(write(STDOUT_FILENO, data, std::min(bytes, kMost)));
}

bool ErrorsGoToTerminal() { return isatty(STDERR_FILENO) != 0; }

std::size_t TerminalColumns() {
  winsize size{};
  const bool known =
      ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

const std::vector<int>& EndingSignals() {
  static const std::vector<int> signals = {SIGINT, SIGTERM, SIGHUP};
  return signals;
}

void LetSignalsInterrupt() {
  for (const int signal : EndingSignals()) {
    struct sigaction action;
    if (sigaction(signal, nullptr, &action) != 0) continue;
    action.sa_flags &= ~SA_RESTART;
    sigaction(signal, &action, nullptr);
  }
}

void HandleAgain(int /*signal*/, void (* /*handler*/)(int)) {}

bool LeadsToNullDevice(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::canonical(std::filesystem::u8path(path), ignored) ==
         "/dev/null";
}

}  // namespace bnq::cli
#endif  // !defined(_WIN32)
