// Each adds one subcommand, which does its work in its CLI11 callback and
// throws a Failure.
#ifndef BNQ_CLI_COMMANDS_H_
#define BNQ_CLI_COMMANDS_H_

#include <CLI/CLI.hpp>
#include <string>

namespace bnq::cli {

void AddQuantize(CLI::App& app);
void AddCalibrate(CLI::App& app);
void AddDequantize(CLI::App& app);
void AddExport(CLI::App& app);
void AddImport(CLI::App& app);
void AddInspect(CLI::App& app);
void AddVerify(CLI::App& app);
void AddDiff(CLI::App& app);
void AddPresets(CLI::App& app);
void AddInfo(CLI::App& app);
void AddCache(CLI::App& app);
void AddAnalyze(CLI::App& app);
void AddEstimate(CLI::App& app);

// "bnq 0.1.0 (libbnq 0.1.0, ABI 1)"
std::string VersionLine();

}  // namespace bnq::cli

#endif  // BNQ_CLI_COMMANDS_H_
