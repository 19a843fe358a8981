#include "core/scheme/config.h"

#include <algorithm>
#include <charconv>

#include "core/base/error.h"
#include "core/scheme/format.h"
#include "core/scheme/presets.h"
#include "core/scheme/registry.h"

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
const char* const kPackings[] = {"default", "base3", nullptr};

// The formats of the registry, and none.
const char* FormatOptionAt(int index, int64_t* value) {
  if (index < NumFormats()) {
    *value = FormatAt(index).id;
    return FormatAt(index).name;
  }
  *value = 0;
  return index == NumFormats() ? "none" : nullptr;
}
std::string FormatOptionAccepted() {
  return "0 (none) or the id of one of: " + FormatNames();
}
constexpr NamedValues kFormatValues = {FormatOptionAt, FormatOptionAccepted};

// 2^53: the largest range of integers that double holds exactly.
constexpr double kMaxInt = 9007199254740992.0;
constexpr double kMaxFloat = 3.4028234663852886e38;

constexpr OptionInfo kOptions[kNumOptions] = {
    {Option::kFormat, "format", false, 0, 65535, 1, nullptr, true,
     &kFormatValues},
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
    {Option::kDoubleQuant, "double_quant", false, 0, 1, 0, kOffOn, true},
    {Option::kPacking, "packing", false, 0, 1, 0, kPackings, true},
    {Option::kOutlierThreshold, "outlier_threshold", true, 0, kMaxFloat, 0,
     nullptr, true},
};

static_assert(AreNumbered(kOptions), "options");
constexpr OptionTable kTable("option", kOptions);

}  // namespace

const OptionTable& Config::Table() { return kTable; }

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
  for (const OptionInfo& info : kTable) {
    if (info.describes_tensor) config.values_[info.id - 1] = Number(info);
  }
  return config;
}

std::string Config::ToText() const {
  std::string text;
  for (const OptionInfo& info : kTable) {
    const double value = Number(info);
    const bool first = &info == kTable.begin();
    if (!first && value == info.initial) continue;
    text += first ? "" : ",";
    text += info.name;
    text += '=';
    const int64_t integer = info.is_float ? 0 : static_cast<int64_t>(value);
    if (const char* name = OptionValueName(info, integer)) {
      text += name;
      continue;
    }
    // The shortest text that reads back as the same number.
    char number[32];
    char* const end = number + sizeof number;
    text.append(number, info.is_float
                            ? std::to_chars(number, end, value).ptr
                            : std::to_chars(number, end, integer).ptr);
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
      Fail(Status::kInvalidArgument, "item ", Quoted(item),
           ", must be option=value (only the first may be a preset)");
    } else if (const Preset* preset = FindPreset(item)) {
      config = FromText(preset->text);
    } else {
      Fail(Status::kNotFound, Quoted(item),
           " is neither option=value nor one of the presets: ", PresetNames());
    }
    begin = end + 1;
  }
  return config;
}

}  // namespace bnq
