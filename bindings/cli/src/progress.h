// The progress bar, and cancelling by a signal.
#ifndef BNQ_CLI_PROGRESS_H_
#define BNQ_CLI_PROGRESS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace bnq::cli {

// While one exists, SIGINT, SIGTERM and SIGHUP do not end the program: they
// make Callback() answer "stop", so that the library removes what it has begun
// to write. Nor does SIGPIPE: writing to a pipe that nobody reads fails
// instead. At most one exists at a time.
class Progress {
 public:
  // The bar appears only if `wanted` and standard error is a terminal.
  explicit Progress(bool wanted);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // A bnq_progress_fn whose opaque is the Progress.
  static int32_t Callback(void* opaque, uint64_t done, uint64_t total,
                          const char* item);

  // Reports from now on are about one of `parts` equal parts of the work.
  void BeginPart(uint64_t part, uint64_t parts) {
    part_ = static_cast<double>(part);
    parts_ = static_cast<double>(parts);
  }

  // Whether one of the signals has come since the Progress began.
  static bool Stopped();

  // From now on a signal ends a system call that waits, such as writing to a
  // pipe that nobody reads.
  static void LetSignalsInterrupt();

  // A line of its own on standard error, not mixed up with the bar.
  void PrintLine(const std::string& line);

  // Leaves standard error to others until the next report.
  void Erase();

 private:
  void Draw(uint64_t done, uint64_t total, const char* item);

  bool shown_;
  void (*pipe_handler_)(int) = nullptr;  // before this one
  double part_ = 0, parts_ = 1;
  std::size_t drawn_width_ = 0;
  std::chrono::steady_clock::time_point drawn_at_{};
};

}  // namespace bnq::cli

#endif  // BNQ_CLI_PROGRESS_H_
