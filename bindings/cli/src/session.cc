#include "session.h"

#include "failure.h"
#include "text.h"

namespace bnq::cli {

void AddSessionOptions(CLI::App& command, SessionOptions& options) {
  command
      .add_option("--threads", options.threads,
                  "Threads to use; 0 for every processor (default 0)")
      ->type_name("N");
  command.add_flag("--no-mmap", options.no_mmap,
                   "Read files into memory, not map them: for files that may "
                   "be cut short meanwhile");
  command.add_flag("-q,--quiet", options.quiet,
                   "No progress bar, no warnings, and no report but that of "
                   "--json");
}

Session::Session(const SessionOptions& options)
    : quiet_(options.quiet), progress_(!options.quiet) {
  bnq_context* context = nullptr;
  Check(bnq_context_create(nullptr, &context));
  context_.reset(context);
  CheckUsage(bnq_context_set_threads(context, options.threads), "--threads");
  Check(bnq_context_set_mapping(context, options.no_mmap ? 0 : 1));
  const bnq_log_fn log = [](void* opaque, int32_t, const char* message) {
    static_cast<Session*>(opaque)->Warn(message);
  };
  Check(bnq_context_set_log(context, log, this, BNQ_LOG_WARNING));
}

void Session::CheckCancelled() {
  if (Progress::Stopped()) Check(BNQ_ERROR_CANCELLED);
}

void Session::Warn(const std::string& message) {
  if (!quiet_) progress_.PrintLine("bnq: warning: " + Printable(message));
}

}  // namespace bnq::cli
