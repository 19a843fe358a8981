// What the commands that work on whole files have in common: the options
// --threads and --quiet, a context made of them, and a progress bar.
#ifndef BNQ_CLI_SESSION_H_
#define BNQ_CLI_SESSION_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "handles.h"
#include "progress.h"

namespace bnq::cli {

struct SessionOptions {
  int32_t threads = 0;
  bool quiet = false;
  bool no_mmap = false;
  std::string progress = "auto";
};

void AddSessionOptions(CLI::App& command, SessionOptions& options);

// With these threads, --no-mmap, and an end where a signal has come.
Context NewContext(const SessionOptions& options, int32_t threads,
                   bnq_log_fn log, void* opaque);

class Session {
 public:
  explicit Session(const SessionOptions& options);

  bnq_context* context() const { return context_.get(); }
  // For the library's progress and opaque parameters.
  bnq_progress_fn progress() const { return &Progress::Callback; }
  void* opaque() { return &progress_; }

  // Writes the report, which std::cout has been given, and then puts the
  // outputs in their places. Without it, and where the report cannot be
  // written, what was there before stays, and nothing else is left.
  void Finish();

  // Fails with kCancelled where a signal has come: for long work between calls
  // of the library, which would notice by themselves.
  void CheckCancelled();

  // The same, after showing in the bar that `done` of `total` are through, and
  // that `item` is next.
  void Report(uint64_t done, uint64_t total, const std::string& item);
  // What the library reports from now on is the progress of one of `parts`
  // calls that make one work: the bar does not begin anew.
  void BeginPart(uint64_t part, uint64_t parts) {
    progress_.BeginPart(part, parts);
  }

  // "bnq: warning: ..." and "bnq: note: ..." on standard error, unless --quiet.
  // The library's own messages arrive here too.
  void Warn(const std::string& message) { PrintLine("warning", message); }
  void Note(const std::string& message) { PrintLine("note", message); }

 private:
  void PrintLine(const char* kind, const std::string& message);

  bool quiet_;
  Progress progress_;
  Context context_;
};

}  // namespace bnq::cli

#endif  // BNQ_CLI_SESSION_H_
