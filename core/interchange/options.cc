#include "core/interchange/options.h"

namespace bnq {
namespace {

using Row = InterchangeOption;

// From 1 on the ids of DType.
constexpr NamedValue kScaleDTypes[] = {
    {"keep", "as they are, or float16 where the layout has no other"},
    {"f32", "float32"},
    {"f16", "float16"},
    {"bf16", "bfloat16"}};
constexpr NamedValue kWeightScales[] = {
    {"config", "as the linear_class of config.json says"},
    {"multiply", "values are codes times weight_scale"},
    {"divide", "values are codes divided by weight_scale"}};
constexpr NamedValue kI2Ss[] = {
    {"unknown", "it is not read"},
    {"x86", "blocks of 128 elements, as programs built for x86 have them"},
    {"arm", "blocks of 64 elements, as programs built for ARM have them"}};

constexpr OptionInfo kOptions[kNumInterchangeOptions] = {
    Choice(Row::kScaleDType, "scale_dtype", kScaleDTypes, 0,
           "Type that scales are written as, where the layout has several"),
    Choice(Row::kWeightScale, "weight_scale", kWeightScales,
           ImportOptions::WeightScale::kByConfig,
           "What the weight_scale of BitNet's files means"),
    Choice(Row::kI2S, "i2_s", kI2Ss, ImportOptions::I2S::kUnknown,
           "Order of bytes in GGUF tensors of the type I2_S, which files do "
           "not tell"),
    Real(Row::kMaxScaleChange, "max_scale_change", 0, 100, 100,
         "Percent that rounding may change a scale by without an error"),
};

static_assert(AreNumbered(kOptions), "options");
constexpr OptionTable kTable("interchange", kOptions);

}  // namespace

const OptionTable& InterchangeOptions::Table() { return kTable; }

ImportOptions InterchangeOptions::import() const {
  ImportOptions options;
  options.i2_s = As<ImportOptions::I2S>(Row::kI2S);
  options.weight_scale = As<ImportOptions::WeightScale>(Row::kWeightScale);
  return options;
}

}  // namespace bnq
