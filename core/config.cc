#include "core/config.h"

#include <cerrno>
#include <cmath>
#include <cstdlib>

#include "core/base/error.h"
#include "core/format.h"

namespace bnq {
namespace {

const char* const kGranularities[] = {"tensor", "channel", "group", nullptr};
const char* const kSchemes[] = {"symmetric", "asymmetric", nullptr};
const char* const kNonFinites[] = {"error", "zero", nullptr};

// 2^53: the largest range of integers that double holds exactly.
constexpr double kMaxInt = 9007199254740992.0;
constexpr double kMaxFloat = 3.4028234663852886e38;

constexpr OptionInfo kOptions[kNumOptions] = {
    {Option::kFormat, "format", false, 1, 65535, 1, nullptr, true},
    {Option::kGranularity, "granularity", false, 0, 2, 2, kGranularities, true},
    {Option::kGroupSize, "group_size", false, 1, kMaxInt, 128, nullptr, true},
    {Option::kAxis, "axis", false, -8, 7, 0, nullptr, true},
    {Option::kScheme, "scheme", false, 0, 1, 0, kSchemes, true},
    {Option::kClip, "clip", true, 0, kMaxFloat, 0, nullptr, true},
    {Option::kNonFinite, "non_finite", false, 0, 1, 0, kNonFinites, false},
};

const OptionInfo& Known(int32_t id, bool is_float) {
  const OptionInfo* info = FindOption(id);
  if (info == nullptr) {
    Fail(Code::kUnsupported, "option %d is not known to this library", id);
  }
  if (info->is_float != is_float) {
    Fail(Code::kUnsupported, "option %s is %s, not %s", info->name,
         info->is_float ? "a float" : "an integer",
         is_float ? "a float" : "an integer");
  }
  return *info;
}

std::string ValueList(const OptionInfo& info) {
  std::string list;
  for (const char* const* name = info.value_names; *name; ++name) {
    list += list.empty() ? "" : ", ";
    list += *name;
  }
  return list;
}

}  // namespace

const OptionInfo& OptionAt(int index) { return kOptions[index]; }

const OptionInfo* FindOption(int32_t id) {
  for (const OptionInfo& info : kOptions) {
    if (static_cast<int32_t>(info.option) == id) return &info;
  }
  return nullptr;
}

const OptionInfo* FindOption(const std::string& name) {
  for (const OptionInfo& info : kOptions) {
    if (name == info.name) return &info;
  }
  return nullptr;
}

const char* OptionValueName(const OptionInfo& info, int64_t value) {
  if (info.option == Option::kFormat) {
    const Format* format = FindFormat(
        value > 0 && value <= INT32_MAX ? static_cast<int32_t>(value) : -1);
    return format ? format->name : nullptr;
  }
  if (info.value_names == nullptr || value < info.min || value > info.max) {
    return nullptr;
  }
  return info.value_names[value - static_cast<int64_t>(info.min)];
}

Config::Config() {
  for (int i = 0; i < kNumOptions; ++i) values_[i] = kOptions[i].initial;
}

void Config::SetInt(int32_t option, int64_t value) {
  const OptionInfo& info = Known(option, false);
  // Bounds of integers are exact in double; the value may not be.
  if (value < static_cast<int64_t>(info.min) ||
      value > static_cast<int64_t>(info.max)) {
    Fail(Code::kInvalidArgument, "%s = %lld, must be %.0f to %.0f", info.name,
         static_cast<long long>(value), info.min, info.max);
  }
  if (info.option == Option::kFormat &&
      FindFormat(static_cast<int32_t>(value)) == nullptr) {
    Fail(Code::kInvalidArgument, "format = %lld, must be the id of one of: %s",
         static_cast<long long>(value), FormatNames().c_str());
  }
  values_[option - 1] = static_cast<double>(value);
}

void Config::SetFloat(int32_t option, double value) {
  const OptionInfo& info = Known(option, true);
  if (!(value >= info.min && value <= info.max)) {
    Fail(Code::kInvalidArgument, "%s = %g, must be %g to %g", info.name, value,
         info.min, info.max);
  }
  values_[option - 1] = value;
}

void Config::SetText(const std::string& option, const std::string& value) {
  const OptionInfo* info = FindOption(option);
  if (info == nullptr) {
    std::string names;
    for (const OptionInfo& o : kOptions) {
      names += names.empty() ? "" : ", ";
      names += o.name;
    }
    Fail(Code::kNotFound, "option %s is not one of: %s", Quoted(option).c_str(),
         names.c_str());
  }
  const int32_t id = static_cast<int32_t>(info->option);
  if (info->option == Option::kFormat) {
    if (const Format* format = FindFormat(value)) {
      return SetInt(id, format->id);
    }
  } else if (info->value_names != nullptr) {
    for (int64_t v = static_cast<int64_t>(info->min); info->value_names[v];
         ++v) {
      if (value == info->value_names[v]) return SetInt(id, v);
    }
  }
  errno = 0;
  char* end = nullptr;
  if (info->is_float) {
    const double v = std::strtod(value.c_str(), &end);
    if (!value.empty() && *end == '\0') return SetFloat(id, v);
  } else {
    const long long v = std::strtoll(value.c_str(), &end, 10);
    if (!value.empty() && *end == '\0' && errno == 0) return SetInt(id, v);
  }
  const std::string accepted = info->option == Option::kFormat ? FormatNames()
                               : info->value_names != nullptr
                                   ? ValueList(*info)
                                   : std::string("a number");
  Fail(Code::kInvalidArgument, "%s = %s, must be %s%s", info->name,
       Quoted(value).c_str(),
       info->value_names || info->option == Option::kFormat ? "one of: " : "",
       accepted.c_str());
}

int64_t Config::GetInt(int32_t option) const {
  return static_cast<int64_t>(At(Known(option, false).option));
}

double Config::GetFloat(int32_t option) const {
  return At(Known(option, true).option);
}

}  // namespace bnq
