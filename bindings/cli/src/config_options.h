// The library's quantization options and presets as command-line options. They
// are listed by the library, so a new one appears here by itself.
#ifndef BNQ_CLI_CONFIG_OPTIONS_H_
#define BNQ_CLI_CONFIG_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "handles.h"
#include "library_options.h"
#include "session.h"

namespace bnq::cli {

struct ConfigOptions {
  std::optional<std::string> preset, config;
  std::string recipes;
  NamedOptions named;
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
Config MakeConfig(const ConfigOptions& options, const bnq_recipes* recipes);

// Whether any of the options above is given.
bool IsConfigGiven(const ConfigOptions& options);

// --recipes, which names configs and plans: NULL for "".
void AddRecipesOption(CLI::App& command, std::string& path);
Recipes LoadRecipes(const std::string& path);

// The config that a text of bnq_config_from_text stands for. Fails with kUsage,
// as MakeConfig does; `where` names the option that the text is from.
Config ConfigFromText(const std::string& text, const std::string& where,
                      const bnq_recipes* recipes = nullptr);

// As bnq_config_to_text.
std::string ConfigText(const bnq_config* config);

// Warns of what the library thinks is hardly meant; `where` names the option
// that config is from.
void WarnOfDoubts(const bnq_config* config, const std::string& where,
                  Session& session);

}  // namespace bnq::cli

#endif  // BNQ_CLI_CONFIG_OPTIONS_H_
