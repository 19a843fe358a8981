#include "core/io/gguf_value.h"

#include <charconv>
#include <cstring>
#include <string_view>

#include "core/base/error.h"
#include "core/base/half.h"
#include "core/base/utf8.h"
#include "core/io/endian.h"
#include "core/io/text.h"

namespace bnq {
namespace {

enum class Kind { kUnsigned, kSigned, kFloat, kBool, kString, kArray };

struct Type {
  const char* name;
  Kind kind;
  unsigned bytes;  // of numbers; of others the least of a value
};
// At the ids of GGUF's value types.
constexpr Type kTypes[] = {
    {"u8", Kind::kUnsigned, 1},  {"i8", Kind::kSigned, 1},
    {"u16", Kind::kUnsigned, 2}, {"i16", Kind::kSigned, 2},
    {"u32", Kind::kUnsigned, 4}, {"i32", Kind::kSigned, 4},
    {"f32", Kind::kFloat, 4},    {"bool", Kind::kBool, 1},
    {"str", Kind::kString, 8},   {"arr", Kind::kArray, 12},
    {"u64", Kind::kUnsigned, 8}, {"i64", Kind::kSigned, 8},
    {"f64", Kind::kFloat, 8},
};
constexpr uint32_t kNumTypes = sizeof kTypes / sizeof kTypes[0];
constexpr uint32_t kStringType = 8, kArrayType = 9;

template <class Float, class Bits>
std::string FloatText(uint64_t bits, Bits canonical_nan) {
  Float value;
  const Bits narrow = static_cast<Bits>(bits);
  std::memcpy(&value, &narrow, sizeof value);
  if (value == value) return ToText(value);
  return narrow == canonical_nan ? "nan" : Hex(bits, 2 * sizeof value);
}

constexpr uint32_t kNaN32 = 0x7FC00000;
constexpr uint64_t kNaN64 = uint64_t{0x7FF8} << 48;

std::string NumberText(const Type& type, uint64_t bits) {
  if (type.kind == Kind::kFloat) {
    return type.bytes == 4 ? FloatText<float, uint32_t>(bits, kNaN32)
                           : FloatText<double, uint64_t>(bits, kNaN64);
  }
  if (type.kind == Kind::kBool) return bits != 0 ? "true" : "false";
  if (type.kind == Kind::kUnsigned) return ToText(bits);
  const unsigned unused = 64 - 8 * type.bytes;
  const int64_t value = static_cast<int64_t>(bits << unused) >> unused;
  return ToText(value);
}

void AppendQuoted(const std::string& string, std::string* text) {
  *text += '"';
  for (size_t i = 0; i < string.size();) {
    const unsigned char c = static_cast<unsigned char>(string[i]);
    const size_t length = Utf8Length(string.data() + i, string.size() - i);
    if (length > 1) {
      text->append(string, i, length);
      i += length;
      continue;
    }
    ++i;
    const char* const escaped = "\"\\\n\r\t";
    const char* const letters = "\"\\nrt";
    const char* const found =
        c == 0 ? nullptr : std::strchr(escaped, static_cast<char>(c));
    if (found != nullptr) {
      *text += {'\\', letters[found - escaped]};
    } else if (length == 0) {
      *text += "\\x" + Hex(c, 2).substr(2);
    } else if (c < 0x20) {
      *text += "\\u" + Hex(c, 4).substr(2);
    } else {
      *text += static_cast<char>(c);
    }
  }
  *text += '"';
}

// Takes a text apart. Each returns false where it is something else.
class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  // A type's name, and whether it is that of an array.
  bool Prefix(uint32_t* type, bool* array) {
    for (uint32_t i = 0; i < kNumTypes; ++i) {
      if (i == kArrayType) continue;
      const std::string_view name = kTypes[i].name;
      if (rest_.substr(0, name.size()) != name) continue;
      std::string_view behind = rest_.substr(name.size());
      *array = behind.substr(0, 2) == "[]";
      if (*array) behind.remove_prefix(2);
      if (behind.empty() || behind[0] != ':') continue;
      rest_ = behind.substr(1);
      *type = i;
      return true;
    }
    return false;
  }

  // A whole value, with its prefix.
  bool Value(std::string* out) {
    uint32_t type = 0;
    bool array = false;
    if (!Prefix(&type, &array)) return false;
    AppendLE<uint32_t>(array ? kArrayType : type, out);
    return (array ? Array(type, out) : Scalar(type, out)) && rest_.empty();
  }

