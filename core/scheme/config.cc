#include "core/scheme/config.h"

#include <algorithm>
#include <charconv>

#include "core/base/error.h"
#include "core/base/names.h"
#include "core/scheme/format.h"
#include "core/scheme/presets.h"
#include "core/scheme/registry.h"

namespace bnq {
namespace {

constexpr NamedValue kGranularities[] = {
    {"tensor", "all elements"},
    {"channel", "those of one index of the dimension axis"},
    {"group", "group_size columns of a row"},
    {"token", "the last dimension: one token of activations"},
    {"block", "group_size elements of the flattened array, as bitsandbytes"},
    {"tile", "group_size x group_size of the last two dimensions"}};
constexpr NamedValue kSchemes[] = {
    {"symmetric", "value = code * scale"},
    {"asymmetric", "value = (code - zero point) * scale"},
    {"offset", "value = code * scale + offset, codes from 0 on"}};
constexpr NamedValue kNonFinites[] = {
    {"error", "refused, naming the first index"},
    {"zero", "count as 0"},
    {"keep", "kept, in f16 and bf16"}};
constexpr NamedValue kRoundings[] = {
    {"half_even", "to nearest, halves to even"},
    {"half_away", "to nearest, halves away from zero"},
    {"half_up", "to nearest, halves up"},
    {"floor", "down"},
    {"ceil", "up"},
    {"toward_zero", "toward zero"},
    {"stochastic", "up with the probability of the fraction"},
    {"half_toward_zero",
     "to nearest, halves toward zero; of small floats, too: ggml's MXFP4"}};
constexpr NamedValue kScaleRules[] = {
    {"default", "absmean for ternary, absmax for others"},
    {"absmax", "the greatest absolute value; asymmetric: least and greatest"},
    {"absmean", "the mean of the absolute values"},
    {"percentile", "the option percentile of the absolute values"},
    {"mse", "a search for the least squared error"}};
constexpr NamedValue kSymmetricRanges[] = {
    {"narrow", "-q..q, nothing is clipped"},
    {"full", "-q-1..q over absmax, as PyTorch"},
    {"extreme", "-q-1..q, the greatest value at -q-1, as ggml"}};
constexpr NamedValue kScaleDTypes[] = {
    {"f32", "float32"},
    {"f16", "float16"},
    {"bf16", "bfloat16"},
    {"e8m0", "a power of two (OCP MX), 8 bits"},
    {"e4m3", "OCP FP8, under a float32 scale for the tensor"}};
constexpr NamedValue kPackings[] = {
    {"default", "the format's own"},
    {"base3", "five ternary codes to a byte: 1.6 bits"}};

// The formats of the registry, and none.
NamedValue FormatOptionAt(int index, int64_t* value) {
  if (index < NumFormats()) {
    const Format& format = FormatAt(index);
    *value = format.id;
    return {format.name, format.description};
  }
  *value = 0;
  if (index > NumFormats()) return {nullptr, nullptr};
  return {"none", "not quantized: carried through as it is"};
}
std::string FormatOptionAccepted() {
  return "0 (none) or the id of one of: " + FormatNames();
}
constexpr NamedValues kFormatValues = {FormatOptionAt, FormatOptionAccepted};

constexpr OptionInfo kOptions[kNumOptions] = {
    Choice(Option::kFormat, "format", kFormatValues, 65535, 1,
           "What tensors are quantized into")
        .OfTensor(),
    Choice(Option::kGranularity, "granularity", kGranularities,
           Granularity::kGroup, "Which elements share a scale")
        .OfTensor(),
    Integer(
        Option::kGroupSize, "group_size", 1, kMaxInt, 128,
        "Columns of a group, elements of a block, rows and columns of a tile")
        .OfTensor(),
    Integer(Option::kAxis, "axis", -8, 7, 0,
            "Dimension of the channels, negative from the end")
        .OfTensor(),
    Choice(Option::kScheme, "scheme", kSchemes, Scheme::kSymmetric,
           "What a code of 0 stands for")
        .OfTensor(),
    Real(Option::kClip, "clip", 0, kMaxFloat, 0,
         "Values beyond +-clip count as +-clip; 0 for none"),
    Choice(Option::kNonFinite, "non_finite", kNonFinites, NonFinite::kError,
           "What is done with NaN and infinity"),
    Choice(Option::kRounding, "rounding", kRoundings, Rounding::kHalfEven,
           "How values of integer formats round"),
    Integer(Option::kSeed, "seed", 0, kMaxInt, 0,
            "Seed of stochastic rounding"),
    Choice(Option::kScaleRule, "scale_rule", kScaleRules, ScaleRule::kDefault,
           "What a scale is made from"),
    Real(Option::kPercentile, "percentile", 0, 100, 99.9,
         "Percent of the absolute values that the scale rule percentile does "
         "not cut off")
        .Percent(),
    Choice(Option::kSymmetricRange, "symmetric_range", kSymmetricRanges,
           SymmetricRange::kNarrow, "Codes of symmetric int8 and int4")
        .OfTensor(),
    Choice(Option::kScaleDType, "scale_dtype", kScaleDTypes, ScaleDType::kF32,
           "How scales are stored")
        .OfTensor(),
    OnOff(Option::kDoubleQuant, "double_quant", false,
          "Whether scales are stored in 8 bits, with scales of their own")
        .OfTensor(),
    Choice(Option::kPacking, "packing", kPackings, PackingChoice::kDefault,
           "How codes become bytes")
        .OfTensor(),
    Real(Option::kOutlierThreshold, "outlier_threshold", 0, kMaxFloat, 0,
         "Columns with an absolute value of this or more are kept in 16 bits "
         "(integer formats with granularity token); 0 for none")
        .OfTensor(),
    OnOff(Option::kSaturate, "saturate", true,
          "Whether e4m3 and e5m2 take what is beyond their greatest value for "
          "it, instead of for NaN or infinity"),
};

static_assert(AreNumbered(kOptions), "options");
constexpr OptionTable kTable("config", kOptions);

}  // namespace

const OptionTable& Config::Table() { return kTable; }

Variant Config::variant() const {
  Variant v;
  v.scheme = scheme();
  v.symmetric_range = symmetric_range();
  v.rounding = rounding();
  v.scale_rule = scale_rule();
  v.scale_dtype = scale_dtype();
  v.saturate = As<bool>(Option::kSaturate);
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
    text += '=' + OptionText(info, value);
  }
  return text;
}

