#include "core/base/utf8.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace bnq {
namespace {

// A code point as UTF-8 by its definition, in as many bytes as asked for: more
// than it needs are an overlong form.
std::string Encoded(uint32_t point, size_t bytes) {
  if (bytes == 1) return std::string(1, static_cast<char>(point));
  const uint32_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
  std::string text;
  for (size_t i = 0; i < bytes; ++i) {
    const auto shift = static_cast<uint32_t>(6 * (bytes - 1 - i));
    const uint32_t part = point >> shift & 0x3F;
    text += static_cast<char>((i == 0 ? lead[bytes] : 0x80) | part);
  }
  return text;
}

size_t Needed(uint32_t point) {
  return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
}

TEST(Utf8, EveryCodePoint) {
  for (uint32_t point = 0; point < 0x110000; ++point) {
    const bool surrogate = point >= 0xD800 && point < 0xE000;
    const size_t bytes = Needed(point);
    const std::string text = Encoded(point, bytes);
    ASSERT_EQ(Utf8Length(text.data(), text.size()), surrogate ? 0 : bytes)
        << std::hex << point;
    // Cut short, it is nothing.
    for (size_t size = 1; size < bytes; ++size) {
      ASSERT_EQ(Utf8Length(text.data(), size), 0u) << std::hex << point;
    }
  }
}

TEST(Utf8, OverlongFormsAndWhatUnicodeDoesNotHave) {
  for (const uint32_t point : {0u, 1u, 0x2Fu, 0x7Fu, 0x80u, 0x7FFu, 0xFFFFu}) {
    for (size_t bytes = Needed(point) + 1; bytes <= 4; ++bytes) {
      const std::string text = Encoded(point, bytes);
      EXPECT_EQ(Utf8Length(text.data(), text.size()), 0u) << point;
    }
  }
  for (const uint32_t point : {0x110000u, 0x13FFFFu, 0x1FFFFFu}) {
    const std::string text = Encoded(point, 4);
    EXPECT_EQ(Utf8Length(text.data(), text.size()), 0u) << point;
  }
  for (int byte = 0x80; byte < 0x100; ++byte) {
    const char lone = static_cast<char>(byte);
    EXPECT_EQ(Utf8Length(&lone, 1), 0u) << byte;
  }
}

TEST(Utf8, TheFirstInvalidOffset) {
  const std::string good = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z";
  EXPECT_EQ(FindInvalidUtf8(good.data(), good.size()), good.size());
  EXPECT_EQ(FindInvalidUtf8(good.data(), 0), 0u);
  // At a place between its characters a lone byte is found; inside of one, its
  // start.
  const size_t starts[] = {0, 1, 3, 6, 10};
  for (const size_t at : starts) {
    std::string bad = good;
    bad.insert(at, 1, '\xFF');
    EXPECT_EQ(FindInvalidUtf8(bad.data(), bad.size()), at);
  }
  EXPECT_EQ(FindInvalidUtf8(good.data(), 5), 3u);
}

}  // namespace
}  // namespace bnq
