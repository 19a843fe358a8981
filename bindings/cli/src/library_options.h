// The library's options as the library describes them, and as flags: a new one
// appears here by itself.
#ifndef BNQ_CLI_LIBRARY_OPTIONS_H_
#define BNQ_CLI_LIBRARY_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace bnq::cli {

struct LibraryOption {
  int32_t id = 0;
  std::string name;
  // Values are whole numbers, or have names.
  bool integer = false;
  double min = 0, max = 0;
  // The default as text.
  std::string initial;
  // Names of values ("ternary", "int8"); none where they are numbers.
  std::vector<std::string> values;
  // "1 to 2^53", "0 or more"; "" where values have names.
  std::string range;

  // How --help begins a parenthesis: "1 to 8; ", or "" where the flag's choices
  // say it.
  std::string ValuesText() const { return range.empty() ? "" : range + "; "; }
};

// Those of bnq_config, and those of bnq_calibrator.
std::vector<LibraryOption> QuantizationOptions();
std::vector<LibraryOption> CalibrationOptions();

struct NamedOption {
  std::string name;
  CLI::Option* option;
  std::string value;
};
// A deque, because CLI11 keeps pointers to the values.
using NamedOptions = std::deque<NamedOption>;

// Adds --group-size for group_size, and so on, described by `help`. Flags that
// the command has already are left alone.
void AddNamedOptions(
    CLI::App& command, const std::vector<LibraryOption>& options,
    const std::function<std::string(const LibraryOption&)>& help,
    NamedOptions& named);

std::string Joined(const std::vector<std::string>& words, const char* between);

}  // namespace bnq::cli

#endif  // BNQ_CLI_LIBRARY_OPTIONS_H_
