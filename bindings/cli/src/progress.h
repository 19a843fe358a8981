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
// to write. At most one exists at a time.
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

  // Whether one of the signals has come since the Progress began.
  static bool Stopped();

  // A line of its own on standard error, not mixed up with the bar.
  void PrintLine(const std::string& line);

 private:
  void Draw(uint64_t done, uint64_t total, const char* item);
  void Erase();

  bool shown_;
  std::size_t drawn_width_ = 0;
  std::chrono::steady_clock::time_point drawn_at_{};
};

}  // namespace bnq::cli

#endif  // BNQ_CLI_PROGRESS_H_
