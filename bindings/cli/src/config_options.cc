#include "config_options.h"

#include <algorithm>
#include <cstring>

#include "failure.h"
#include "text.h"

namespace bnq::cli {
namespace {

struct Bounds {
  int32_t type = BNQ_OPTION_INT;
  double min = 0, max = 0, preset = 0;
};

Bounds BoundsOf(int32_t option) {
  Bounds b;
  Check(bnq_option_bounds(option, &b.type, &b.min, &b.max, &b.preset));
  return b;
}

std::string NumberText(const Bounds& bounds, double value) {
  return bounds.type == BNQ_OPTION_INT ? FixedText(value, 0)
                                       : GeneralText(value, 9);
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
      {"group_size", "Columns of a group"},
      {"axis", "Dimension of the channels, negative from the end"},
      {"scheme", "Range around zero, or that of the values"},
      {"clip", "Values beyond +-X count as +-X; 0 for none"},
      {"non_finite", "NaN and infinity: refuse, or count as 0"},
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

}  // namespace

std::vector<std::string> OptionValueNames(int32_t option) {
  std::vector<std::string> names;
  if (option == BNQ_OPT_FORMAT) {
    for (uint32_t i = 0; i < bnq_format_count(); ++i) {
      int32_t format = 0;
      Check(bnq_format_at(i, &format));
      names.emplace_back(bnq_format_name(format));
    }
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
          ? bnq_option_value_name(option, static_cast<int64_t>(bounds.preset))
          : nullptr;
  return name != nullptr ? name : NumberText(bounds, bounds.preset);
}

std::string OptionRange(int32_t option) {
  if (!OptionValueNames(option).empty()) return "";
  const Bounds bounds = BoundsOf(option);
  return NumberText(bounds, bounds.min) + " to " +
         NumberText(bounds, bounds.max);
}

void AddConfigOptions(CLI::App& command, ConfigOptions& options) {
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
    named.option = command.add_option(flag, named.value,
                                      Purpose(name.c_str()) + " (" +
                                          (range.empty() ? "" : range + "; ") +
                                          "default " + OptionDefault(id) + ")");
    named.option->type_name(!values.empty() ? Joined(values, "|")
                            : BoundsOf(id).type == BNQ_OPTION_INT ? "N"
                                                                  : "X");
  }
}

Config MakeConfig(const ConfigOptions& options) {
  bnq_config* created = nullptr;
  Check(bnq_config_create(&created));
  Config config(created);
  for (const ConfigOptions::Named& named : options.named) {
    if (named.option->count() == 0) continue;
    CheckUsage(
        bnq_config_set_text(created, named.name.c_str(), named.value.c_str()),
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
    CheckUsage(bnq_config_set_text(created, name.c_str(), value.c_str()),
               "--option " + name);
  }

  // Options that contradict each other are wrong usage, whatever the input is.
  // A tensor of the highest rank accepts every axis that some tensor accepts.
  uint64_t shape[BNQ_MAX_RANK];
  std::fill(std::begin(shape), std::end(shape), uint64_t{1});
  CheckUsage(bnq_quantized_sizes(created, BNQ_MAX_RANK, shape, nullptr, nullptr,
                                 nullptr),
             "options");
  return config;
}

}  // namespace bnq::cli
