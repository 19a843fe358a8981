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

int NumPresets();
const Preset& PresetAt(int index);
const Preset* FindPreset(const std::string& name);  // as IsName; or nullptr
std::string PresetNames();                          // "default, ..."

}  // namespace bnq

#endif  // BNQ_CORE_SCHEME_PRESETS_H_