 private:
  bool Array(uint32_t type, std::string* out) {
    AppendLE<uint32_t>(type, out);
    const size_t count_at = out->size();
    AppendLE<uint64_t>(0, out);
    uint64_t count = 0;
    for (; !rest_.empty(); ++count) {
      if ((count != 0 && !Skip(',')) || !Scalar(type, out)) return false;
    }
    StoreLE<uint64_t>(count, reinterpret_cast<uint8_t*>(&(*out)[count_at]));
    return true;
  }

  bool Scalar(uint32_t type, std::string* out) {
    const Type& info = kTypes[type];
    if (info.kind == Kind::kString) return String(out);
    const size_t end = std::min(rest_.find(','), rest_.size());
    const std::string_view token = rest_.substr(0, end);
    uint64_t bits = 0;
    if (!Number(info, token, &bits)) return false;
    for (unsigned i = 0; i < info.bytes; ++i) {
      *out += static_cast<char>(bits >> (8 * i));
    }
    rest_.remove_prefix(end);
    return true;
  }

  template <class T>
  static bool From(std::string_view token, T* value) {
    const char* const end = token.data() + token.size();
    const auto result = std::from_chars(token.data(), end, *value);
    return result.ec == std::errc() && result.ptr == end;
  }

  static bool Number(const Type& info, std::string_view token, uint64_t* bits) {
    const unsigned width = 8 * info.bytes;
    if (info.kind == Kind::kBool) {
      *bits = token == "true" ? 1 : 0;
      return token == "true" || token == "false";
    }
    if (info.kind == Kind::kUnsigned) {
      return From(token, bits) && (width == 64 || *bits >> width == 0);
    }
    if (info.kind == Kind::kSigned) {
      int64_t value = 0;
      if (!From(token, &value)) return false;
      *bits = static_cast<uint64_t>(value);
      const int64_t most = static_cast<int64_t>(UINT64_MAX >> (65 - width));
      return value <= most && value >= -most - 1;
    }
    if (token.substr(0, 2) == "0x") {
      const char* const end = token.data() + token.size();
      const auto result = std::from_chars(token.data() + 2, end, *bits, 16);
      return result.ec == std::errc() && result.ptr == end &&
             token.size() == 2 + 2 * info.bytes;
    }
    if (token == "nan") {
      *bits = width == 32 ? uint64_t{kNaN32} : kNaN64;
      return true;
    }
    float single = 0;
    double value = 0;
    if (width == 32) {
      if (!From(token, &single)) return false;
      *bits = BitsOfF32(single);
    } else {
      if (!From(token, &value)) return false;
      std::memcpy(bits, &value, sizeof value);
    }
    return true;
  }

  // Two or four hexadecimal digits.
  bool Digits(size_t count, uint32_t* value) {
    const char* const end = rest_.data() + std::min(count, rest_.size());
    const auto result = std::from_chars(rest_.data(), end, *value, 16);
    if (result.ec != std::errc() || result.ptr != rest_.data() + count) {
      return false;
    }
    rest_.remove_prefix(count);
    return true;
  }

  bool String(std::string* out) {
    if (!Skip('"')) return false;
    std::string string;
    while (!rest_.empty() && rest_[0] != '"') {
      const char c = rest_[0];
      rest_.remove_prefix(1);
      if (c != '\\') {
        string += c;
        continue;
      }
      if (rest_.empty()) return false;
      const char letter = rest_[0];
      rest_.remove_prefix(1);
      uint32_t code = 0;
      switch (letter) {
        case 'n':
          string += '\n';
          break;
        case 'r':
          string += '\r';
          break;
        case 't':
          string += '\t';
          break;
        case '"':
        case '\\':
          string += letter;
          break;
        case 'u':
          if (!Digits(4, &code) || code >= 0x80) return false;
          string += static_cast<char>(code);
          break;
        case 'x':
          if (!Digits(2, &code)) return false;
          string += static_cast<char>(code);
          break;
        default:
          return false;
      }
    }
    AppendLE<uint64_t>(string.size(), out);
    *out += string;
    return Skip('"');
  }

