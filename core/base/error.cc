#include "core/base/error.h"

#include <cstdarg>
#include <cstdio>

namespace bnq {

const char* CodeName(int code) {
  static const char* const kNames[kNumCodes] = {"ok",
                                                "invalid argument",
                                                "unsupported",
                                                "out of memory",
                                                "corrupt file",
                                                "input/output error",
                                                "no data",
                                                "cancelled",
                                                "internal error",
                                                "non-finite value",
                                                "not found",
                                                "already exists"};
  return code >= 0 && code < kNumCodes ? kNames[code] : "unknown status";
}

void Fail(Code code, const char* format, ...) {
  char text[4096];
  va_list args;
  va_start(args, format);
  std::vsnprintf(text, sizeof text, format, args);
  va_end(args);
  throw Error(code, text);
}

std::string Quoted(const std::string& text) {
  constexpr size_t kMax = 200;
  std::string out = "\"";
  for (size_t i = 0; i < text.size(); ++i) {
    // Only where a UTF-8 sequence ends.
    if (i >= kMax && (text[i] & 0xC0) != 0x80) return out + "...\"";
    const unsigned char c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\x%02x", c);
      out += escape;
    } else {
      out += text[i];
    }
  }
  return out + "\"";
}

}  // namespace bnq
