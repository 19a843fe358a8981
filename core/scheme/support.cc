#include "core/scheme/support.h"

#include "core/base/error.h"

namespace bnq {
namespace {

// Sets of values: bit v of an option with names, bit 0 of others for 0 and bit
// 1 for all else.
using Values = uint32_t;

template <class... T>
constexpr Values Of(T... values) {
  return (... | (Values{1} << static_cast<int>(values)));
}
template <class... T>
constexpr Values AllBut(T... values) {
  return ~Of(values...);
}
constexpr Values kOn = Of(1);
constexpr Values kAny = ~Values{0};

// What some values of an option ask for.
struct Rule {
  Option option;
  Values values;
  // Of the format: one of these traits, or none of those; 0 asks for nothing.
  uint32_t one_of, none_of;
  // Of another option. (Option::kFormat: nothing.)
  Option other;
  Values others;
  const char* why;
};

constexpr Rule Needs(Option option, Values values, uint32_t one_of,
                     const char* why) {
  return {option, values, one_of, 0, Option::kFormat, kAny, why};
}
constexpr Rule Excludes(Option option, Values values, uint32_t none_of,
                        const char* why) {
  return {option, values, 0, none_of, Option::kFormat, kAny, why};
}
constexpr Rule Takes(Option option, Values values, Option other, Values others,
                     const char* why) {
  return {option, values, 0, 0, other, others, why};
}

constexpr char kNoScales[] = "it has no scales";
constexpr char kNegativeScales[] =
    "scales are those of the greatest value with its sign, so they may be "
    "negative";
constexpr char kSymmetric[] = "it must be symmetric";

// The first that is broken is the one that an error tells: what the format
// cannot do at all stands before what other options stand against.
constexpr Rule kRules[] = {
    Needs(Option::kScheme, Of(Scheme::kAsymmetric), kAsymmetric, kSymmetric),
    Excludes(Option::kRounding,
             AllBut(Rounding::kHalfEven, Rounding::kHalfTowardZero),
             kSmallFloat, "it must be half_even or half_toward_zero"),
    Needs(Option::kRounding, AllBut(Rounding::kHalfEven),
          kInteger | kSmallFloat,
          "only integer formats round otherwise than to the nearest value "
          "(half_even)"),
    Needs(Option::kScaleRule, AllBut(ScaleRule::kDefault), kScaled, kNoScales),
    Excludes(Option::kScaleRule, Of(ScaleRule::kPercentile), kCodebook,
             kNegativeScales),
    Needs(Option::kScaleRule, Of(ScaleRule::kAbsMean), kInteger | kSigns,
          "it takes an integer format, or binary"),
    Takes(Option::kScaleRule, Of(ScaleRule::kAbsMean), Option::kScheme,
          Of(Scheme::kSymmetric), "it takes scheme = symmetric"),
    Needs(Option::kSymmetricRange, AllBut(SymmetricRange::kNarrow), kFullRanges,
          "it must be narrow"),
    Takes(Option::kSymmetricRange, AllBut(SymmetricRange::kNarrow),
          Option::kScheme, Of(Scheme::kSymmetric),
          "with another scheme than symmetric it must be narrow"),
    Takes(Option::kSymmetricRange, Of(SymmetricRange::kExtreme),
          Option::kScaleRule,
          AllBut(ScaleRule::kAbsMean, ScaleRule::kPercentile),
          "it takes the scale_rule default, absmax or mse"),
    Needs(Option::kScaleDType, AllBut(ScaleDType::kF32), kScaled, kNoScales),
    Excludes(Option::kScaleDType, Of(ScaleDType::kE8M0), kCodebook,
             kNegativeScales),
    Takes(Option::kScaleDType, Of(ScaleDType::kE8M0), Option::kSymmetricRange,
          AllBut(SymmetricRange::kExtreme),
          "with symmetric_range = extreme scales may be negative"),
    Needs(Option::kScheme, Of(Scheme::kOffset), kAsymmetric, kSymmetric),
    Takes(Option::kScheme, Of(Scheme::kOffset), Option::kScaleDType,
          AllBut(ScaleDType::kE8M0, ScaleDType::kE4M3),
          "offsets are stored as scales are, so it takes scale_dtype = f32, "
          "f16 or bf16, or double_quant"),
    Takes(Option::kScheme, Of(Scheme::kOffset), Option::kOutlierThreshold,
          Of(0),
          "with an outlier_threshold it must be symmetric or asymmetric"),
    Needs(Option::kSaturate, Of(0), kNonFiniteCodes,
          "it takes the format e4m3 or e5m2"),
    Needs(Option::kDoubleQuant, kOn, kScaled, kNoScales),
    Takes(Option::kDoubleQuant, kOn, Option::kScaleDType, Of(ScaleDType::kF32),
          "it takes scale_dtype = f32"),
    Needs(Option::kPacking, Of(PackingChoice::kBase3), kBase3Codes,
          "it takes the format ternary"),
    Needs(Option::kOutlierThreshold, kOn, kInteger,
          "it takes an integer format"),
    Takes(Option::kOutlierThreshold, kOn, Option::kGranularity,
          Of(Granularity::kToken), "it takes granularity = token"),
    Needs(Option::kNonFinite, Of(NonFinite::kKeep), kKeepsNonFinite,
          "its codes stand for finite values only"),
};

// Whether value is one of them.
bool IsOneOf(Values values, const OptionInfo& option, double value) {
  const bool named = option.values != nullptr;
  const int bit = named ? static_cast<int>(value) : value != 0.0;
  return (values >> bit & 1) != 0;
}

bool Suits(const Rule& rule, const Format& format) {
  return (rule.one_of == 0 || (format.traits & rule.one_of) != 0) &&
         (format.traits & rule.none_of) == 0;
}

[[noreturn]] void Refuse(const Rule& rule, const Format& format,
                         const OptionInfo& option, double value) {
  Fail(Status::kUnsupported, option.name, " = ", OptionText(option, value),
       " is not supported by format ", format.name, ": ", rule.why);
}

const OptionInfo& InfoOf(Option option) {
  return Config::Table().Known(static_cast<int32_t>(option));
}

}  // namespace

void CheckSupported(const Format& format, const Config& config) {
  for (const Rule& rule : kRules) {
    const OptionInfo& option = InfoOf(rule.option);
    const double value = config.Number(option);
    if (!IsOneOf(rule.values, option, value)) continue;
    const OptionInfo& other = InfoOf(rule.other);
    if (!Suits(rule, format) ||
        !IsOneOf(rule.others, other, config.Number(other))) {
      Refuse(rule, format, option, value);
    }
  }
}

void CheckSupported(const Format& format, const OptionInfo& option,
                    double value) {
  for (const Rule& rule : kRules) {
    if (static_cast<int32_t>(rule.option) == option.id &&
        IsOneOf(rule.values, option, value) && !Suits(rule, format)) {
      Refuse(rule, format, option, value);
    }
  }
}

}  // namespace bnq
