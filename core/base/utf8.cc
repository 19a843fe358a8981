#include "core/base/utf8.h"

namespace bnq {

// Unicode, table 3-7.
size_t Utf8Length(const char* text, size_t size) {
  const unsigned char* p = reinterpret_cast<const unsigned char*>(text);
  const auto continues = [&](size_t i) {
    return i < size && (p[i] & 0xC0) == 0x80;
  };
  const unsigned char c = p[0];
  if (c < 0x80) return 1;
  if (c < 0xC2) return 0;  // a continuation, or overlong
  if (!continues(1)) return 0;
  if (c < 0xE0) return 2;
  if (!continues(2)) return 0;
  if (c < 0xF0) {
    if (c == 0xE0 && p[1] < 0xA0) return 0;   // overlong
    if (c == 0xED && p[1] >= 0xA0) return 0;  // a surrogate
    return 3;
  }
  if (c > 0xF4 || !continues(3)) return 0;
  if (c == 0xF0 && p[1] < 0x90) return 0;   // overlong
  if (c == 0xF4 && p[1] >= 0x90) return 0;  // above U+10FFFF
  return 4;
}

size_t FindInvalidUtf8(const char* text, size_t size) {
  size_t i = 0;
  while (i < size) {
    const size_t n = Utf8Length(text + i, size - i);
    if (n == 0) return i;
    i += n;
  }
  return size;
}

}  // namespace bnq