  bool Skip(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string_view rest_;
};

// The type and bytes of a text that is no string as it stands.
bool Typed(const std::string& text, std::string* value) {
  return Parser(text).Value(value);
}

void AppendScalar(GgufCursor* cursor, const Type& type, std::string* text) {
  if (type.kind == Kind::kString) {
    AppendQuoted(cursor->String("string"), text);
    return;
  }
  const uint64_t bits = cursor->Number(type.bytes, type.name);
  if (type.kind == Kind::kBool && bits > 1) {
    cursor->Corrupt(Message("bool = ", bits, ", must be 0 or 1"));
  }
  *text += NumberText(type, bits);
}

uint32_t ReadType(GgufCursor* cursor, const char* what) {
  const uint64_t type = cursor->Number(4, what);
  if (type < kNumTypes) return static_cast<uint32_t>(type);
  cursor->Corrupt(Message(what, " = ", type, ", must be 0 to ", kNumTypes - 1));
}

std::string ReadArray(GgufCursor* cursor) {
  const Type& type = kTypes[ReadType(cursor, "type of an array")];
  if (type.kind == Kind::kArray) {
    cursor->Corrupt("an array of arrays, which ggml does not read either");
  }
  std::string text = Message(type.name, "[]:");
  const uint64_t count = cursor->Count(type.bytes, "elements of an array");
  for (uint64_t i = 0; i < count; ++i) {
    if (i != 0) text += ',';
    AppendScalar(cursor, type, &text);
  }
  return text;
}

}  // namespace

void GgufCursor::Corrupt(const std::string& what) const {
  Fail(Status::kCorruptFile, label_, ": ", subject_,
       subject_.empty() ? "" : ": ", what);
}

uint64_t GgufCursor::Number(unsigned bytes, const char* what) {
  if (remaining() < bytes) {
    Corrupt(Message(what, " at byte ", at_, " takes ", bytes,
                    " bytes, but the file ends after ", remaining()));
  }
  uint64_t value = 0;
  for (unsigned i = 0; i < bytes; ++i) {
    value |= uint64_t{data_[at_ + i]} << (8 * i);
  }
  at_ += bytes;
  return value;
}

uint64_t GgufCursor::Count(uint64_t least, const char* what) {
  const uint64_t count = Number(8, what);
  if (count > remaining() / least) {
    Corrupt(Message(what, " = ", count, ", which do not fit the ", remaining(),
                    " bytes that are left of the file"));
  }
  return count;
}

std::string GgufCursor::String(const char* what) {
  const size_t bytes = static_cast<size_t>(Count(1, what));
  std::string text(reinterpret_cast<const char*>(data_ + at_), bytes);
  at_ += bytes;
  return text;
}

std::string ReadGgufValue(GgufCursor* cursor) {
  const uint32_t type = ReadType(cursor, "type");
  if (type == kStringType) return GgufText(cursor->String("string"));
  if (type == kArrayType) return ReadArray(cursor);
  std::string text = Message(kTypes[type].name, ":");
  AppendScalar(cursor, kTypes[type], &text);
  return text;
}

std::string GgufText(const std::string& string) {
  std::string value;
  if (IsCleanText(string) && !Typed(string, &value)) return string;
  std::string text = "str:";
  AppendQuoted(string, &text);
  return text;
}

std::string GgufText(const char* type, uint64_t value) {
  return Message(type, ":", value);
}

std::string GgufValueOf(const std::string& text) {
  std::string value;
  if (Typed(text, &value)) return value;
  value.clear();
  AppendLE<uint32_t>(kStringType, &value);
  AppendLE<uint64_t>(text.size(), &value);
  return value + text;
}

bool GgufString(const std::string& text, std::string* value) {
  const std::string bytes = GgufValueOf(text);
  const uint8_t* const p = reinterpret_cast<const uint8_t*>(bytes.data());
  if (LoadLE<uint32_t>(p) != kStringType) return false;
  *value = bytes.substr(12);
  return true;
}

bool GgufUnsigned(const std::string& text, uint64_t* value) {
  std::string bytes;
  if (!Typed(text, &bytes)) return false;
  const uint8_t* const p = reinterpret_cast<const uint8_t*>(bytes.data());
  const Type& type = kTypes[LoadLE<uint32_t>(p)];
  if (type.kind != Kind::kUnsigned && type.kind != Kind::kSigned) return false;
  uint64_t bits = 0;
  for (unsigned i = 0; i < type.bytes; ++i) bits |= uint64_t{p[4 + i]} << 8 * i;
  *value = bits;
  return type.kind == Kind::kUnsigned || bits >> (8 * type.bytes - 1) == 0;
}

}  // namespace bnq
