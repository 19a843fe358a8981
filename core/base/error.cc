#include "core/base/error.h"

#include <algorithm>
#include <charconv>

#include "core/base/utf8.h"

namespace bnq {
namespace {

template <class T>
std::string Shortest(T value) {
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof text, value).ptr);
}

}  // namespace

const char* StatusName(int status) {
  static const char* const kNames[kNumStatuses] = {"ok",
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
  return status >= 0 && status < kNumStatuses ? kNames[status]
                                              : "unknown status";
}

Error& Error::In(const std::string& subject) {
  // The caller's wish, in which nothing is at fault.
  if (status_ == Status::kCancelled) return *this;
  if (std::find(subjects_.begin(), subjects_.end(), subject) ==
      subjects_.end()) {
    message_ = subject + ": " + message_;
    subjects_.push_back(subject);
  }
  return *this;
}

Error& Error::Naming(std::string subject) {
  subjects_.push_back(std::move(subject));
  return *this;
}

std::string ToText(int64_t value) { return Shortest(value); }
std::string ToText(uint64_t value) { return Shortest(value); }
std::string ToText(float value) { return Shortest(value); }
std::string ToText(double value) { return Shortest(value); }

void Piece::AppendTo(std::string* text) const {
  switch (kind_) {
    case kString:
      text->append(*string_);
      return;
    case kText:
      text->append(text_);
      return;
    case kChar:
      text->push_back(static_cast<char>(integer_));
      return;
    case kFloat:
      text->append(ToText(static_cast<float>(real_)));
      return;
    case kDouble:
      text->append(ToText(real_));
      return;
    case kSigned:
      text->append(ToText(integer_));
      return;
    case kUnsigned:
      text->append(ToText(static_cast<uint64_t>(integer_)));
      return;
  }
}

std::string MessageOf(const Piece* pieces, size_t count) {
  std::string message;
  for (size_t i = 0; i < count; ++i) pieces[i].AppendTo(&message);
  return message;
}

void FailWith(Status status, const Piece* pieces, size_t count) {
  throw Error(status, MessageOf(pieces, count));
}

std::string Hex(uint64_t value, int digits) {
  char text[16];
  std::string hex(text, std::to_chars(text, text + sizeof text, value, 16).ptr);
  for (char& c : hex) c = c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c;
  const size_t wanted = static_cast<size_t>(digits);
  if (hex.size() < wanted) hex.insert(0, wanted - hex.size(), '0');
  return "0x" + hex;
}

std::string Quoted(const std::string& text) {
  constexpr size_t kMax = 200;
  std::string out = "\"";
  for (size_t i = 0; i < text.size(); ++i) {
    if (i >= kMax) return out + "...\"";
    const unsigned char c = static_cast<unsigned char>(text[i]);
    const size_t length = Utf8Length(text.data() + i, text.size() - i);
    if (length > 1) {
      out.append(text, i, length);
      i += length - 1;
    } else if (c < 0x20 || c == 0x7f || length == 0) {
      const char* const digits = "0123456789abcdef";
      out += "\\x";
      out += digits[c >> 4];
      out += digits[c & 15];
    } else {
      out += text[i];
    }
  }
  return out + "\"";
}

}  // namespace bnq
