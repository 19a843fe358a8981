// Several models in one run: each a job, some of them at a time.
#ifndef BNQ_CLI_JOBS_H_
#define BNQ_CLI_JOBS_H_

#include <functional>
#include <string>
#include <vector>

#include "conversion.h"
#include "failure.h"
#include "handles.h"

namespace bnq::cli {

struct Job {
  std::string input, output;
  Report report;
  ExitCode code = kOk;
  std::string error;
};

// A job's work, on any thread, with the context and for the progress that it is
// given.
using Convert =
    std::function<bnq_report*(bnq_context* context, const Job& job,
                              bnq_progress_fn progress, void* opaque)>;

// Whether there are several models, or --jobs was given: then --output is a
// folder.
bool AreJobs(const ConversionOptions& options);

// Converts every input into a file of its name in the folder: `ending` replaces
// that of a file, a model's folder becomes a folder. A job that fails does not
// keep the others from their work. Prints a line for each, or a JSON array, and
// fails with the code of the first that failed. Fails with kUsage, before
// anything is done, where two outputs would be one.
void RunJobs(const ConversionOptions& options, const std::string& ending,
             const Convert& convert);

}  // namespace bnq::cli

#endif  // BNQ_CLI_JOBS_H_
