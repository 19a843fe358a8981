// Names and metadata of model files.
#ifndef BNQ_CORE_IO_TEXT_H_
#define BNQ_CORE_IO_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/base/utf8.h"

namespace bnq {

// Tensors of one model; keeps a hostile index from costing minutes.
constexpr uint64_t kMaxTensors = 1000000;

// Strings by key. Readers give them sorted by the bytes of the key, writers
// take them in any order; no key twice.
using Metadata = std::vector<std::pair<std::string, std::string>>;

// Whether text is UTF-8 without NUL, which the C ABI could not hand on.
bool IsCleanText(const std::string& text);

// Sorted; INVALID_ARGUMENT for a repeated key or text that is not clean.
Metadata SortedMetadata(Metadata metadata);
// In place of an earlier value.
void SetMetadata(const std::string& key, std::string value, Metadata* metadata);
// The one rule of names: not empty, UTF-8, without NUL. Whatever brings a name
// in refuses others, so that every language and every file can hold it.
// INVALID_ARGUMENT where a caller cannot give this name to a tensor.
void CheckNewName(const std::string& name);

}  // namespace bnq

#endif  // BNQ_CORE_IO_TEXT_H_
