// UTF-8 as Unicode has it: without surrogates and overlong forms.
#ifndef BNQ_CORE_BASE_UTF8_H_
#define BNQ_CORE_BASE_UTF8_H_

#include <cstddef>

namespace bnq {

// Bytes of the sequence that text begins with, 0 where there is none; size is
// not 0.
size_t Utf8Length(const char* text, size_t size);

// The first offset at which text is not UTF-8, or size.
size_t FindInvalidUtf8(const char* text, size_t size);

}  // namespace bnq

#endif  // BNQ_CORE_BASE_UTF8_H_
