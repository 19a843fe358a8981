// --report FILE.html: where a page goes, and what keeps it from going there.
#ifndef BNQ_CLI_REPORT_OPTION_H_
#define BNQ_CLI_REPORT_OPTION_H_

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "html_report.h"
#include "session.h"

namespace bnq::cli {

// Of the worst tensors a report has histograms and sections: reading them again
// is quick, and so is reading about them.
constexpr std::size_t kReportedTensors = 12;

// `path` stays "" where no report is wanted.
void AddReportOption(CLI::App& command, std::string& path);

// Before a long run: fails as CheckOutput does, and with kUsage where the
// report is to be at the place of one of the command's own `outputs`.
void CheckReport(const std::string& path, bool force,
                 const std::vector<std::string>& inputs,
                 const std::vector<std::string>& outputs = {});

// To be in its place after Session::Finish. Nothing where path is "".
void WriteReport(Session& session, const std::string& path, bool force,
                 const Page& page);

// "wrote report.html" on standard output, where there is one and the command
// prints for people.
void PrintReportLine(const std::string& path, bool json, bool quiet);

// The last part of a path, or all of one that has no parts.
std::string BaseName(const std::string& path);

}  // namespace bnq::cli

#endif  // BNQ_CLI_REPORT_OPTION_H_
