#include "config_options.h"

#include <algorithm>

#include "failure.h"
#include "text.h"

namespace bnq::cli {
namespace {

// Options that contradict each other are wrong usage, whatever the input is.
void CheckTogether(const bnq_config* config, const std::string& where) {
  int64_t format = BNQ_FORMAT_NONE;
  Check(
      bnq_options_get_int(bnq_config_options(config), BNQ_OPT_FORMAT, &format));
  // Nothing is made with it, so nothing can contradict.
  if (format == BNQ_FORMAT_NONE) return;
  CheckUsage(bnq_config_check(config), where);
}

Config Parsed(const std::string& text, const std::string& where,
              const bnq_recipes* recipes) {
  bnq_config* created = nullptr;
  CheckUsage(recipes ? bnq_recipes_config(recipes, text.c_str(), &created)
                     : bnq_config_from_text(text.c_str(), &created),
             where);
  return Config(created);
}

// What the single options are applied to.
Config StartingConfig(const ConfigOptions& options,
                      const bnq_recipes* recipes) {
  if (options.preset) {
    bnq_config* created = nullptr;
    // Where it is no recipe's, the library says what presets there are.
    if (recipes == nullptr ||
        bnq_recipes_config(recipes, options.preset->c_str(), &created) !=
            BNQ_OK) {
      CheckUsage(bnq_config_from_preset(options.preset->c_str(), &created),
                 "--preset");
    }
    Config preset(created);
    if (!options.config) return preset;
    return Parsed(*options.preset + "," + *options.config,
                  "--config after --preset " + *options.preset, recipes);
  }
  if (options.config) return Parsed(*options.config, "--config", recipes);
  bnq_config* created = nullptr;
  Check(bnq_config_create(&created));
  return Config(created);
}

}  // namespace

void AddRecipesOption(CLI::App& command, std::string& path) {
  command
      .add_option("--recipes", path,
                  "A file that names configs, which then may stand where a "
                  "preset may")
      ->option_text("FILE");
}

Recipes LoadRecipes(const std::string& path) {
  if (path.empty()) return nullptr;
  bnq_recipes* created = nullptr;
  Check(bnq_recipes_create(&created));
  Recipes recipes(created);
  CheckContent(bnq_recipes_load(nullptr, created, path.c_str()), path);
  return recipes;
}

bool IsConfigGiven(const ConfigOptions& options) {
  if (options.preset || options.config || !options.assignments.empty()) {
    return true;
  }
  return std::any_of(
      options.named.begin(), options.named.end(),
      [](const NamedOption& named) { return named.option->count() != 0; });
}

Config ConfigFromText(const std::string& text, const std::string& where,
                      const bnq_recipes* recipes) {
  Config config = Parsed(text, where, recipes);
  CheckTogether(config.get(), where);
  return config;
}

std::string ConfigText(const bnq_config* config) {
  uint64_t size = 0;
  Check(bnq_config_to_text(config, nullptr, 0, &size));
  std::string text(size, '\0');
  Check(bnq_config_to_text(config, text.data(), size, nullptr));
  text.pop_back();  // the NUL
  return text;
}

void AddConfigOptions(CLI::App& command, ConfigOptions& options) {
  command
      .add_option("--preset", options.preset,
                  "Start from a preset of `bnq presets` instead of the "
                  "defaults")
      ->option_text("PRESET");
  command
      .add_option("--config", options.config,
                  "Set several library options, as NAME=VALUE,NAME=VALUE,...; "
                  "the first item may be a preset")
      ->option_text("TEXT");
  AddRecipesOption(command, options.recipes);
  command
      .add_option("--option", options.assignments,
                  "Set a library option by the name `bnq info` lists it under "
                  "(repeatable)")
      ->option_text("NAME=VALUE")
      ->allow_extra_args(false);
  AddNamedOptions(
      command, LibraryOptions(BNQ_OPTIONS_CONFIG),
      [](const LibraryOption& option) {
        return option.initial == "default" ? std::string(": the format's own")
                                           : " " + option.initial;
      },
      options.named);
}

Config MakeConfig(const ConfigOptions& options, const bnq_recipes* recipes) {
  Config config = StartingConfig(options, recipes);
  for (const NamedOption& named : options.named) {
    if (named.option->count() == 0) continue;
    CheckUsage(bnq_options_set_text(bnq_config_settings(config.get()),
                                    named.name.c_str(), named.value.c_str()),
               named.option->get_name());
  }
  for (const std::string& assignment : options.assignments) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string::npos) {
      throw Failure(kUsage,
                    "--option: expected NAME=VALUE, got '" + assignment + "'");
    }
    const std::string name = assignment.substr(0, equals);
    const std::string value = assignment.substr(equals + 1);
    CheckUsage(bnq_options_set_text(bnq_config_settings(config.get()),
                                    name.c_str(), value.c_str()),
               "--option " + name);
  }
  CheckTogether(config.get(), "options");
  return config;
}

void WarnOfDoubts(const bnq_config* config, const std::string& where,
                  Session& session) {
  const bnq_options* options = bnq_config_options(config);
  uint64_t size = 0;
  Check(bnq_options_advice(options, nullptr, 0, &size));
  std::string advice(size, '\0');
  Check(bnq_options_advice(options, advice.data(), size, nullptr));
  advice.pop_back();  // the NUL
  if (!advice.empty()) session.Warn(where + advice);
}

}  // namespace bnq::cli
