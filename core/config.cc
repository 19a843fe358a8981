#include "core/config.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/base/error.h"
#include "core/format.h"
#include "core/presets.h"

namespace bnq {
namespace {

const char* const kGranularities[] = {"tensor", "channel", "group",
                                      "token",  "block",   nullptr};
const char* const kSchemes[] = {"symmetric", "asymmetric", nullptr};
const char* const kNonFinites[] = {"error", "zero", "keep", nullptr};
const char* const kRoundings[] = {"half_even",  "half_away", "half_up",
                                  "floor",      "ceil",      "toward_zero",
                                  "stochastic", nullptr};
const char* const kScaleRules[] = {"default",    "absmax", "absmean",
                                   "percentile", "mse",    nullptr};
const char* const kSymmetricRanges[] = {"narrow", "full", "extreme", nullptr};
const char* const kScaleDTypes[] = {"f32", "f16", "bf16", nullptr};
const char* const kSwitch[] = {"off", "on", nullptr};
const char* const kPackings[] = {"default", "base3", nullptr};

const char kNoFormat[] = "none";

// 2^53: the largest range of integers that double holds exactly.
constexpr double kMaxInt = 9007199254740992.0;
constexpr double kMaxFloat = 3.4028234663852886e38;

constexpr OptionInfo kOptions[kNumOptions] = {
    {Option::kFormat, "format", false, 0, 65535, 1, nullptr, true},
    {Option::kGranularity, "granularity", false, 0, 4, 2, kGranularities, true},
    {Option::kGroupSize, "group_size", false, 1, kMaxInt, 128, nullptr, true},
    {Option::kAxis, "axis", false, -8, 7, 0, nullptr, true},
    {Option::kScheme, "scheme", false, 0, 1, 0, kSchemes, true},
    {Option::kClip, "clip", true, 0, kMaxFloat, 0, nullptr, false},
    {Option::kNonFinite, "non_finite", false, 0, 2, 0, kNonFinites, false},
    {Option::kRounding, "rounding", false, 0, 6, 0, kRoundings, false},
    {Option::kSeed, "seed", false, 0, kMaxInt, 0, nullptr, false},
    {Option::kScaleRule, "scale_rule", false, 0, 4, 0, kScaleRules, false},
    {Option::kPercentile, "percentile", true, 0, 100, 99.9, nullptr, false},
    {Option::kSymmetricRange, "symmetric_range", false, 0, 2, 0,
     kSymmetricRanges, true},
    {Option::kScaleDType, "scale_dtype", false, 0, 2, 0, kScaleDTypes, true},
    {Option::kDoubleQuant, "double_quant", false, 0, 1, 0, kSwitch, true},
    {Option::kPacking, "packing", false, 0, 1, 0, kPackings, true},
    {Option::kOutlierThreshold, "outlier_threshold", true, 0, kMaxFloat, 0,
     nullptr, true},
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
    if (value == 0) return kNoFormat;
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
  if (info.option == Option::kFormat && value != 0 &&
      FindFormat(static_cast<int32_t>(value)) == nullptr) {
    Fail(Code::kInvalidArgument,
         "format = %lld, must be 0 (none) or the id of one of: %s",
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
    if (value == kNoFormat) return SetInt(id, 0);
    if (const Format* format = FindFormat(value)) {
      return SetInt(id, format->id);
    }
  } else if (info->value_names != nullptr) {
    for (int64_t v = static_cast<int64_t>(info->min); info->value_names[v];
         ++v) {
      if (value == info->value_names[v]) return SetInt(id, v);
    }
  }
  // Unlike strtod, from_chars knows no locale.
  const char* const begin = value.data();
  const char* const end = begin + value.size();
  if (info->is_float) {
    double v = 0.0;
    const auto result = std::from_chars(begin, end, v);
    if (result.ec == std::errc() && result.ptr == end) return SetFloat(id, v);
  } else {
    int64_t v = 0;
    const auto result = std::from_chars(begin, end, v);
    if (result.ec == std::errc() && result.ptr == end) return SetInt(id, v);
  }
  const std::string accepted =
      info->option == Option::kFormat ? FormatNames() + ", none"
      : info->value_names != nullptr  ? ValueList(*info)
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

Variant Config::variant() const {
  Variant v;
  v.scheme = scheme();
  v.symmetric_range = symmetric_range();
  v.rounding = rounding();
  v.scale_rule = scale_rule();
  v.scale_dtype = scale_dtype();
  return v;
}

Config Config::OfTensor() const {
  Config config;
  for (int i = 0; i < kNumOptions; ++i) {
    if (kOptions[i].describes_tensor) config.values_[i] = values_[i];
  }
  return config;
}

bool Config::operator==(const Config& other) const {
  for (int i = 0; i < kNumOptions; ++i) {
    if (values_[i] != other.values_[i]) return false;
  }
  return true;
}

std::string Config::ToText() const {
  std::string text;
  for (int i = 0; i < kNumOptions; ++i) {
    const OptionInfo& info = kOptions[i];
    if (i != 0 && values_[i] == info.initial) continue;
    text += i == 0 ? "" : ",";
    text += info.name;
    text += '=';
    char number[32];
    const char* name =
        info.is_float ? nullptr
                      : OptionValueName(info, static_cast<int64_t>(values_[i]));
    if (name != nullptr) {
      text += name;
    } else {
      // The shortest text that reads back as the same number.
      const auto end =
          info.is_float
              ? std::to_chars(number, number + sizeof number, values_[i]).ptr
              : std::to_chars(number, number + sizeof number,
                              static_cast<int64_t>(values_[i]))
                    .ptr;
      text.append(number, end);
    }
  }
  return text;
}

Config Config::FromText(const std::string& text) {
  const auto trim = [](const std::string& s) {
    const char* const blank = " \t\r\n";
    const size_t begin = s.find_first_not_of(blank);
    if (begin == std::string::npos) return std::string();
    return s.substr(begin, s.find_last_not_of(blank) + 1 - begin);
  };
  Config config;
  for (size_t begin = 0, item_number = 0; begin <= text.size(); ++item_number) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string item = trim(text.substr(begin, end - begin));
    const size_t equals = item.find('=');
    if (equals != std::string::npos) {
      config.SetText(trim(item.substr(0, equals)),
                     trim(item.substr(equals + 1)));
    } else if (item_number != 0) {
      Fail(Code::kInvalidArgument,
           "item %s, must be option=value (only the first may be a preset)",
           Quoted(item).c_str());
    } else if (const Preset* preset = FindPreset(item)) {
      config = FromText(preset->text);
    } else {
      Fail(Code::kNotFound,
           "%s is neither option=value nor one of the presets: %s",
           Quoted(item).c_str(), PresetNames().c_str());
    }
    begin = end + 1;
  }
  return config;
}

}  // namespace bnq
