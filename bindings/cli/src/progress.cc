#include "progress.h"

#include <algorithm>
#include <csignal>
#include <cstdio>

#if defined(_WIN32)
#include <io.h>
#else
#include <sys/ioctl.h>
#include <unistd.h>
#endif

#include "text.h"

namespace bnq::cli {
namespace {

volatile std::sig_atomic_t g_stop = 0;

extern "C" void bnq_cli_on_signal(int) { g_stop = 1; }

constexpr int kSignals[] = {
    SIGINT,
    SIGTERM,
#if defined(SIGHUP)
    SIGHUP,
#endif
};

bool StderrIsTerminal() {
#if defined(_WIN32)
  return _isatty(_fileno(stderr)) != 0;
#else
  return isatty(STDERR_FILENO) != 0;
#endif
}

std::size_t StderrColumns() {
#if !defined(_WIN32)
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    return size.ws_col;
  }
#endif
  return 80;
}

}  // namespace

Progress::Progress(bool wanted) : shown_(wanted && StderrIsTerminal()) {
  g_stop = 0;
  for (const int signal : kSignals) {
    // One that is ignored (nohup, a job in the background) stays ignored.
    if (std::signal(signal, bnq_cli_on_signal) == SIG_IGN) {
      std::signal(signal, SIG_IGN);
    }
  }
#if defined(SIGPIPE)
  pipe_handler_ = std::signal(SIGPIPE, SIG_IGN);
#endif
}

Progress::~Progress() {
  Erase();
#if defined(SIGPIPE)
  std::signal(SIGPIPE, pipe_handler_);
#endif
  for (const int signal : kSignals) {
    if (std::signal(signal, SIG_DFL) == SIG_IGN) {
      std::signal(signal, SIG_IGN);
    }
  }
}

int32_t Progress::Callback(void* opaque, uint64_t done, uint64_t total,
                           const char* item) {
  auto* self = static_cast<Progress*>(opaque);
  if (self->shown_) self->Draw(done, total, item);
  return g_stop;
}

void Progress::LetSignalsInterrupt() {
#if !defined(_WIN32)
  for (const int signal : kSignals) {
    struct sigaction action;
    if (sigaction(signal, nullptr, &action) != 0) continue;
    action.sa_flags &= ~SA_RESTART;
    sigaction(signal, &action, nullptr);
  }
#endif
}

bool Progress::Stopped() { return g_stop != 0; }

void Progress::PrintLine(const std::string& line) {
  Erase();
  std::fprintf(stderr, "%s\n", line.c_str());
}

void Progress::Draw(uint64_t done, uint64_t total, const char* item) {
  const auto now = std::chrono::steady_clock::now();
  const bool due = drawn_width_ == 0 || done >= total ||
                   now - drawn_at_ >= std::chrono::milliseconds(100);
  if (!due) return;
  drawn_at_ = now;

  constexpr std::size_t kBar = 24;
  // 0 of 0: it is not known yet.
  const double reported = total == 0
                              ? 0.0
                              : std::min(1.0, static_cast<double>(done) /
                                                  static_cast<double>(total));
  const double part = (part_ + reported) / parts_;
  const auto filled = static_cast<std::size_t>(part * kBar);
  char percent[8];
  std::snprintf(percent, sizeof percent, "%3d%%", static_cast<int>(part * 100));
  std::string line = "[" + std::string(filled, '#') +
                     std::string(kBar - filled, '.') + "] " + percent + " ";
  // The last column stays free: some terminals wrap once it is written.
  const std::size_t columns = StderrColumns() - 1;
  const std::size_t used = TextWidth(line);
  line += Shortened(Printable(item != nullptr ? item : ""),
                    columns > used ? columns - used : 0);

  // Spaces over the rest of the previous bar need no terminal capabilities.
  const std::size_t width = TextWidth(line);
  const std::size_t rest = drawn_width_ > width ? drawn_width_ - width : 0;
  std::fprintf(stderr, "\r%s%s", line.c_str(), std::string(rest, ' ').c_str());
  std::fflush(stderr);
  drawn_width_ = width;
}

void Progress::Erase() {
  if (drawn_width_ == 0) return;
  std::fprintf(stderr, "\r%s\r", std::string(drawn_width_, ' ').c_str());
  std::fflush(stderr);
  drawn_width_ = 0;
}

}  // namespace bnq::cli
