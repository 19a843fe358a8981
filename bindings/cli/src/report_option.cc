#include "report_option.h"

#include <filesystem>
#include <iostream>
#include <system_error>

#include "failure.h"
#include "output_file.h"
#include "text.h"

namespace bnq::cli {

void AddReportOption(CLI::App& command, std::string& path) {
  command
      .add_option("--report", path,
                  "Write a page to look at: totals, a table that can be "
                  "sorted, histograms of the worst tensors (HTML, one file)")
      ->option_text("FILE");
}

void CheckReport(const std::string& path, bool force,
                 const std::vector<std::string>& inputs,
                 const std::vector<std::string>& outputs) {
  if (path.empty()) return;
  for (const std::string& output : outputs) {
    if (!output.empty() &&
        std::filesystem::u8path(output).lexically_normal() ==
            std::filesystem::u8path(path).lexically_normal()) {
      throw Failure(kUsage, "--report '" + path + "' is also another output");
    }
  }
  if (!IsNullDevice(path)) CheckOutput(path, force, inputs);
}

void WriteReport(Session& session, const std::string& path, bool force,
                 const Page& page) {
  if (path.empty() || IsNullDevice(path)) return;
  const std::string text = HtmlReport(page);
  Check(bnq_write_file(session.context(), path.c_str(), text.data(),
                       text.size(), force ? BNQ_WRITE_OVERWRITE : 0));
}

void PrintReportLine(const std::string& path, bool json, bool quiet) {
  if (path.empty() || json || quiet || IsNullDevice(path)) return;
  std::cout << "wrote " << Printable(path) << '\n';
}

std::string BaseName(const std::string& path) {
  const std::string name = std::filesystem::u8path(path).filename().u8string();
  return name.empty() ? path : name;
}

}  // namespace bnq::cli
