// What quantize and dequantize have in common: an input, an output, and the
// report on what became of each tensor.
#ifndef BNQ_CLI_CONVERSION_H_
#define BNQ_CLI_CONVERSION_H_

#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "json.h"
#include "rows.h"
#include "session.h"

namespace bnq::cli {

struct ConversionOptions {
  std::string input, output;
  std::vector<std::string>
      inputs;       // of a command that takes several; the first is `input`
  size_t jobs = 0;  // at a time; 0: not said
  bool dry_run = false, json = false, force = false;
  bool resume = false, restart = false;
  uint64_t max_shard_bytes = 0;
  SessionOptions session;
};

// Adds IN, --output, --dry-run, --force, --max-shard-size, --json and those of
// the session; and, where it is resumable, --resume and --restart.
void AddConversionOptions(CLI::App& command, ConversionOptions& options,
                          const std::string& input_help,
                          const std::string& output_help,
                          bool resumable = true);
// --jobs, of a command that takes several models (jobs.h); before
// AddConversionOptions.
void AddJobOptions(CLI::App& command, ConversionOptions& options);

// Whether nothing is to be written: --dry-run, or an output of /dev/null.
bool IsDryRun(const ConversionOptions& options);

// The output for the library: NULL where a dry run has none. Fails with kUsage
// where one is needed.
const char* OutputPath(const ConversionOptions& options);

// --force, --resume, --restart and IsDryRun as BNQ_WRITE_*.
int32_t WriteFlags(const ConversionOptions& options);

// What became of one model, as --json has it.
Json ConversionJson(const std::string& input, const std::string& output,
                    bool dry_run, const bnq_report* report,
                    const std::vector<Row>& rows);

// The table by `print_table` and a line that says what was written; or one
// JSON object.
void PrintConversion(const ConversionOptions& options, const bnq_report* report,
                     const std::vector<Row>& rows,
                     void (*PrintTable)(const bnq_report*,
                                        const std::vector<Row>&));

}  // namespace bnq::cli

#endif  // BNQ_CLI_CONVERSION_H_
