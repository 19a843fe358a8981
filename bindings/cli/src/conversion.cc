#include "conversion.h"

#include <iostream>

#include "failure.h"
#include "output_file.h"
#include "text.h"

namespace bnq::cli {

void AddJobOptions(CLI::App& command, ConversionOptions& options) {
  command
      .add_option("--jobs", options.jobs,
                  "Models to work on at a time, which share --threads (default "
                  "1); with it, or several models, --output is a folder")
      ->check(CLI::Range(1, 256))
      ->option_text("N");
}

void AddConversionOptions(CLI::App& command, ConversionOptions& options,
                          const std::string& input_help,
                          const std::string& output_help, bool resumable) {
  if (command.get_option_no_throw("--jobs") == nullptr) {
    command.add_option("IN", options.input, input_help)
        ->required()
        ->option_text("FILE");
  } else {
    command.add_option("IN", options.inputs, input_help)
        ->required()
        ->each([&options](const std::string& input) {
          if (options.input.empty()) options.input = input;
        })
        ->option_text("FILE ...");
  }
  command
      .add_option("-o,--output", options.output,
                  output_help + "; required, except with --dry-run")
      ->option_text("FILE");
  command.add_flag("--dry-run", options.dry_run,
                   "Do everything but write the output");
  command.add_flag("--force", options.force,
                   "Replace an existing output; never the input");
  if (resumable) {
    command.add_flag("--resume", options.resume,
                     "Keep what is finished in OUT.part until all is, and go "
                     "on with what an interrupted run left there");
    command.add_flag("--restart", options.restart,
                     "As --resume, but forget what is in OUT.part");
  }
  command
      .add_option("--max-shard-size", options.max_shard_bytes,
                  "Split the output into files of at most so many bytes of "
                  "tensors (5GB, 500MiB), with an index")
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/true))
      ->option_text("SIZE");
  command.add_flag("--json", options.json,
                   "Print one JSON object instead of the table");
  AddSessionOptions(command, options.session);
}

bool IsDryRun(const ConversionOptions& options) {
  return options.dry_run || IsNullDevice(options.output);
}

const char* OutputPath(const ConversionOptions& options) {
  if (IsNullDevice(options.output)) return nullptr;
  if (!options.output.empty()) return options.output.c_str();
  if (options.dry_run) return nullptr;
  throw Failure(kUsage, "--output is required, unless --dry-run is given");
}

int32_t WriteFlags(const ConversionOptions& options) {
  return (options.force ? BNQ_WRITE_OVERWRITE : 0) |
         (options.resume ? BNQ_WRITE_RESUME : 0) |
         (options.restart ? BNQ_WRITE_RESTART : 0) |
         (IsDryRun(options) ? BNQ_WRITE_DRY_RUN : 0);
}

Json ConversionJson(const std::string& input, const std::string& output,
                    bool dry_run, const bnq_report* report,
                    const std::vector<Row>& rows) {
  Json object = {
      {"input", input},
      {"output", output.empty() ? Json(nullptr) : Json(output)},
      {"written", dry_run ? Json(nullptr) : Json(bnq_report_output(report))},
      {"dry_run", dry_run},
      {"dense_share", bnq_report_dense_share(report)}};
  AddRows(object, rows, JsonRows::kReport);
  return object;
}

void PrintConversion(const ConversionOptions& options, const bnq_report* report,
                     const std::vector<Row>& rows,
                     void (*PrintTable)(const bnq_report*,
                                        const std::vector<Row>&)) {
  if (options.json) {
    PrintJson(ConversionJson(options.input, options.output, IsDryRun(options),
                             report, rows));
  } else if (!options.session.quiet) {
    PrintTable(report, rows);
    if (IsDryRun(options)) {
      std::cout << "dry run: nothing was written\n";
    } else {
      std::cout << "wrote " << Printable(bnq_report_output(report)) << '\n';
    }
  }
}

}  // namespace bnq::cli
