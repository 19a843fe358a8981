// Options of quantization (core/base/options.h), and their text.
#ifndef BNQ_CORE_SCHEME_CONFIG_H_
#define BNQ_CORE_SCHEME_CONFIG_H_

#include <cstdint>
#include <functional>
#include <string>

#include "core/base/options.h"

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
  kSaturate,
};

enum class Granularity : int32_t {
  kTensor,
  kChannel,
  kGroup,
  kToken,
  kBlock,
  kTile
};
enum class Scheme : int32_t { kSymmetric, kAsymmetric, kOffset };
enum class NonFinite : int32_t { kError, kZero, kKeep };
enum class Rounding : int32_t {
  kHalfEven,
  kHalfAway,
  kHalfUp,
  kFloor,
  kCeil,
  kTowardZero,
  kStochastic,
  kHalfTowardZero
};
enum class ScaleRule : int32_t {
  kDefault,
  kAbsMax,
  kAbsMean,
  kPercentile,
  kMse
};
enum class SymmetricRange : int32_t { kNarrow, kFull, kExtreme };
enum class ScaleDType : int32_t { kF32, kF16, kBF16, kE8M0, kE4M3 };
enum class PackingChoice : int32_t { kDefault, kBase3 };

// What of a config decides an element's code, besides its format.
struct Variant {
  Scheme scheme = Scheme::kSymmetric;
  SymmetricRange symmetric_range = SymmetricRange::kNarrow;
  Rounding rounding = Rounding::kHalfEven;
  ScaleRule scale_rule = ScaleRule::kDefault;
  ScaleDType scale_dtype = ScaleDType::kF32;
  bool saturate = true;
};

constexpr int kNumOptions = 17;

class Config;
// The config that somebody has given this name; nullptr where there is none.
using ConfigNames = std::function<const Config*(const std::string& name)>;

class Config : public OptionValues<Config, Option, kNumOptions> {
 public:
  static const OptionTable& Table();

  // As bnq_config_to_text and bnq_config_from_text.
  std::string ToText() const;
  static Config FromText(const std::string& text,
                         const ConfigNames& names = nullptr);
  // As bnq_config_from_preset.
  static Config FromPreset(const std::string& name);
  // The config that is usual for codes of so many bits (presets.cc): 1, 1.58,
  // 2, 3, 4, 5, 6, 8, 16, and 32, which is none. INVALID_ARGUMENT for others.
  static Config FromBits(double bits);
  // Whether FromPreset takes it.
  static bool HasPreset(const std::string& name);
  // With the options at their defaults that do not describe a tensor.
  Config OfTensor() const;

  int32_t format() const { return As<int32_t>(Option::kFormat); }
  Granularity granularity() const {
    return As<Granularity>(Option::kGranularity);
  }
  uint64_t group_size() const { return As<uint64_t>(Option::kGroupSize); }
  int axis() const { return As<int>(Option::kAxis); }
  Scheme scheme() const { return As<Scheme>(Option::kScheme); }
  float clip() const { return As<float>(Option::kClip); }
  NonFinite non_finite() const { return As<NonFinite>(Option::kNonFinite); }
  Variant variant() const;
  Rounding rounding() const { return As<Rounding>(Option::kRounding); }
  uint64_t seed() const { return As<uint64_t>(Option::kSeed); }
  ScaleRule scale_rule() const { return As<ScaleRule>(Option::kScaleRule); }
  double percentile() const { return Number(Option::kPercentile); }
  SymmetricRange symmetric_range() const {
    return As<SymmetricRange>(Option::kSymmetricRange);
  }
  ScaleDType scale_dtype() const { return As<ScaleDType>(Option::kScaleDType); }
  bool double_quant() const { return As<bool>(Option::kDoubleQuant); }
  // Scales are stored all together, after the last one has been found.
  bool stores_together() const {
    return double_quant() || scale_dtype() == ScaleDType::kE4M3;
  }
  PackingChoice packing() const { return As<PackingChoice>(Option::kPacking); }
  float outlier_threshold() const {
    return As<float>(Option::kOutlierThreshold);
  }
};

}  // namespace bnq

#endif  // BNQ_CORE_SCHEME_CONFIG_H_
