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
};

void AddSessionOptions(CLI::App& command, SessionOptions& options);

class Session {
 public:
  explicit Session(const SessionOptions& options);

  bnq_context* context() const { return context_.get(); }
  // For the library's progress and opaque parameters.
  bnq_progress_fn progress() const { return &Progress::Callback; }
  void* opaque() { return &progress_; }

  // Fails with kCancelled where a signal has come: for long work between calls
  // of the library, which would notice by themselves.
  void CheckCancelled();

  // "bnq: warning: ..." on standard error, unless --quiet.
  void Warn(const std::string& message);

 private:
  bool quiet_;
  Progress progress_;
  Context context_;
};

}  // namespace bnq::cli

#endif  // BNQ_CLI_SESSION_H_
