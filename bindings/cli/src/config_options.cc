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

Config Parsed(const std::string& text, const std::string& where) {
  bnq_config* created = nullptr;
  CheckUsage(bnq_config_from_text(text.c_str(), &created), where);
  return Config(created);
}

// What the single options are applied to.
Config StartingConfig(const ConfigOptions& options) {
  if (options.preset) {
    bnq_config* created = nullptr;
    CheckUsage(bnq_config_from_preset(options.preset->c_str(), &created),
               "--preset");
    Config preset(created);
    if (!options.config) return preset;
    return Parsed(*options.preset + "," + *options.config,
                  "--config after --preset " + *options.preset);
  }
  if (options.config) return Parsed(*options.config, "--config");
  bnq_config* created = nullptr;
  Check(bnq_config_create(&created));
  return Config(created);
}

}  // namespace

Config ConfigFromText(const std::string& text, const std::string& where) {
  Config config = Parsed(text, where);
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

Config MakeConfig(const ConfigOptions& options) {
  Config config = StartingConfig(options);
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
