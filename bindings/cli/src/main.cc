// bnq: quantizes model files. A client of <bnq/bnq.h> like any other.
#include <bnq/bnq.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "commands.h"
#include "console.h"
#include "failure.h"
#include "standard_output.h"
#include "suggestion.h"
#include "text.h"

namespace bnq::cli {
namespace {

int Fail(ExitCode code, const std::string& message) {
  std::fprintf(stderr, "bnq: error: %s\n", Printable(message).c_str());
  return code;
}

void RequireAbi() {
  if (bnq_abi_version() == BNQ_ABI_VERSION) return;
  throw Failure(kOtherFailure, "the libbnq that was loaded has ABI " +
                                   std::to_string(bnq_abi_version()) +
                                   ", this program needs " +
                                   std::to_string(BNQ_ABI_VERSION));
}

int Run(std::vector<std::string> arguments) {
  const StandardOutput output;
  RequireAbi();
  CLI::App app("Low-bit quantization of neural-network model files.", "bnq");
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.set_version_flag("--version", VersionLine(),
                       "Print the version and exit");
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);
  AddQuantize(app);
  AddAnalyze(app);
  AddEstimate(app);
  AddCalibrate(app);
  AddDequantize(app);
  AddExport(app);
  AddImport(app);
  AddInspect(app);
  AddVerify(app);
  AddDiff(app);
  AddPresets(app);
  AddInfo(app);
  AddCache(app);
  app.footer(ExitCodeHelp());
  for (CLI::App* command : app.get_subcommands({})) {
    command->footer(command->get_footer() + ExitCodeHelp());
  }

  try {
    // As it takes them: from the last one to the first, without the program.
    std::reverse(arguments.begin(), arguments.end());
    if (!arguments.empty()) arguments.pop_back();
    app.parse(std::move(arguments));
  } catch (const CLI::Success& request) {  // --help, --version
    app.exit(request);
    StandardOutput::Flush();
    return kOk;
  } catch (const CLI::ParseError& error) {
    return Fail(kUsage, UsageMessage(app, error));
  }
  StandardOutput::Flush();
  return kOk;
}

}  // namespace
}  // namespace bnq::cli

int main(int argc, char** argv) {
  using namespace bnq::cli;
  const Console console;
  try {
    return Run(Arguments(argc, argv));
  } catch (const Failure& failure) {
    return Fail(failure.code(), failure.what());
  } catch (const std::bad_alloc&) {
    return Fail(kOtherFailure, "out of memory");
  } catch (const std::exception& error) {
    return Fail(kOtherFailure, error.what());
  }
}
