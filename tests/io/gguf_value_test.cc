#include "core/io/gguf_value.h"

#include <cstring>

#include "core/io/text.h"
#include "tests/io/io_test_util.h"

namespace bnq {
namespace {

std::string LE(uint64_t value, unsigned bytes) {
  std::string out;
  AppendLE<uint64_t>(value, &out);
  return out.substr(0, bytes);
}
std::string String(const std::string& text) {
  return LE(text.size(), 8) + text;
}
// The text of these bytes of a value.
std::string TextOf(const std::string& bytes) {
  const ExactBytes exact(bytes);
  const std::string label = "file";
  GgufCursor cursor(label, exact.data(), exact.size());
  const std::string text = ReadGgufValue(&cursor);
  EXPECT_EQ(cursor.remaining(), 0u) << text;
  return text;
}

struct Value {
  std::string bytes, text;
};
std::vector<Value> Values() {
  return {
      {LE(0, 4) + LE(200, 1), "u8:200"},
      {LE(1, 4) + LE(0x9C, 1), "i8:-100"},
      {LE(2, 4) + LE(60000, 2), "u16:60000"},
      {LE(3, 4) + LE(0x8000, 2), "i16:-32768"},
      {LE(4, 4) + LE(32, 4), "u32:32"},
      {LE(5, 4) + LE(UINT64_MAX, 4), "i32:-1"},
      {LE(6, 4) + LE(0x3727C5AC, 4), "f32:1e-05"},
      {LE(6, 4) + LE(0x80000000, 4), "f32:-0"},
      {LE(6, 4) + LE(1, 4), "f32:1e-45"},
      {LE(6, 4) + LE(0xFF800000, 4), "f32:-inf"},
      {LE(6, 4) + LE(0x7FC00000, 4), "f32:nan"},
      {LE(6, 4) + LE(0xFFC00000, 4), "f32:0xFFC00000"},
      {LE(6, 4) + LE(0x7F800001, 4), "f32:0x7F800001"},
      {LE(7, 4) + LE(1, 1), "bool:true"},
      {LE(7, 4) + LE(0, 1), "bool:false"},
      {LE(8, 4) + String("llama"), "llama"},
      {LE(8, 4) + String(""), ""},
      {LE(8, 4) + String("u8:300"), "u8:300"},  // which is no u8
      {LE(8, 4) + String("arr:x"), "arr:x"},
      {LE(8, 4) + String("u8:30"), "str:\"u8:30\""},
      {LE(8, 4) + String("str:\"\""), "str:\"str:\\\"\\\"\""},
      {LE(8, 4) + String(std::string("a\0b", 3)), "str:\"a\\u0000b\""},
      {LE(8, 4) + String("\xFF\xC3\xA9\n"), "str:\"\\xFF\xC3\xA9\\n\""},
      {LE(9, 4) + LE(4, 4) + LE(3, 8) + LE(1, 4) + LE(2, 4) + LE(3, 4),
       "u32[]:1,2,3"},
      {LE(9, 4) + LE(0, 4) + LE(0, 8), "u8[]:"},
      {LE(9, 4) + LE(8, 4) + LE(3, 8) + String("a,\"") + String("") +
           String("\\\xE2\x96\x81"),
       "str[]:\"a,\\\"\",\"\",\"\\\\\xE2\x96\x81\""},
      {LE(10, 4) + LE(UINT64_MAX, 8), "u64:18446744073709551615"},
      {LE(11, 4) + LE(uint64_t{1} << 63, 8), "i64:-9223372036854775808"},
      {LE(12, 4) + LE(0x3FB999999999999A, 8), "f64:0.1"},
      {LE(12, 4) + LE(0x7FF8000000000000, 8), "f64:nan"},
      {LE(12, 4) + LE(0x7FF0000000000001, 8), "f64:0x7FF0000000000001"},
  };
}

TEST(GgufValue, EveryTypeAsTextAndBack) {
  for (const Value& value : Values()) {
    EXPECT_EQ(TextOf(value.bytes), value.text);
    EXPECT_EQ(GgufValueOf(value.text), value.bytes) << value.text;
    EXPECT_TRUE(IsCleanText(value.text)) << value.text;
  }
}

TEST(GgufValue, AnyBytesOfAnyTypeComeBack) {
  for (uint32_t seed = 1; seed <= 2000; ++seed) {
    const std::string noise = Noise(64, seed);
    const uint32_t type = seed % 13;
    std::string bytes = LE(type == 9 ? 9 : type, 4);
    if (type == 8) {
      bytes += String(noise.substr(seed % 64));
    } else if (type == 9) {
      const uint32_t of = seed / 13 % 13;
      if (of == 9 || of == 7) continue;
      const unsigned sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
      const unsigned size = sizes[of];
      bytes += LE(of, 4);
      bytes += size == 0 ? LE(2, 8) + String(noise) + String(noise.substr(50))
                         : LE(64 / size, 8) + noise;
    } else if (type == 7) {
      bytes += LE(seed % 2, 1);
    } else {
      const unsigned sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
      bytes += noise.substr(0, sizes[type]);
    }
    const std::string text = TextOf(bytes);
    EXPECT_EQ(GgufValueOf(text), bytes) << text;
    EXPECT_TRUE(IsCleanText(text)) << text;
  }
}

TEST(GgufValue, WhatIsNoValueIsAString) {
  for (const char* text : {"u8:",
                           "u8:-1",
                           "u8:256",
                           "i8:128",
                           "i8:-129",
                           "u32:1 ",
                           " u32:1",
                           "u32[]:1,",
                           "u32[]:,1",
                           "f32:x",
                           "f32:0x1",
                           "f32:0x123456789",
                           "bool:1",
                           "bool[]:true,",
                           "str:",
                           "str:a",
                           "str:\"a",
                           "str:\"\\q\"",
                           "str:\"\\xG0\"",
                           "str:\"\\u00FF\"",
                           "str:\"a\"b",
                           "str[]:\"a\"\"b\"",
                           "arr[]:",
                           "u32[",
                           "u32[]",
                           "i64:9223372036854775808",
                           "pt"}) {
    EXPECT_EQ(GgufValueOf(text), LE(8, 4) + String(text)) << text;
    EXPECT_EQ(TextOf(GgufValueOf(text)), text);
  }
}

TEST(GgufValue, CutOffAnywhere) {
  for (const Value& value : Values()) {
    for (size_t n = 0; n < value.bytes.size(); ++n) {
      EXPECT_TRUE(FailsWith(Status::kCorruptFile, "file: ", [&] {
        TextOf(value.bytes.substr(0, n));
      })) << value.text;
    }
  }
}

TEST(GgufValue, WhatCannotBe) {
  const struct {
    std::string bytes;
    const char* error;
  } cases[] = {
      {LE(13, 4) + LE(0, 8), "type = 13, must be 0 to 12"},
      {LE(7, 4) + LE(2, 1), "bool = 2, must be 0 or 1"},
      {LE(9, 4) + LE(9, 4) + LE(0, 8), "an array of arrays"},
      {LE(9, 4) + LE(99, 4) + LE(0, 8), "type of an array = 99"},
      {LE(9, 4) + LE(0, 4) + LE(UINT64_MAX, 8),
       "elements of an array = 18446744073709551615, which do not fit the 0"},
      {LE(9, 4) + LE(8, 4) + LE(2, 8) + LE(0, 8) + LE(0, 4),
       "elements of an array = 2, which do not fit the 12"},
      {LE(8, 4) + LE(uint64_t{1} << 63, 8) + "a",
       "string = 9223372036854775808"},
  };
  for (const auto& c : cases) {
    EXPECT_TRUE(
        FailsWith(Status::kCorruptFile, c.error, [&] { TextOf(c.bytes); }));
  }
}

TEST(GgufValue, NumbersAndStringsOfTexts) {
  uint64_t value = 0;
  EXPECT_TRUE(GgufUnsigned("u32:7", &value));
  EXPECT_EQ(value, 7u);
  EXPECT_TRUE(GgufUnsigned("i64:9", &value));
  EXPECT_EQ(value, 9u);
  EXPECT_TRUE(GgufUnsigned("u64:18446744073709551615", &value));
  for (const char* text : {"i8:-1", "7", "f32:1", "bool:true", "u32[]:1", ""}) {
    EXPECT_FALSE(GgufUnsigned(text, &value)) << text;
  }
  std::string string;
  EXPECT_TRUE(GgufString("llama", &string));
  EXPECT_TRUE(GgufString("str:\"u8:1\"", &string));
  EXPECT_EQ(string, "u8:1");
  EXPECT_FALSE(GgufString("u8:1", &string));
}

}  // namespace
}  // namespace bnq
