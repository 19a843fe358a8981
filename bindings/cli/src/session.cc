#include "session.h"

#include "failure.h"
#include "standard_output.h"
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
  command
      .add_option("--progress", options.progress,
                  "auto: a bar on a terminal; never; json: lines of JSON on "
                  "standard error, for programs (default auto)")
      ->check(CLI::IsMember({"auto", "never", "json"}))
      ->option_text("auto|never|json");
  command.add_flag("-q,--quiet", options.quiet,
                   "No progress bar, no warnings, and no report but that of "
                   "--json");
}

namespace {

Progress::Show ShowOf(const SessionOptions& options) {
  if (options.progress == "json") return Progress::Show::kJson;
  return options.quiet || options.progress == "never" ? Progress::Show::kNothing
                                                      : Progress::Show::kBar;
}

}  // namespace

Context NewContext(const SessionOptions& options, int32_t threads,
                   bnq_log_fn log, void* opaque) {
  bnq_context* created = nullptr;
  Check(bnq_context_create(nullptr, &created));
  Context context(created);
  CheckUsage(bnq_context_set_threads(created, threads), "--threads");
  Check(bnq_context_set_mapping(created, options.no_mmap ? 0 : 1));
  // Also of what reports no progress.
  const bnq_interrupt_fn stopped = [](void*) -> int32_t {
    return Progress::Stopped();
  };
  Check(bnq_context_set_interrupt(created, stopped, nullptr));
  Check(bnq_context_set_log(created, log, opaque, BNQ_LOG_INFO));
  return context;
}

Session::Session(const SessionOptions& options)
    : quiet_(options.quiet), progress_(ShowOf(options)) {
  const bnq_log_fn log = [](void* opaque, int32_t level, const char* message) {
    auto* session = static_cast<Session*>(opaque);
    level == BNQ_LOG_WARNING ? session->Warn(message) : session->Note(message);
  };
  context_ = NewContext(options, options.threads, log, this);
  Check(bnq_context_hold_outputs(context()));
}

void Session::Finish() {
  progress_.Erase();
  StandardOutput::Flush();
  CheckCancelled();
  Check(bnq_context_place_outputs(context()));
}

void Session::CheckCancelled() {
  if (Progress::Stopped()) Check(BNQ_ERROR_CANCELLED);
}

void Session::Report(uint64_t done, uint64_t total, const std::string& item) {
  Progress::Callback(&progress_, done, total, item.c_str());
  CheckCancelled();
}

void Session::PrintLine(const char* kind, const std::string& message) {
  if (quiet_) return;
  progress_.PrintLine(std::string("bnq: ") + kind + ": " + Printable(message));
}

}  // namespace bnq::cli
