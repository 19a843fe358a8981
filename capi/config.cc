#include "core/scheme/config.h"

#include "capi/guard.h"
#include "core/scheme/presets.h"
#include "core/scheme/support.h"

using namespace bnq;
using namespace bnq::capi;

namespace {

#define BNQ_SAME(option, id) \
  static_assert(static_cast<int>(Option::option) == BNQ_OPT_##id, #id)
BNQ_SAME(kFormat, FORMAT);
BNQ_SAME(kGranularity, GRANULARITY);
BNQ_SAME(kGroupSize, GROUP_SIZE);
BNQ_SAME(kAxis, AXIS);
BNQ_SAME(kScheme, SCHEME);
BNQ_SAME(kClip, CLIP);
BNQ_SAME(kNonFinite, NON_FINITE);
BNQ_SAME(kRounding, ROUNDING);
BNQ_SAME(kSeed, SEED);
BNQ_SAME(kScaleRule, SCALE_RULE);
BNQ_SAME(kPercentile, PERCENTILE);
BNQ_SAME(kSymmetricRange, SYMMETRIC_RANGE);
BNQ_SAME(kScaleDType, SCALE_DTYPE);
BNQ_SAME(kDoubleQuant, DOUBLE_QUANT);
BNQ_SAME(kPacking, PACKING);
BNQ_SAME(kOutlierThreshold, OUTLIER_THRESHOLD);
BNQ_SAME(kSaturate, SATURATE);
#undef BNQ_SAME
#define BNQ_SAME(value, id) \
  static_assert(static_cast<int>(value) == BNQ_##id, #id)
BNQ_SAME(Granularity::kToken, GRANULARITY_TOKEN);
BNQ_SAME(Granularity::kBlock, GRANULARITY_BLOCK);
BNQ_SAME(Granularity::kTile, GRANULARITY_TILE);
BNQ_SAME(NonFinite::kKeep, NON_FINITE_KEEP);
BNQ_SAME(Rounding::kHalfAway, ROUNDING_HALF_AWAY);
BNQ_SAME(Rounding::kHalfUp, ROUNDING_HALF_UP);
BNQ_SAME(Rounding::kFloor, ROUNDING_FLOOR);
BNQ_SAME(Rounding::kCeil, ROUNDING_CEIL);
BNQ_SAME(Rounding::kTowardZero, ROUNDING_TOWARD_ZERO);
BNQ_SAME(Rounding::kStochastic, ROUNDING_STOCHASTIC);
BNQ_SAME(Rounding::kHalfTowardZero, ROUNDING_HALF_TOWARD_ZERO);
BNQ_SAME(ScaleRule::kAbsMax, SCALE_RULE_ABSMAX);
BNQ_SAME(ScaleRule::kAbsMean, SCALE_RULE_ABSMEAN);
BNQ_SAME(ScaleRule::kPercentile, SCALE_RULE_PERCENTILE);
BNQ_SAME(ScaleRule::kMse, SCALE_RULE_MSE);
BNQ_SAME(SymmetricRange::kFull, SYMMETRIC_RANGE_FULL);
BNQ_SAME(SymmetricRange::kExtreme, SYMMETRIC_RANGE_EXTREME);
BNQ_SAME(ScaleDType::kF16, SCALE_DTYPE_F16);
BNQ_SAME(ScaleDType::kBF16, SCALE_DTYPE_BF16);
BNQ_SAME(ScaleDType::kE8M0, SCALE_DTYPE_E8M0);
BNQ_SAME(ScaleDType::kE4M3, SCALE_DTYPE_E4M3);
BNQ_SAME(Scheme::kOffset, SCHEME_OFFSET);
BNQ_SAME(PackingChoice::kBase3, PACKING_BASE3);
#undef BNQ_SAME
static_assert(static_cast<int>(Granularity::kGroup) == BNQ_GRANULARITY_GROUP,
              "granularity");
static_assert(static_cast<int>(Granularity::kChannel) ==
                  BNQ_GRANULARITY_CHANNEL,
              "granularity");
static_assert(static_cast<int>(Scheme::kAsymmetric) == BNQ_SCHEME_ASYMMETRIC,
              "scheme");
static_assert(static_cast<int>(NonFinite::kZero) == BNQ_NON_FINITE_ZERO,
              "non_finite");

}  // namespace

bnq_status bnq_config_create(bnq_config** out_config) {
  return Guard([&] {
    bnq_config*& out = Output(out_config, "out_config");
    out = new bnq_config();
  });
}

bnq_status bnq_config_clone(const bnq_config* config, bnq_config** out_config) {
  return Guard([&] {
    bnq_config*& out = Output(out_config, "out_config");
    out = new bnq_config(Required(config, "config"));
  });
}

void bnq_config_destroy(bnq_config* config) { delete config; }

const bnq_options* bnq_config_options(const bnq_config* config) {
  return config;
}

bnq_options* bnq_config_settings(bnq_config* config) { return config; }

bnq_status bnq_config_equal(const bnq_config* a, const bnq_config* b,
                            int32_t* out_equal) {
  return Guard([&] {
    Required(out_equal, "out_equal") =
        Required(a, "a").core == Required(b, "b").core ? 1 : 0;
  });
}

bnq_status bnq_config_check(const bnq_config* config) {
  return Guard([&] {
    const Config& core = Required(config, "config").core;
    CheckSupported(FormatOf(core), core);
  });
}

bnq_status bnq_config_bits_per_weight(const bnq_config* config,
                                      double* out_bits) {
  return Guard([&] {
    double& out = Required(out_bits, "out_bits");
    out = BitsPerWeight(Required(config, "config").core);
  });
}

bnq_status bnq_config_to_text(const bnq_config* config, char* text,
                              uint64_t size, uint64_t* out_size) {
  return Guard([&] {
    CopyText(Required(config, "config").core.ToText(), text, size, out_size);
  });
}

bnq_status bnq_config_from_text(const char* text, bnq_config** out_config) {
  return Guard([&] {
    bnq_config*& out = Output(out_config, "out_config");
    out = new bnq_config(Config::FromText(&Required(text, "text")));
  });
}

bnq_status bnq_config_from_preset(const char* name, bnq_config** out_config) {
  return Guard([&] {
    bnq_config*& out = Output(out_config, "out_config");
    out = new bnq_config(Config::FromPreset(&Required(name, "name")));
  });
}

uint32_t bnq_preset_count(void) { return static_cast<uint32_t>(NumPresets()); }

const char* bnq_preset_name(uint32_t index) {
  return index < bnq_preset_count() ? PresetAt(static_cast<int>(index)).name
                                    : nullptr;
}

const char* bnq_preset_description(uint32_t index) {
  return index < bnq_preset_count()
             ? PresetAt(static_cast<int>(index)).description
             : nullptr;
}
