// Configs with names, read by the C ABI, the command line and the bindings.
#ifndef BNQ_CORE_SCHEME_PRESETS_H_
#define BNQ_CORE_SCHEME_PRESETS_H_

#include <string>

namespace bnq {

struct Preset {
  const char* name;
  const char* description;
  const char* text;  // for Config::FromText
};

// The preset that is usual for codes of so many bits.
struct PresetOfBits {
  double bits;
  const char* preset;  // or a format
};
constexpr PresetOfBits kPresetsOfBits[] = {
    {1, "binary_per_group_128"},
    {1.58, "ternary_per_group_128"},
    {2, "int2_per_group_64"},
    {3, "int3_per_group_64"},
    {4, "int4_per_group_128"},
    {5, "int5_per_group_32"},
    {6, "int6_per_group_32"},
    {8, "int8_per_channel"},
    {16, "f16"},
    {32, "none"},
};

int NumPresets();
const Preset& PresetAt(int index);
const Preset* FindPreset(const std::string& name);  // as IsName; or nullptr
std::string PresetNames();                          // "default, ..."

}  // namespace bnq

#endif  // BNQ_CORE_SCHEME_PRESETS_H_
