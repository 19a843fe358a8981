// The library's calibration options as command-line options, and the files of
// calibrators that they make.
#ifndef BNQ_CLI_CALIBRATION_OPTIONS_H_
#define BNQ_CLI_CALIBRATION_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <string>

#include "handles.h"
#include "library_options.h"
#include "session.h"

namespace bnq::cli {

// Adds --method, --granularity, --bins, ...
void AddCalibrationOptions(CLI::App& command, NamedOptions& options);

// An empty set whose calibrators have these options. Fails with kUsage.
Calibration MakeCalibration(const NamedOptions& options, bool need_histogram);

Calibration LoadCalibration(const std::string& path, Session& session);

// Sets an option of a set that has data, to look for its ranges in another way.
// Fails with kUsage where there is no such value, and with kBadInput where what
// was kept of the data in `path` does not allow it.
void Reinterpret(bnq_calibration* calibration, const std::string& option,
                 const std::string& value, const std::string& flag,
                 const std::string& path, Session& session);

// "minmax|kl|...", for --help.
std::string CalibrationMethods();

}  // namespace bnq::cli

#endif  // BNQ_CLI_CALIBRATION_OPTIONS_H_
