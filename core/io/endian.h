// Little-endian fields of files, by byte shifts: right on every host, at any
// alignment. Array data is carried as the bytes it is, never swapped.
#ifndef BNQ_CORE_IO_ENDIAN_H_
#define BNQ_CORE_IO_ENDIAN_H_

#include <cstdint>
#include <string>

#include "core/base/error.h"

namespace bnq {

// UInt is uint16_t, uint32_t or uint64_t.
template <typename UInt>
UInt LoadLE(const uint8_t* p) {
  uint64_t v = 0;
  for (unsigned i = 0; i < sizeof(UInt); ++i) {
    v |= static_cast<uint64_t>(p[i]) << (8 * i);
  }
  return static_cast<UInt>(v);
}

template <typename UInt>
void StoreLE(UInt value, uint8_t* p) {
  const uint64_t v = value;
  for (unsigned i = 0; i < sizeof(UInt); ++i) {
    p[i] = static_cast<uint8_t>(v >> (8 * i));
  }
}

template <typename UInt>
void AppendLE(UInt value, std::string* out) {
  uint8_t bytes[sizeof(UInt)];
  StoreLE(value, bytes);
  out->append(reinterpret_cast<const char*>(bytes), sizeof(UInt));
}

// The bytes of a text behind their number, below 2^32 (INVALID_ARGUMENT).
inline void AppendText(const std::string& text, std::string* out) {
  if (text.size() > UINT32_MAX) {
    Fail(Status::kInvalidArgument, "text of ", text.size(),
         " bytes, must be below 2^32");
  }
  AppendLE(static_cast<uint32_t>(text.size()), out);
  *out += text;
}

}  // namespace bnq

#endif  // BNQ_CORE_IO_ENDIAN_H_
