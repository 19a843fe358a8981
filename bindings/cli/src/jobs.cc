#include "jobs.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <iostream>
#include <map>
#include <mutex>
#include <numeric>
#include <system_error>
#include <thread>

#include "json.h"
#include "table.h"
#include "text.h"

namespace bnq::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kIndexEnding[] = ".safetensors.index.json";

// What the output of an input is called.
std::string OutputName(const std::string& input, const std::string& ending) {
  std::string path = input;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const std::string name = fs::u8path(path).filename().u8string();
  std::error_code error;
  const fs::path folder = fs::u8path(path);
  if (fs::is_directory(folder, error)) {
    return fs::is_regular_file(folder / "config.json", error) ? name
                                                              : name + ending;
  }
  if (EndsWith(name, kIndexEnding)) {
    return name.substr(0, name.size() - sizeof kIndexEnding + 1) + ending;
  }
  const size_t dot = name.rfind('.');
  return name.substr(0, dot == 0 ? std::string::npos : dot) + ending;
}

void MakeFolder(const std::string& folder) {
  std::error_code error;
  fs::create_directories(fs::u8path(folder), error);
  if (!fs::is_directory(fs::u8path(folder), error)) {
    throw Failure(kInputOutput, "--output: cannot make the folder '" +
                                    Printable(folder) +
                                    "', which several outputs go to" +
                                    (error ? ": " + error.message() : ""));
  }
}

// The bar and the messages of jobs that run at the same time.
class SharedSession {
 public:
  SharedSession(Session& session, size_t jobs)
      : session_(session), shares_(jobs) {}

  bool Report(size_t job, double share, const char* item) {
    constexpr double kSteps = 1000;
    const std::lock_guard<std::mutex> lock(mutex_);
    shares_[job] = share;
    const double all = std::accumulate(shares_.begin(), shares_.end(), 0.0);
    session_.BeginPart(
        static_cast<uint64_t>(all * kSteps),
        static_cast<uint64_t>(static_cast<double>(shares_.size()) * kSteps));
    return Progress::Callback(session_.opaque(), 0, 1, item) != 0;
  }
  void Tell(const std::string& input, int32_t level, const char* message) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const std::string line = input + ": " + message;
    level == BNQ_LOG_WARNING ? session_.Warn(line) : session_.Note(line);
  }

 private:
  Session& session_;
  std::mutex mutex_;
  std::vector<double> shares_;
};

// What a job's callbacks are given.
struct Running {
  SharedSession* session;
  const std::string* input;
  size_t index;
};

int32_t OnProgress(void* opaque, uint64_t done, uint64_t total,
                   const char* item) {
  const auto* job = static_cast<Running*>(opaque);
  const double share =
      total == 0 ? 0.0 : static_cast<double>(done) / static_cast<double>(total);
  return job->session->Report(job->index, share, item);
}

void RunJob(const ConversionOptions& options, int32_t threads,
            const Convert& convert, Running running, Job* job) {
  try {
    const bnq_log_fn log = [](void* opaque, int32_t level,
                              const char* message) {
      const auto* of = static_cast<Running*>(opaque);
      of->session->Tell(*of->input, level, message);
    };
    const Context context = NewContext(options.session, threads, log, &running);
    convert(context.get(), *job, OnProgress, &running);
  } catch (const Failure& failure) {
    job->code = failure.code();
    job->error = failure.what();
  } catch (const std::exception& error) {
    job->code = kOtherFailure;
    job->error = error.what();
  }
  running.session->Report(running.index, 1.0, "");
}

void PrintJsonArray(const ConversionOptions& options,
                    const std::vector<Job>& jobs) {
  Json array = Json::array();
  for (const Job& job : jobs) {
    if (job.code == kOk) {
      array.push_back(ConversionJson(job.input, job.output, IsDryRun(options),
                                     job.report.get(), job.rows));
      continue;
    }
    array.push_back(
        {{"input", job.input},
         {"output", job.output.empty() ? Json(nullptr) : Json(job.output)},
         {"error", job.error},
         {"exit_code", static_cast<int>(job.code)}});
  }
  PrintJson(array);
}

