// The list of formats: formats/formats.def.
#ifndef BNQ_CORE_SCHEME_REGISTRY_H_
#define BNQ_CORE_SCHEME_REGISTRY_H_

#include <cstdint>
#include <string>

#include "core/scheme/format.h"

namespace bnq {

int NumFormats();
const Format& FormatAt(int index);
const Format* FindFormat(int32_t id);               // nullptr: unknown
const Format* FindFormat(const std::string& name);  // as IsName
std::string FormatNames();                          // "ternary, int8"

}  // namespace bnq

#endif  // BNQ_CORE_SCHEME_REGISTRY_H_
