// Options of quantization: one table, from which the C ABI's keyed setters, the
// files, the command line and the bindings get their names and bounds.
#ifndef BNQ_CORE_CONFIG_H_
#define BNQ_CORE_CONFIG_H_

#include <cstdint>
#include <string>

namespace bnq {

// Ids are those of BNQ_OPT_* (capi/config.cc asserts it) and stand in files:
// append only.
enum class Option : int32_t {
  kFormat = 1,
  kGranularity,
  kGroupSize,
  kAxis,
  kScheme,
  kClip,
  kNonFinite,
  kRounding,
  kSeed,
  kScaleRule,
  kPercentile,
  kSymmetricRange,
  kScaleDType,
  kDoubleQuant,
  kPacking,
  kOutlierThreshold,
};

enum class Granularity : int32_t { kTensor, kChannel, kGroup, kToken, kBlock };
enum class Scheme : int32_t { kSymmetric, kAsymmetric };
enum class NonFinite : int32_t { kError, kZero, kKeep };
enum class Rounding : int32_t {
  kHalfEven,
  kHalfAway,
  kHalfUp,
  kFloor,
  kCeil,
  kTowardZero,
  kStochastic
};
enum class ScaleRule : int32_t {
  kDefault,
  kAbsMax,
  kAbsMean,
  kPercentile,
  kMse
};
enum class SymmetricRange : int32_t { kNarrow, kFull, kExtreme };
enum class ScaleDType : int32_t { kF32, kF16, kBF16 };
enum class PackingChoice : int32_t { kDefault, kBase3 };

// What of a config decides an element's code, besides its format.
struct Variant {
  Scheme scheme = Scheme::kSymmetric;
  SymmetricRange symmetric_range = SymmetricRange::kNarrow;
  Rounding rounding = Rounding::kHalfEven;
  ScaleRule scale_rule = ScaleRule::kDefault;
  ScaleDType scale_dtype = ScaleDType::kF32;
};

struct OptionInfo {
  Option option;
  const char* name;
  bool is_float;
  double min, max, initial;  // inclusive; integers are exact in double
  // Names of the values min, min + 1, ..., or nullptr for plain numbers. The
  // values of Option::kFormat are named by the registry.
  const char* const* value_names;
  // Part of what a tensor is, so kept in files; the others only say how to
  // make one.
  bool describes_tensor;
};

constexpr int kNumOptions = 16;
const OptionInfo& OptionAt(int index);
const OptionInfo* FindOption(int32_t id);  // nullptr: unknown
const OptionInfo* FindOption(const std::string& name);
// nullptr where the value has no name.
const char* OptionValueName(const OptionInfo& info, int64_t value);

class Config {
 public:
  Config();

  // UNSUPPORTED for an unknown option or the other type, INVALID_ARGUMENT for
  // a value out of bounds.
  void SetInt(int32_t option, int64_t value);
  void SetFloat(int32_t option, double value);
  // By name; the value's name or number.
  void SetText(const std::string& option, const std::string& value);
  // As bnq_config_to_text and bnq_config_from_text.
  std::string ToText() const;
  static Config FromText(const std::string& text);
  // With the options at their defaults that do not describe a tensor.
  Config OfTensor() const;
  bool operator==(const Config& other) const;
  int64_t GetInt(int32_t option) const;
  double GetFloat(int32_t option) const;

  int32_t format() const { return static_cast<int32_t>(At(Option::kFormat)); }
  Granularity granularity() const {
    return static_cast<Granularity>(At(Option::kGranularity));
  }
  uint64_t group_size() const {
    return static_cast<uint64_t>(At(Option::kGroupSize));
  }
  int axis() const { return static_cast<int>(At(Option::kAxis)); }
  Scheme scheme() const { return static_cast<Scheme>(At(Option::kScheme)); }
  float clip() const { return static_cast<float>(At(Option::kClip)); }
  NonFinite non_finite() const {
    return static_cast<NonFinite>(At(Option::kNonFinite));
  }
  Variant variant() const;
  Rounding rounding() const {
    return static_cast<Rounding>(At(Option::kRounding));
  }
  uint64_t seed() const { return static_cast<uint64_t>(At(Option::kSeed)); }
  ScaleRule scale_rule() const {
    return static_cast<ScaleRule>(At(Option::kScaleRule));
  }
  double percentile() const { return At(Option::kPercentile); }
  SymmetricRange symmetric_range() const {
    return static_cast<SymmetricRange>(At(Option::kSymmetricRange));
  }
  ScaleDType scale_dtype() const {
    return static_cast<ScaleDType>(At(Option::kScaleDType));
  }
  bool double_quant() const { return At(Option::kDoubleQuant) != 0; }
  PackingChoice packing() const {
    return static_cast<PackingChoice>(At(Option::kPacking));
  }
  float outlier_threshold() const {
    return static_cast<float>(At(Option::kOutlierThreshold));
  }

 private:
  double At(Option option) const {
    return values_[static_cast<int>(option) - 1];
  }
  double values_[kNumOptions];
};

}  // namespace bnq

#endif  // BNQ_CORE_CONFIG_H_