void PrintJobs(const std::vector<Job>& jobs, bool dry_run) {
  Table table({{"input", Table::kLeft},
               {"written", Table::kLeft},
               {"tensors", Table::kRight},
               {"bits/weight", Table::kRight},
               {"before", Table::kRight},
               {"after", Table::kRight},
               {"not quantized", Table::kRight},
               {"note", Table::kLeft}});
  for (const Job& job : jobs) {
    if (job.code != kOk) {
      table.Add({Printable(job.input), "", "", "", "", "", "", "failed"});
      continue;
    }
    const Totals totals = TotalsOf(job.rows);
    table.Add(
        {Printable(job.input),
         dry_run ? "" : Printable(bnq_report_output(job.report.get())),
         std::to_string(totals.tensors), FixedText(totals.bits_per_weight, 3),
         BytesText(totals.bytes_before), BytesText(totals.bytes),
         FixedText(100 * bnq_report_dense_share(job.report.get()), 2) + " %",
         ""});
  }
  table.Print(std::cout);
  if (dry_run) std::cout << "dry run: nothing was written\n";
}

}  // namespace

bool AreJobs(const ConversionOptions& options) {
  return options.inputs.size() > 1 || options.jobs != 0;
}

std::vector<Job> JobsOf(const ConversionOptions& options,
                        const std::string& ending) {
  if (options.output.empty() && !options.dry_run) {
    throw Failure(kUsage, "--output is required, unless --dry-run is given");
  }
  std::string folder = options.output;
  if (!folder.empty() && folder.back() != '/') folder += '/';
  std::vector<Job> jobs;
  std::map<std::string, std::string> outputs;
  for (const std::string& input : options.inputs) {
    Job job;
    job.input = input;
    const std::string name = OutputName(input, ending);
    const auto [other, added] = outputs.emplace(name, input);
    if (!added) {
      throw Failure(kUsage, "'" + Printable(other->second) + "' and '" +
                                Printable(input) + "' would both be '" +
                                Printable(name) + "' in --output");
    }
    if (!options.output.empty()) job.output = folder + name;
    jobs.push_back(std::move(job));
  }
  return jobs;
}

void RunJobs(const ConversionOptions& options, std::vector<Job> jobs,
             Session& session, const Convert& convert) {
  if (!IsDryRun(options)) MakeFolder(options.output);
  const size_t at_a_time =
      std::min(jobs.size(), options.jobs == 0 ? size_t{1} : options.jobs);
  const int32_t all = bnq_context_threads(session.context());
  const int32_t threads =
      std::max<int32_t>(1, all / static_cast<int32_t>(at_a_time));
  SharedSession shared(session, jobs.size());
  std::atomic<size_t> next{0};
  const auto work = [&] {
    // What has not begun when a signal comes is not begun.
    for (size_t i = next++; i < jobs.size() && !Progress::Stopped();
         i = next++) {
      RunJob(options, threads, convert, Running{&shared, &jobs[i].input, i},
             &jobs[i]);
    }
  };
  std::vector<std::thread> workers;
  try {
    for (size_t i = 1; i < at_a_time; ++i) workers.emplace_back(work);
  } catch (const std::system_error&) {
    // Those that there are do the rest.
  }
  work();
  for (std::thread& worker : workers) worker.join();
  session.CheckCancelled();
  size_t failed = 0;
  const Job* first = nullptr;
  for (const Job& job : jobs) {
    if (job.code == kOk) continue;
    if (failed++ == 0) first = &job;
    session.Warn(job.input + " failed: " + job.error);
  }
  if (options.json) {
    PrintJsonArray(options, jobs);
  } else if (!options.session.quiet) {
    PrintJobs(jobs, IsDryRun(options));
  }
  session.Finish();
  if (failed != 0) {
    throw Failure(first->code, std::to_string(failed) + " of " +
                                   std::to_string(jobs.size()) +
                                   " failed, the first: " + first->input +
                                   ": " + first->error);
  }
}

}  // namespace bnq::cli
