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
  enum class Show {
    kNothing,
    kBar,   // if standard error is a terminal
    kJson,  // an object a line on standard error, whatever that is
  };
  explicit Progress(Show show);
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
  using Clock = std::chrono::steady_clock;

  void Draw(uint64_t done, uint64_t total, const char* item);
  void WriteJson(uint64_t done, uint64_t total, const char* item);
  // Of all parts, 0 to 1.
  double Share(uint64_t done, uint64_t total) const;
  // Whether it is time to show something again.
  bool IsDue(bool last);
  // Seconds that are left, and bytes a second (0 where there are several
  // parts); negative where it is too early to tell.
  struct Pace {
    double seconds_left = -1, bytes_per_second = 0;
  };
  Pace PaceAt(uint64_t done, uint64_t total);

  Show show_;
  void (*pipe_handler_)(int) = nullptr;  // before this one
  double part_ = 0, parts_ = 1;
  std::size_t drawn_width_ = 0;
  Clock::time_point shown_at_{};
  // From where the pace is taken: some time after the beginning, when what was
  // finished before (--resume) has gone by.
  Clock::time_point began_{}, pace_from_{};
  double pace_share_ = 0;
  uint64_t pace_done_ = 0;
};

}  // namespace bnq::cli

#endif  // BNQ_CLI_PROGRESS_H_