namespace {

// For what is neither a preset nor a format.
[[noreturn]] void FailUnknown(const std::string& item) {
  Nearest nearest(item);
  for (int i = 0; i < NumPresets(); ++i) nearest.Consider(PresetAt(i).name);
  int64_t value = 0;
  for (int i = 0; const char* known = FormatOptionAt(i, &value).name; ++i) {
    nearest.Consider(known);
  }
  Fail(Status::kNotFound, Quoted(item),
       " is neither one of the presets: ", PresetNames(),
       "; nor of the formats: ", FormatNames(), ", none", nearest.Question());
}

// -1: there is none of that name.
int64_t FormatOfName(const std::string& name) {
  int64_t format = 0;
  for (int i = 0; const char* known = FormatOptionAt(i, &format).name; ++i) {
    if (IsName(name, known)) return format;
  }
  return -1;
}

// "bits=1.58": no option, but the config that is usual for them.
bool IsBits(const std::string& item, size_t equals) {
  return equals != std::string::npos &&
         item.compare(0, item.find_last_not_of(" \t", equals - 1) + 1,
                      "bits") == 0;
}

double BitsOf(const std::string& text) {
  double bits = 0.0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, bits);
  if (error == std::errc() && stop == end) return bits;
  Fail(Status::kInvalidArgument, "bits = ", Quoted(text), ", must be a number");
}

}  // namespace

bool Config::HasPreset(const std::string& name) {
  return FindPreset(name) != nullptr || FormatOfName(name) >= 0;
}

Config Config::FromPreset(const std::string& name) {
  if (const Preset* preset = FindPreset(name)) return FromText(preset->text);
  const int64_t format = FormatOfName(name);
  if (format < 0) FailUnknown(name);
  Config config;
  config.SetInt(static_cast<int32_t>(Option::kFormat), format);
  return config;
}

Config Config::FromBits(double bits) {
  std::string all;
  for (const PresetOfBits& row : kPresetsOfBits) {
    if (row.bits == bits) return FromPreset(row.preset);
    all += Message(all.empty() ? "" : ", ", row.bits);
  }
  Fail(Status::kInvalidArgument, "bits = ", bits, ", must be one of: ", all);
}

Config Config::FromText(const std::string& text, const ConfigNames& names) {
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
    if (item_number == 0 && IsBits(item, equals)) {
      config = FromBits(BitsOf(trim(item.substr(equals + 1))));
    } else if (equals != std::string::npos) {
      config.SetText(trim(item.substr(0, equals)),
                     trim(item.substr(equals + 1)));
    } else if (item_number != 0) {
      Fail(Status::kInvalidArgument, "item ", Quoted(item),
           ", must be option=value (only the first may be a preset)");
    } else {
      const Config* const named = names ? names(item) : nullptr;
      config = named ? *named : FromPreset(item);
    }
    begin = end + 1;
  }
  return config;
}

}  // namespace bnq
