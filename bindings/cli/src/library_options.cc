#include "library_options.h"

#include <bnq/bnq.h>

#include <algorithm>
#include <limits>

#include "failure.h"
#include "text.h"

namespace bnq::cli {
namespace {

// Options of one kind of handle.
struct Registry {
  uint32_t (*count)();
  bnq_status (*at)(uint32_t, int32_t*);
  const char* (*name)(int32_t);
  bnq_status (*bounds)(int32_t, int32_t*, double*, double*, double*);
  const char* (*value_name)(int32_t, int64_t);
};

std::string NumberText(const LibraryOption& option, double value) {
  return option.integer ? FixedText(value, 0) : GeneralText(value, 9);
}

// Where bounds are only those of the type, digits say nothing to people.
std::string RangeText(const LibraryOption& option) {
  constexpr double kExactIntegers = 9007199254740992.0;  // 2^53
  const std::string min = NumberText(option, option.min);
  if (option.max >= std::numeric_limits<float>::max()) return min + " or more";
  return min + " to " +
         (option.max == kExactIntegers ? "2^53"
                                       : NumberText(option, option.max));
}

std::vector<LibraryOption> OptionsOf(const Registry& registry) {
  std::vector<LibraryOption> options(registry.count());
  for (uint32_t i = 0; i < options.size(); ++i) {
    LibraryOption& option = options[i];
    Check(registry.at(i, &option.id));
    option.name = registry.name(option.id);
    int32_t type = BNQ_OPTION_INT;
    double initial = 0;
    Check(
        registry.bounds(option.id, &type, &option.min, &option.max, &initial));
    option.integer = type == BNQ_OPTION_INT;
    option.initial = NumberText(option, initial);
    // No option has hundreds of named values, but some have billions of
    // numbers.
    const double last = option.integer ? std::min(option.max, option.min + 255)
                                       : option.min - 1;
    for (double value = option.min; value <= last; value += 1) {
      const char* name =
          registry.value_name(option.id, static_cast<int64_t>(value));
      if (name == nullptr) continue;
      option.values.emplace_back(name);
      if (value == initial) option.initial = name;
    }
    if (option.values.empty()) option.range = RangeText(option);
  }
  return options;
}

}  // namespace

std::vector<LibraryOption> QuantizationOptions() {
  std::vector<LibraryOption> options =
      OptionsOf({bnq_option_count, bnq_option_at, bnq_option_name,
                 bnq_option_bounds, bnq_option_value_name});
  for (LibraryOption& option : options) {
    if (option.id != BNQ_OPT_FORMAT) continue;
    // What is no format is named last.
    std::vector<std::string>& names = option.values;
    std::stable_partition(names.begin(), names.end(),
                          [](const std::string& name) {
                            return name != bnq_format_name(BNQ_FORMAT_NONE);
                          });
  }
  return options;
}

std::vector<LibraryOption> CalibrationOptions() {
  return OptionsOf({bnq_calibration_option_count, bnq_calibration_option_at,
                    bnq_calibration_option_name, bnq_calibration_option_bounds,
                    bnq_calibration_option_value_name});
}

void AddNamedOptions(
    CLI::App& command, const std::vector<LibraryOption>& options,
    const std::function<std::string(const LibraryOption&)>& help,
    NamedOptions& named) {
  for (const LibraryOption& option : options) {
    std::string flag = "--" + option.name;
    std::replace(flag.begin(), flag.end(), '_', '-');
    if (command.get_option_no_throw(flag) != nullptr) continue;
    named.push_back({option.name, nullptr, ""});
    NamedOption& added = named.back();
    added.option = command.add_option(flag, added.value, help(option));
    added.option->type_name(!option.values.empty() ? Joined(option.values, "|")
                            : option.integer       ? "N"
                                                   : "X");
  }
}

std::string Joined(const std::vector<std::string>& words, const char* between) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += between;
    out += word;
  }
  return out;
}

}  // namespace bnq::cli
