#if defined(_WIN32)
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
// After it.
#include <fcntl.h>
#include <io.h>
#include <shellapi.h>

#include <algorithm>
#include <cctype>
#include <csignal>
#include <cstdio>

#include "console.h"

namespace bnq::cli {
namespace {

std::string Utf8(const wchar_t* text) {
  // With the zero at its end.
  const int size =
      WideCharToMultiByte(CP_UTF8, 0, text, -1, nullptr, 0, nullptr, nullptr);
  if (size <= 0) return "";
  std::string utf8(static_cast<std::size_t>(size), '\0');
  WideCharToMultiByte(CP_UTF8, 0, text, -1, &utf8[0], size, nullptr, nullptr);
  utf8.pop_back();
  return utf8;
}

}  // namespace

Console::Console() : output_code_page_(GetConsoleOutputCP()) {
  // 0: there is no console.
  if (output_code_page_ != 0) SetConsoleOutputCP(CP_UTF8);
  for (FILE* file : {stdout, stderr}) {
    std::fflush(file);
    static_cast<void>(_setmode(_fileno(file), _O_BINARY));
  }
}

Console::~Console() {
  if (output_code_page_ != 0) SetConsoleOutputCP(output_code_page_);
}

// main() has them in the system's code page.
std::vector<std::string> Arguments(int argc, char** argv) {
  std::vector<std::string> arguments;
  int count = 0;
  wchar_t** const wide = CommandLineToArgvW(GetCommandLineW(), &count);
  if (wide == nullptr) return {argv, argv + argc};
  for (int i = 0; i < count; ++i) arguments.push_back(Utf8(wide[i]));
  LocalFree(wide);
  return arguments;
}

long WriteOutput(const char* data, std::size_t bytes) {
  constexpr std::size_t kMost = std::size_t{1} << 30;
  return _write(_fileno(stdout), data,
                static_cast<unsigned>(std::min(bytes, kMost)));
}

bool ErrorsGoToTerminal() {
  // _isatty says yes of NUL, too.
  DWORD mode = 0;
  return GetConsoleMode(GetStdHandle(STD_ERROR_HANDLE), &mode) != 0;
}

std::size_t TerminalColumns() {
  CONSOLE_SCREEN_BUFFER_INFO info;
  if (GetConsoleScreenBufferInfo(GetStdHandle(STD_ERROR_HANDLE), &info) == 0) {
    return 80;
  }
  return static_cast<std::size_t>(
      std::max(2, info.srWindow.Right - info.srWindow.Left + 1));
}

// Ctrl-C; Ctrl-Break, and the console being closed.
const std::vector<int>& EndingSignals() {
  static const std::vector<int> signals = {SIGINT, SIGTERM, SIGBREAK};
  return signals;
}

// A handler runs in a thread of its own, and calls that wait go on waiting.
void LetSignalsInterrupt() {}

void HandleAgain(int signal, void (*handler)(int)) {
  std::signal(signal, handler);
}

bool LeadsToNullDevice(const std::string& path) {
  std::string upper = path;
  std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) {
    return static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  });
  return upper == "NUL" || upper == "\\\\.\\NUL";
}

}  // namespace bnq::cli
#endif  // defined(_WIN32)
