#include "config_options.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "failure.h"
#include "text.h"

namespace bnq::cli {
namespace {

struct Bounds {
  int32_t type = BNQ_OPTION_INT;
  double min = 0, max = 0, initial = 0;
};

Bounds BoundsOf(int32_t option) {
  Bounds b;
  Check(bnq_option_bounds(option, &b.type, &b.min, &b.max, &b.initial));
  return b;
}

std::string NumberText(const Bounds& bounds, double value) {
  return bounds.type == BNQ_OPTION_INT ? FixedText(value, 0)
                                       : GeneralText(value, 9);
}

// Where bounds are only those of the type, digits say nothing to people.
std::string RangeText(const Bounds& bounds) {
  constexpr double kExactIntegers = 9007199254740992.0;  // 2^53
  const std::string min = NumberText(bounds, bounds.min);
  if (bounds.max >= std::numeric_limits<float>::max()) return min + " or more";
  return min + " to " +
         (bounds.max == kExactIntegers ? "2^53"
                                       : NumberText(bounds, bounds.max));
}

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

std::string Joined(const std::vector<std::string>& words, const char* between) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += between;
    out += word;
  }
  return out;
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

std::vector<std::string> OptionValueNames(int32_t option) {
  std::vector<std::string> names;
  if (option == BNQ_OPT_FORMAT) {
    for (uint32_t i = 0; i < bnq_format_count(); ++i) {
      int32_t format = 0;
      Check(bnq_format_at(i, &format));
      names.emplace_back(bnq_format_name(format));
    }
    names.emplace_back(bnq_format_name(BNQ_FORMAT_NONE));
    return names;
  }
  const Bounds bounds = BoundsOf(option);
  // No option has hundreds of named values, but some have billions of numbers.
  const double last = std::min(bounds.max, bounds.min + 255);
  for (double value = bounds.min; value <= last; value += 1) {
    const char* name =
        bnq_option_value_name(option, static_cast<int64_t>(value));
    if (name != nullptr) names.emplace_back(name);
  }
  return names;
}

std::string OptionDefault(int32_t option) {
  const Bounds bounds = BoundsOf(option);
  const char* name =
      bounds.type == BNQ_OPTION_INT
          ? bnq_option_value_name(option, static_cast<int64_t>(bounds.initial))
          : nullptr;
  return name != nullptr ? name : NumberText(bounds, bounds.initial);
}

std::string OptionRange(int32_t option) {
  if (!OptionValueNames(option).empty()) return "";
  return RangeText(BoundsOf(option));
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
  for (uint32_t i = 0; i < bnq_option_count(); ++i) {
    int32_t id = 0;
    Check(bnq_option_at(i, &id));
    const std::string name = bnq_option_name(id);
    std::string flag = "--" + name;
    std::replace(flag.begin(), flag.end(), '_', '-');
    if (command.get_option_no_throw(flag) != nullptr) continue;

    const std::vector<std::string> values = OptionValueNames(id);
    const std::string range = OptionRange(id);
    options.named.push_back({name, nullptr, ""});
    ConfigOptions::Named& named = options.named.back();
    const std::string initial = OptionDefault(id);
    named.option = command.add_option(
        flag, named.value,
        Purpose(name.c_str()) + " (" + (range.empty() ? "" : range + "; ") +
            (initial == "default" ? "default: the format's own"
                                  : "default " + initial) +
            ")");
    named.option->type_name(!values.empty() ? Joined(values, "|")
                            : BoundsOf(id).type == BNQ_OPTION_INT ? "N"
                                                                  : "X");
  }
}

Config MakeConfig(const ConfigOptions& options) {
  Config config = StartingConfig(options);
  for (const ConfigOptions::Named& named : options.named) {
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
