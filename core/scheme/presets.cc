#include "core/scheme/presets.h"

#include "core/base/names.h"

namespace bnq {
namespace {

// Names stand in users' scripts: none is ever taken away.
const Preset kPresets[] = {
    {"default", "ternary weights in groups of 128", "format=ternary"},
    {"aggressive", "the fewest bits: ternary at 1.6 bits, fitted scales",
     "format=ternary,group_size=256,scale_rule=mse,scale_dtype=f16,"
     "packing=base3"},
    {"ternary", "BitNet b1.58: one scale for the tensor",
     "format=ternary,granularity=tensor"},
    {"ternary_per_group_128", "ternary, a scale for each 128 columns",
     "format=ternary"},
    {"ternary_base3", "ternary in groups of 128 at 1.6 bits a code",
     "format=ternary,packing=base3"},
    {"int8_symmetric", "8-bit integers, one scale",
     "format=int8,granularity=tensor"},
    {"int8_asymmetric", "8-bit integers, one scale and zero point",
     "format=int8,granularity=tensor,scheme=asymmetric"},
    {"int8_per_channel", "8-bit integers, a scale for each output channel",
     "format=int8,granularity=channel"},
    {"int8_per_group_128", "8-bit integers, a scale for each 128 columns",
     "format=int8"},
    {"int8_dynamic", "activations: 8-bit integers, a scale for each token",
     "format=int8,granularity=token"},
    {"int8_dynamic_asymmetric",
     "activations: 8-bit integers, a scale and zero point for each token",
     "format=int8,granularity=token,scheme=asymmetric"},
    {"int8_outliers", "LLM.int8: columns with values of 6 or more in 16 bits",
     "format=int8,granularity=token,outlier_threshold=6"},
    {"int4_per_group_32", "4-bit integers, a scale for each 32 columns",
     "format=int4,group_size=32"},
    {"int4_per_group_128", "4-bit integers, a scale for each 128 columns",
     "format=int4"},
    {"int4_per_group_128_asymmetric",
     "4-bit integers, a scale and zero point for each 128 columns",
     "format=int4,scheme=asymmetric"},
    {"int4_mse_per_group_128",
     "4-bit integers in groups of 128, scales of least squared error",
     "format=int4,scale_rule=mse"},
    {"nf4", "4-bit NormalFloat in blocks of 64, as bitsandbytes",
     "format=nf4,granularity=block,group_size=64"},
    {"nf4_double_quant", "the same with double quantized scales (QLoRA)",
     "format=nf4,granularity=block,group_size=64,double_quant=on"},
    {"fp4", "4-bit floating point in blocks of 64, as bitsandbytes",
     "format=fp4,granularity=block,group_size=64"},
    {"fp4_double_quant", "the same with double quantized scales",
     "format=fp4,granularity=block,group_size=64,double_quant=on"},
    {"binary_per_group_128", "one bit: signs times the mean of 128 columns",
     "format=binary"},
    {"int2_per_group_64", "2-bit integers, a scale and offset for 64 columns",
     "format=int2,group_size=64,scheme=offset,scale_dtype=f16,scale_rule=mse"},
    {"int3_per_group_64", "3-bit integers, a scale and offset for 64 columns",
     "format=int3,group_size=64,scheme=offset,scale_dtype=f16,scale_rule=mse"},
    {"int4_offset_per_group_32",
     "4-bit integers, a scale and offset for 32 columns: ggml's Q4_1",
     "format=int4,group_size=32,scheme=offset,scale_dtype=f16"},
    {"int4_offset_per_group_64",
     "4-bit integers, a scale and offset for 64 columns: MLX's affine",
     "format=int4,group_size=64,scheme=offset,scale_dtype=f16"},
    {"int5_per_group_32", "5-bit integers, a scale and offset for 32 columns",
     "format=int5,group_size=32,scheme=offset,scale_dtype=f16"},
    {"int6_per_group_32", "6-bit integers, a scale for each 32 columns",
     "format=int6,group_size=32,scale_dtype=f16"},
    {"int8_per_group_32", "8-bit integers, a scale for each 32 columns",
     "format=int8,group_size=32,scale_dtype=f16"},
    {"int8_mse_per_group_32",
     "8.5 bits: 8-bit integers, scales of least squared error",
     "format=int8,group_size=32,scale_dtype=f16,scale_rule=mse"},
    {"int6_mse_per_group_16",
     "6.51 bits: 6-bit integers in groups of 16, scales in 8 bits",
     "format=int6,group_size=16,symmetric_range=full,scale_rule=mse,"
     "double_quant=on"},
    {"int5_mse_per_group_36",
     "5.46 bits: 5-bit integers, scales and offsets in 8 bits each",
     "format=int5,group_size=36,scheme=offset,scale_rule=mse,double_quant=on"},
    {"codebook4_per_group_20",
     "4.41 bits: 16 values fitted to the tensor, scales in 8 bits",
     "format=codebook4,group_size=20,scale_rule=mse,double_quant=on"},
    {"codebook4_per_group_38",
     "4.22 bits: 16 values fitted to the tensor, scales in 8 bits",
     "format=codebook4,group_size=38,scale_rule=mse,double_quant=on"},
    {"codebook3_per_group_20",
     "3.41 bits: 8 values fitted to the tensor, scales in 8 bits",
     "format=codebook3,group_size=20,scale_rule=mse,double_quant=on"},
    {"codebook2_per_group_16",
     "2.51 bits: 4 values fitted to the tensor, scales in 8 bits",
     "format=codebook2,group_size=16,scale_rule=mse,double_quant=on"},
    {"mxfp4", "OCP MXFP4: e2m1 in groups of 32, powers of two as scales",
     "format=e2m1,group_size=32,scale_dtype=e8m0"},
    {"mxfp8", "OCP MXFP8: e4m3 in groups of 32, powers of two as scales",
     "format=e4m3,group_size=32,scale_dtype=e8m0"},
    {"mxfp8_e5m2", "OCP MXFP8: e5m2 in groups of 32, powers of two as scales",
     "format=e5m2,group_size=32,scale_dtype=e8m0"},
    {"nvfp4",
     "NVFP4: e2m1 in groups of 16, e4m3 scales under one of the tensor",
     "format=e2m1,group_size=16,scale_dtype=e4m3"},
    {"fp8", "e4m3, one scale for the tensor", "format=e4m3,granularity=tensor"},
    {"fp8_per_channel", "e4m3, a scale for each output channel",
     "format=e4m3,granularity=channel"},
    {"fp8_dynamic", "activations: e4m3, a scale for each token",
     "format=e4m3,granularity=token"},
    {"fp8_per_group_128", "e4m3, a scale for each 128 columns", "format=e4m3"},
    {"fp8_per_tile_128", "e4m3, a scale for each 128 x 128, as DeepSeek-V3",
     "format=e4m3,granularity=tile"},
    {"f16", "IEEE half precision", "format=f16"},
    {"bf16", "bfloat16", "format=bf16"},
};
constexpr int kNumPresets = sizeof kPresets / sizeof kPresets[0];

}  // namespace

int NumPresets() { return kNumPresets; }
const Preset& PresetAt(int index) { return kPresets[index]; }

const Preset* FindPreset(const std::string& name) {
  for (const Preset& preset : kPresets) {
    if (IsName(name, preset.name)) return &preset;
  }
  return nullptr;
}

std::string PresetNames() {
  std::string names;
  for (const Preset& preset : kPresets) {
    names += names.empty() ? "" : ", ";
    names += preset.name;
  }
  return names;
}

}  // namespace bnq
