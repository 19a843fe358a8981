#include "core/scheme/registry.h"

#include "core/base/names.h"

namespace bnq {

#define BNQ_FORMAT(name, ID) extern const Format k_##name;
#include "core/formats/formats.def"
#undef BNQ_FORMAT

namespace {
const Format* const kFormats[] = {
#define BNQ_FORMAT(name, ID) &k_##name,
#include "core/formats/formats.def"
#undef BNQ_FORMAT
};
}  // namespace

int NumFormats() {
  return static_cast<int>(sizeof kFormats / sizeof *kFormats);
}

const Format& FormatAt(int index) { return *kFormats[index]; }

const Format* FindFormat(int32_t id) {
  for (const Format* format : kFormats) {
    if (format->id == id) return format;
  }
  return nullptr;
}

const Format* FindFormat(const std::string& name) {
  for (const Format* format : kFormats) {
    if (IsName(name, format->name)) return format;
  }
  return nullptr;
}

std::string FormatNames() {
  std::string names;
  for (const Format* format : kFormats) {
    names += names.empty() ? "" : ", ";
    names += format->name;
  }
  return names;
}

}  // namespace bnq
