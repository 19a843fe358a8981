// What entries of a cache are found by.
//
// A key is the SHA-256, as 64 hexadecimal digits, of a text that says, one
// field a line, all that decides an entry's bytes. So equal tensors share an
// entry whatever they are called, and nothing stale is ever found.
#ifndef BNQ_CORE_CACHE_KEY_H_
#define BNQ_CORE_CACHE_KEY_H_

#include <cstdint>
#include <string>

#include "core/base/context.h"
#include "core/base/shape.h"
#include "core/scheme/codec_revision.h"
#include "core/scheme/config.h"
#include "core/tensor/tensor.h"

namespace bnq {

// A digest of any number of bytes: the SHA-256 of those of its pieces of 1 MiB,
// each by itself, so that threads can share the work.
std::string ContentDigest(const Context& context, const void* data,
                          uint64_t bytes);

// An array, by its contents or by what is as good as these: "" for the array's
// own digest.
struct KeySource {
  const ArrayView& array;
  const float* importance = nullptr;  // of its columns; nullptr: none
  std::string identity;
};

// Of what the array becomes with this config. Two keys of the same array, one
// of them by an identity, differ.
std::string QuantizedKey(const Context& context, const Config& config,
                         const KeySource& source);
// Of a tensor, by its contents.
std::string TensorKey(const Context& context, const QuantizedTensor& tensor);

// What the key of a name is found by: 64 digits, too.
std::string AliasOf(const std::string& name);

// Whether text is 64 digits as above.
bool IsKey(const std::string& text);
// INVALID_ARGUMENT where it is not.
void CheckKey(const std::string& key);

}  // namespace bnq

#endif  // BNQ_CORE_CACHE_KEY_H_
