#include "core/base/names.h"

#include <gtest/gtest.h>

#include <string>

namespace bnq {
namespace {

TEST(Names, AreTheSameInEitherCaseAndByOtherWords) {
  EXPECT_TRUE(IsName("int8", "int8"));
  EXPECT_TRUE(IsName("INT8", "int8"));
  EXPECT_TRUE(IsName("f16", "F16"));
  EXPECT_TRUE(IsName("Float16", "f16"));
  EXPECT_TRUE(IsName("bfloat16", "BF16"));
  // Another word for the type of 8 bits, not for the format.
  EXPECT_TRUE(IsName("int8", "I8"));
  EXPECT_FALSE(IsName("i8", "int8"));
  EXPECT_FALSE(IsName("float16", "bf16"));
  EXPECT_FALSE(IsName("", "int8"));
  EXPECT_FALSE(IsName("int8 ", "int8"));
}

TEST(Names, OnlyAsciiHasCase) {
  for (int c = -128; c < 256; ++c) {
    const char letter = static_cast<char>(c);
    const bool capital = letter >= 'A' && letter <= 'Z';
    EXPECT_EQ(AsciiLower(letter), capital ? letter + 32 : letter);
  }
  EXPECT_EQ(AsciiLower("\xC4\xB0I8"), "\xC4\xB0i8");
}

TEST(Names, DistanceCountsEdits) {
  EXPECT_EQ(EditDistance("", ""), 0u);
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance("abc", ""), 3u);
  EXPECT_EQ(EditDistance("Axis", "aXIS"), 0u);
  EXPECT_EQ(EditDistance("axs", "axis"), 1u);    // left out
  EXPECT_EQ(EditDistance("axxis", "axis"), 1u);  // put in
  EXPECT_EQ(EditDistance("axos", "axis"), 1u);   // exchanged
  EXPECT_EQ(EditDistance("aixs", "axis"), 1u);   // changed places
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
  EXPECT_EQ(EditDistance("ca", "abc"), 3u);  // no edit of what was moved
}

TEST(Names, TheNearestIsTheFirstOfTheLeastDistance) {
  Nearest nearest("int5");
  for (const char* name : {"bf16", "int8", "int4"}) nearest.Consider(name);
  EXPECT_STREQ(nearest.name(), "int8");
  EXPECT_EQ(nearest.Question(), "; did you mean \"int8\"?");
  Nearest far("a");
  for (const char* name : {"b", "c"}) far.Consider(name);
  EXPECT_EQ(far.name(), nullptr);
  EXPECT_EQ(far.Question(), "");
  // Long texts cost no more than their beginnings.
  Nearest huge(std::string(1 << 20, 'x'));
  huge.Consider("int8");
  EXPECT_EQ(huge.name(), nullptr);
}

}  // namespace
}  // namespace bnq
