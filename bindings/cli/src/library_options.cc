#include "library_options.h"

#include <bnq/bnq.h>

#include <algorithm>
#include <limits>

#include "failure.h"
#include "text.h"

namespace bnq::cli {
namespace {

std::string NumberText(const LibraryOption& option, double value) {
  return option.integer ? FixedText(value, 0) : GeneralText(value, 9);
}

// Where bounds are only those of the type, digits say nothing to people.
std::string RangeText(const LibraryOption& option) {
  constexpr double kExactIntegers = 9007199254740992.0;  // 2^53
  const std::string min = NumberText(option, option.min);
  constexpr float kMost = std::numeric_limits<float>::max();
  if (option.max >= kMost) {
    return option.min <= -kMost ? "any number" : min + " or more";
  }
  return min + " to " +
         (option.max == kExactIntegers ? "2^53"
                                       : NumberText(option, option.max));
}

// No option has hundreds of named values, but some have billions of numbers.
void ReadValues(int32_t kind, double initial, LibraryOption* option) {
  if (!option->integer) return;
  const double last = std::min(option->max, option->min + 255);
  const int32_t id = option->id;
  for (double value = option->min; value <= last; value += 1) {
    const int64_t number = static_cast<int64_t>(value);
    const char* name = bnq_option_value_name(kind, id, number);
    if (name == nullptr) continue;
    option->values.emplace_back(name);
    option->meanings.emplace_back(
        bnq_option_value_description(kind, id, number));
    if (value == initial) option->initial = name;
  }
}

// In the order of the registry; what is no format is named last.
void ListFormats(LibraryOption* option) {
  option->values.clear();
  option->meanings.clear();
  for (uint32_t i = 0; i <= bnq_format_count(); ++i) {
    int32_t format = BNQ_FORMAT_NONE;
    if (i < bnq_format_count()) Check(bnq_format_at(i, &format));
    option->values.emplace_back(bnq_format_name(format));
    option->meanings.emplace_back(
        bnq_option_value_description(BNQ_OPTIONS_CONFIG, option->id, format));
  }
}

}  // namespace

std::vector<LibraryOption> LibraryOptions(int32_t kind) {
  std::vector<LibraryOption> options(bnq_option_count(kind));
  for (uint32_t i = 0; i < options.size(); ++i) {
    LibraryOption& option = options[i];
    Check(bnq_option_at(kind, i, &option.id));
    option.name = bnq_option_name(kind, option.id);
    option.description = bnq_option_description(kind, option.id);
    int32_t type = BNQ_OPTION_INT;
    double initial = 0;
    Check(bnq_option_bounds(kind, option.id, &type, &option.min, &option.max,
                            &initial));
    option.integer = type == BNQ_OPTION_INT;
    option.initial = NumberText(option, initial);
    option.another = NumberText(
        option, initial + 1 <= option.max ? initial + 1 : initial - 1);
    ReadValues(kind, initial, &option);
    if (option.values.empty()) option.range = RangeText(option);
    if (kind == BNQ_OPTIONS_CONFIG && option.id == BNQ_OPT_FORMAT) {
      ListFormats(&option);
    }
  }
  return options;
}

std::string OptionText(const bnq_options* options, const std::string& name) {
  uint64_t size = 0;
  Check(bnq_options_get_text(options, name.c_str(), nullptr, 0, &size));
  std::string text(size, '\0');
  Check(
      bnq_options_get_text(options, name.c_str(), text.data(), size, nullptr));
  text.pop_back();  // the NUL
  return text;
}

void AddNamedOptions(
    CLI::App& command, const std::vector<LibraryOption>& options,
    const std::function<std::string(const LibraryOption&)>& initial,
    NamedOptions& named) {
  for (const LibraryOption& option : options) {
    std::string flag = "--" + option.name;
    std::replace(flag.begin(), flag.end(), '_', '-');
    if (command.get_option_no_throw(flag) != nullptr) continue;
    named.push_back({option.name, nullptr, ""});
    NamedOption& added = named.back();
    // Names of values stand beside the flag.
    const std::string range = option.range.empty() ? "" : option.range + "; ";
    added.option = command.add_option(
        flag, added.value,
        option.description + " (" + range + "default" + initial(option) + ")");
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
