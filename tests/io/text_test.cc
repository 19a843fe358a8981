#include "core/io/text.h"

#include <gtest/gtest.h>

#include <string>

#include "core/io/endian.h"
#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

size_t Invalid(const std::string& text) {
  return FindInvalidUtf8(text.data(), text.size());
}

TEST(Utf8, AcceptsEveryLengthAndTheLimitsOfEach) {
  for (const char* text :
       {"", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
        "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(Invalid(text), std::strlen(text)) << text;
  }
}

TEST(Utf8, RefusesWhatIsNotUtf8AndSaysWhere) {
  for (const char* text :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2g", "\xe0\x9f\xbf",
        "\xe1\x80", "\xe1\x80g", "\xed\xa0\x80", "\xed\xbf\xbf",
        "\xf0\x8f\xbf\xbf", "\xf1\x80\x80", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xff"}) {
    EXPECT_EQ(Invalid(text), 0u) << text;
    EXPECT_EQ(Invalid("ab\xc3\xa9" + std::string(text) + "c"), 4u);
  }
}

TEST(Text, CleanTextHasNoNul) {
  EXPECT_TRUE(IsCleanText("h\xc3\xa9"));
  EXPECT_FALSE(IsCleanText(std::string("a\0b", 3)));
  EXPECT_FALSE(IsCleanText("\xff"));
}

TEST(Text, MetadataIsSortedByBytes) {
  const Metadata sorted =
      SortedMetadata({{"b", "1"}, {"\xc3\xa9", "2"}, {"a", "3"}, {"B", "4"}});
  const Metadata expected = {
      {"B", "4"}, {"a", "3"}, {"b", "1"}, {"\xc3\xa9", "2"}};
  EXPECT_EQ(sorted, expected);
}

TEST(Text, MetadataAndNamesAreChecked) {
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "the key \"a\" twice", [] {
    SortedMetadata({{"a", "1"}, {"a", "2"}});
  }));
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "UTF-8", [] {
    SortedMetadata({{"a", "\xff"}});
  }));
  EXPECT_TRUE(
      FailsWith(Status::kInvalidArgument, "empty", [] { CheckNewName(""); }));
  EXPECT_TRUE(FailsWith(Status::kInvalidArgument, "UTF-8 without NUL",
                        [] { CheckNewName(std::string("a\0", 2)); }));
  CheckNewName("__metadata__");
}

TEST(Endian, LittleAtAnyAlignment) {
  const uint8_t bytes[] = {0xff, 1, 2, 3, 4, 5, 6, 7, 0x88};
  EXPECT_EQ(LoadLE<uint16_t>(bytes + 1), 0x0201u);
  EXPECT_EQ(LoadLE<uint32_t>(bytes + 1), 0x04030201u);
  EXPECT_EQ(LoadLE<uint64_t>(bytes + 1), 0x8807060504030201u);
  uint8_t out[8] = {};
  StoreLE<uint64_t>(0x8807060504030201u, out);
  EXPECT_EQ(std::memcmp(out, bytes + 1, 8), 0);
  std::string text;
  AppendLE<uint32_t>(0x64636261, &text);
  EXPECT_EQ(text, "abcd");
}

}  // namespace
}  // namespace bnq
