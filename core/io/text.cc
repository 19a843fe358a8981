#include "core/io/text.h"

#include <algorithm>

#include "core/base/error.h"

namespace bnq {
namespace {

// Bytes of the UTF-8 sequence at p (Unicode, table 3-7), 0 where there is none.
size_t SequenceLength(const unsigned char* p, size_t left) {
  const auto continues = [&](size_t i) {
    return i < left && (p[i] & 0xC0) == 0x80;
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

}  // namespace

size_t FindInvalidUtf8(const char* text, size_t size) {
  const unsigned char* p = reinterpret_cast<const unsigned char*>(text);
  size_t i = 0;
  while (i < size) {
    const size_t n = SequenceLength(p + i, size - i);
    if (n == 0) return i;
    i += n;
  }
  return size;
}

bool IsCleanText(const std::string& text) {
  return text.find('\0') == std::string::npos &&
         FindInvalidUtf8(text.data(), text.size()) == text.size();
}

Metadata SortedMetadata(Metadata metadata) {
  std::sort(metadata.begin(), metadata.end());
  for (size_t i = 0; i < metadata.size(); ++i) {
    const std::string& key = metadata[i].first;
    if (!IsCleanText(key) || !IsCleanText(metadata[i].second)) {
      Fail(Status::kInvalidArgument, "metadata ", Quoted(key),
           ": key and value must be UTF-8 without NUL");
    }
    if (i > 0 && key == metadata[i - 1].first) {
      Fail(Status::kInvalidArgument, "metadata has the key ", Quoted(key),
           " twice");
    }
  }
  return metadata;
}

void CheckNewName(const std::string& name) {
  if (name.empty()) {
    Fail(Status::kInvalidArgument, "tensor name is empty");
  }
  if (!IsCleanText(name)) {
    Fail(Status::kInvalidArgument, "tensor name ", Quoted(name),
         " must be UTF-8 without NUL");
  }
}

}  // namespace bnq
