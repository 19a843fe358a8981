#include "progress.h"

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "console.h"
#include "json.h"
#include "text.h"

namespace bnq::cli {
namespace {

volatile std::sig_atomic_t g_stop = 0;

extern "C" void bnq_cli_on_signal(int signal) {
  g_stop = 1;
  HandleAgain(signal, bnq_cli_on_signal);
}

// "1:02:03", or "2:03".
std::string TimeText(double seconds) {
  const auto whole = static_cast<uint64_t>(std::min(seconds, 1e9) + 0.5);
  char text[32];
  if (whole >= 3600) {
    std::snprintf(text, sizeof text, "%u:%02u:%02u",
                  static_cast<unsigned>(whole / 3600),
                  static_cast<unsigned>(whole / 60 % 60),
                  static_cast<unsigned>(whole % 60));
  } else {
    std::snprintf(text, sizeof text, "%u:%02u",
                  static_cast<unsigned>(whole / 60),
                  static_cast<unsigned>(whole % 60));
  }
  return text;
}

}  // namespace

Progress::Progress(Show show)
    : show_(show == Show::kBar && !ErrorsGoToTerminal() ? Show::kNothing
                                                        : show),
      began_(Clock::now()) {
  g_stop = 0;
  for (const int signal : EndingSignals()) {
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
  for (const int signal : EndingSignals()) {
    if (std::signal(signal, SIG_DFL) == SIG_IGN) {
      std::signal(signal, SIG_IGN);
    }
  }
}

int32_t Progress::Callback(void* opaque, uint64_t done, uint64_t total,
                           const char* item) {
  auto* self = static_cast<Progress*>(opaque);
  if (self->show_ == Show::kBar) self->Draw(done, total, item);
  if (self->show_ == Show::kJson) self->WriteJson(done, total, item);
  return g_stop;
}

void Progress::LetSignalsInterrupt() { cli::LetSignalsInterrupt(); }

bool Progress::Stopped() { return g_stop != 0; }

void Progress::PrintLine(const std::string& line) {
  Erase();
  std::fprintf(stderr, "%s\n", line.c_str());
}

// 0 of 0: it is not known yet.
double Progress::Share(uint64_t done, uint64_t total) const {
  const double reported = total == 0
                              ? 0.0
                              : std::min(1.0, static_cast<double>(done) /
                                                  static_cast<double>(total));
  return (part_ + reported) / parts_;
}

bool Progress::IsDue(bool last) {
  const auto now = Clock::now();
  const bool first = shown_at_ == Clock::time_point();
  if (!first && !last && now - shown_at_ < std::chrono::milliseconds(100)) {
    return false;
  }
  shown_at_ = now;
  return true;
}

Progress::Pace Progress::PaceAt(uint64_t done, uint64_t total) {
  using Seconds = std::chrono::duration<double>;
  constexpr Seconds kSettled(0.5), kTold(1);
  const auto now = Clock::now();
  const double share = Share(done, total);
  if (pace_from_ == Clock::time_point()) {
    if (now - began_ < kSettled) return {};
    pace_from_ = now;
    pace_share_ = share;
    pace_done_ = done;
  }
  const Seconds elapsed = now - pace_from_;
  if (elapsed < kTold || share <= pace_share_) return {};
  Pace pace;
  pace.seconds_left = elapsed.count() * (1 - share) / (share - pace_share_);
  if (parts_ == 1) {
    pace.bytes_per_second =
        static_cast<double>(done - pace_done_) / elapsed.count();
  }
  return pace;
}

void Progress::WriteJson(uint64_t done, uint64_t total, const char* item) {
  const Pace pace = PaceAt(done, total);
  if (!IsDue(total != 0 && done >= total)) return;
  const Json line = {
      {"done", done},
      {"total", total},
      {"share", Share(done, total)},
      {"item", item != nullptr ? item : ""},
      {"bytes_per_second",
       pace.bytes_per_second > 0 ? Json(pace.bytes_per_second) : Json(nullptr)},
      {"seconds_left",
       pace.seconds_left >= 0 ? Json(pace.seconds_left) : Json(nullptr)}};
  std::fprintf(stderr, "%s\n",
               Json{{"progress", line}}
                   .dump(-1, ' ', false, Json::error_handler_t::replace)
                   .c_str());
}

void Progress::Draw(uint64_t done, uint64_t total, const char* item) {
  const Pace pace = PaceAt(done, total);
  if (!IsDue(drawn_width_ == 0 || done >= total)) return;

  constexpr std::size_t kBar = 24;
  const double part = Share(done, total);
  const auto filled = static_cast<std::size_t>(part * kBar);
  char percent[8];
  std::snprintf(percent, sizeof percent, "%3d%%", static_cast<int>(part * 100));
  std::string line = "[" + std::string(filled, '#') +
                     std::string(kBar - filled, '.') + "] " + percent + " ";
  // The last column stays free: some terminals wrap once it is written.
  const std::size_t columns = TerminalColumns() - 1;
  std::string pace_text;
  if (pace.bytes_per_second > 0) {
    pace_text = BytesText(static_cast<uint64_t>(pace.bytes_per_second)) + "/s ";
  }
  if (pace.seconds_left >= 0)
    pace_text += TimeText(pace.seconds_left) + " left ";
  constexpr std::size_t kLeastName = 12;
  if (TextWidth(line) + pace_text.size() + kLeastName <= columns) {
    line += pace_text;
  }
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
