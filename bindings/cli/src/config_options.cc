#include "config_options.h"

#include <algorithm>
#include <cstring>

#include "failure.h"

namespace bnq::cli {
namespace {

// What an option is for. The library does not say; one that is missing here is
// still offered, with its range.
std::string Purpose(const char* name) {
  static const struct {
    const char* name;
    const char* text;
  } kPurposes[] = {
      {"format", "What tensors are quantized into"},
      {"granularity", "What shares a scale"},
      {"group_size", "Columns of a group, or elements of a block"},
      {"axis", "Dimension of the channels, negative from the end"},
      {"scheme", "Range around zero, or that of the values"},
      {"clip", "Values beyond +-X count as +-X; 0 for none"},
      {"non_finite",
       "NaN and infinity: refuse, count as 0, or keep in f16 and bf16"},
      {"rounding", "How integer formats round"},
      {"seed", "Seed of --rounding stochastic"},
      {"scale_rule", "What a scale is made from"},
      {"percentile",
       "Percent of the absolute values that --scale-rule percentile does not "
       "cut off"},
      {"symmetric_range",
       "Symmetric int8 and int4: leave the least code out, or use it as "
       "PyTorch (full) or ggml (extreme) does"},
      {"scale_dtype", "How scales are stored"},
      {"double_quant", "Store scales in 8 bits, with scales of their own"},
      {"packing", "How codes become bytes; base3: ternary at 1.6 bits"},
      {"outlier_threshold",
       "Keep columns with an absolute value of X or more in 16 bits (integer "
       "formats, --granularity token); 0 for none"},
  };
  for (const auto& entry : kPurposes) {
    if (std::strcmp(name, entry.name) == 0) return entry.text;
  }
  return std::string("Library option ") + name;
}

// Options that contradict each other are wrong usage, whatever the input is.
void CheckTogether(const bnq_config* config, const std::string& where) {
  int64_t format = BNQ_FORMAT_NONE;
  Check(bnq_config_get_int(config, BNQ_OPT_FORMAT, &format));
  // Nothing is made with it, so nothing can contradict.
  if (format == BNQ_FORMAT_NONE) return;
  // A tensor of the highest rank accepts every axis that some tensor accepts.
  uint64_t shape[BNQ_MAX_RANK];
  std::fill(std::begin(shape), std::end(shape), uint64_t{1});
  CheckUsage(bnq_quantized_sizes(config, BNQ_MAX_RANK, shape, nullptr, nullptr,
                                 nullptr),
             where);
}

Config Parsed(const std::string& text, const std::string& where) {
  bnq_config* created = nullptr;
  CheckUsage(bnq_config_from_text(text.c_str(), &created), where);
  return Config(created);
}

// Texts other than a preset's name are --config's business.
void CheckPresetName(const std::string& name) {
  std::vector<std::string> names;
  for (uint32_t i = 0; i < bnq_preset_count(); ++i) {
    names.emplace_back(bnq_preset_name(i));
  }
  if (std::find(names.begin(), names.end(), name) != names.end()) return;
  throw Failure(kUsage, "--preset: expected one of " + Joined(names, ", ") +
                            ", got '" + name + "'");
}

// What the single options are applied to.
Config StartingConfig(const ConfigOptions& options) {
  if (options.preset) CheckPresetName(*options.preset);
  if (options.preset && options.config) {
    return Parsed(*options.preset + "," + *options.config,
                  "--config after --preset " + *options.preset);
  }
  if (options.config) return Parsed(*options.config, "--config");
  if (options.preset) return Parsed(*options.preset, "--preset");
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
      command, QuantizationOptions(),
      [](const LibraryOption& option) {
        return Purpose(option.name.c_str()) + " (" + option.ValuesText() +
               (option.initial == "default" ? "default: the format's own"
                                            : "default " + option.initial) +
               ")";
      },
      options.named);
}

Config MakeConfig(const ConfigOptions& options) {
  Config config = StartingConfig(options);
  for (const NamedOption& named : options.named) {
    if (named.option->count() == 0) continue;
    CheckUsage(bnq_config_set_text(config.get(), named.name.c_str(),
                                   named.value.c_str()),
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
    CheckUsage(bnq_config_set_text(config.get(), name.c_str(), value.c_str()),
               "--option " + name);
  }
  CheckTogether(config.get(), "options");
  return config;
}

}  // namespace bnq::cli
