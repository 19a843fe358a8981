// The library's quantization options and presets as command-line options. They
// are listed by the library, so a new one appears here by itself.
#ifndef BNQ_CLI_CONFIG_OPTIONS_H_
#define BNQ_CLI_CONFIG_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "handles.h"

namespace bnq::cli {

struct ConfigOptions {
  struct Named {
    std::string name;
    CLI::Option* option;
    std::string value;
  };
  std::optional<std::string> preset, config;
  // A deque, because CLI11 keeps pointers to the values.
  std::deque<Named> named;
  // NAME=VALUE
  std::vector<std::string> assignments;
};

// Adds --preset, --config, --format, --group-size, ... and --option NAME=VALUE.
// Call it after the command's own options: these win where a name is taken
// twice, and --option still reaches the library's.
void AddConfigOptions(CLI::App& command, ConfigOptions& options);

// The preset, to which --config is applied, then the named options, then the
// assignments in their order. Fails with kUsage for values that are wrong alone
// or together.
Config MakeConfig(const ConfigOptions& options);

// The config that a text of bnq_config_from_text stands for. Fails with kUsage,
// as MakeConfig does; `where` names the option that the text is from.
Config ConfigFromText(const std::string& text, const std::string& where);

// As bnq_config_to_text.
std::string ConfigText(const bnq_config* config);

// The names an option's value may have ("ternary", "int8"), none where values
// are numbers; and the default as text. For --help and `bnq info`.
std::vector<std::string> OptionValueNames(int32_t option);
std::string OptionDefault(int32_t option);
// "1 to 2^53", "0 or more"; "" where values have names.
std::string OptionRange(int32_t option);

}  // namespace bnq::cli

#endif  // BNQ_CLI_CONFIG_OPTIONS_H_
