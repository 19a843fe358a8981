// Several models in one run: each a job, some of them at a time.
#ifndef BNQ_CLI_JOBS_H_
#define BNQ_CLI_JOBS_H_

#include <functional>
#include <string>
#include <vector>

#include "conversion.h"
#include "failure.h"
#include "handles.h"
#include "rows.h"
#include "session.h"

namespace bnq::cli {

struct Job {
  std::string input, output;
  Report report;
  std::vector<Row> rows;
  ExitCode code = kOk;
  std::string error;
};

// A job's work, on any thread, with the context and for the progress that it is
// given: sets its report and rows.
using Convert = std::function<void(bnq_context* context, Job& job,
                                   bnq_progress_fn progress, void* opaque)>;

// Whether there are several models, or --jobs was given: then --output is a
// folder.
bool AreJobs(const ConversionOptions& options);

// For every input a file of its name in the folder: `ending` replaces that of a
// file, a model's folder becomes a folder. Fails with kUsage where two outputs
// would be one, or there is no
// --output.
std::vector<Job> JobsOf(const ConversionOptions& options,
                        const std::string& ending);

// Makes the folder, and does the jobs. One that fails does not keep the others
// from their work. Prints a line for each, or a JSON array, and fails with the
// code of the first that failed.
void RunJobs(const ConversionOptions& options, std::vector<Job> jobs,
             Session& session, const Convert& convert);

}  // namespace bnq::cli

#endif  // BNQ_CLI_JOBS_H_
