#include "core/base/error.h"

#include <gtest/gtest.h>

#include <cfloat>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <set>

namespace bnq {
namespace {

TEST(ErrorText, EveryStatusHasAName) {
  std::set<std::string> names;
  for (int status = 0; status < kNumStatuses; ++status) {
    EXPECT_TRUE(names.insert(StatusName(status)).second) << status;
  }
  EXPECT_EQ(names.count("unknown status"), 0u);
  for (int status : {-1, kNumStatuses, INT32_MAX}) {
    EXPECT_STREQ(StatusName(status), "unknown status");
  }
}

TEST(ErrorText, SubjectsAreSaidOnceFromOutsideIn) {
  try {
    Within([] { return "file \"a\""; },
           [] {
             Within(
                 [] { return std::string("tensor \"w\""); },
                 [] { Fail(Status::kNoData, "element ", 3, " is missing"); });
           });
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), Status::kNoData);
    EXPECT_EQ(e.message(), "file \"a\": tensor \"w\": element 3 is missing");
    EXPECT_EQ(e.message(), e.what());
  }
  Error error(Status::kIo, "tensor \"w\" is broken");
  error.Naming("tensor \"w\"").In("tensor \"w\"").In("b").In("b");
  EXPECT_EQ(error.message(), "b: tensor \"w\" is broken");
  // What is not thrown is not evaluated, and a result comes through.
  EXPECT_EQ(Within([]() -> std::string { throw 1; }, [] { return 7; }), 7);
}

TEST(ErrorText, PartsOfAnyType) {
  enum class E : int8_t { kA = -2 };
  EXPECT_EQ(Message("a", 'b', std::string("c"), -1, uint8_t{200}, E::kA, 0.5f,
                    true, UINT64_MAX, INT64_MIN),
            "abc-1200-20.5118446744073709551615-9223372036854775808");
  EXPECT_EQ(Hex(15, 2), "0x0F");
  EXPECT_EQ(Hex(0x12345, 2), "0x12345");
  EXPECT_EQ(Hex(0, 4), "0x0000");
}

// The shortest text that reads back.
TEST(ErrorText, NumbersReadBack) {
  EXPECT_EQ(ToText(0.1f), "0.1");
  EXPECT_EQ(ToText(0.1), "0.1");
  EXPECT_EQ(ToText(static_cast<double>(0.1f)), "0.10000000149011612");
  EXPECT_EQ(ToText(-0.0), "-0");
  std::mt19937_64 bits(1);
  for (int i = 0; i < 20000; ++i) {
    const uint64_t word = bits();
    double d;
    float f;
    std::memcpy(&d, &word, 8);
    std::memcpy(&f, &word, 4);
    if (std::isfinite(d)) {
      ASSERT_EQ(std::strtod(ToText(d).c_str(), nullptr), d);
    }
    if (std::isfinite(f)) {
      ASSERT_EQ(std::strtof(ToText(f).c_str(), nullptr), f);
    }
  }
  for (double d : {DBL_MIN, DBL_MAX, DBL_TRUE_MIN, 1e300, 123456789.0}) {
    EXPECT_EQ(std::strtod(ToText(d).c_str(), nullptr), d);
  }
}

TEST(ErrorText, QuotedIsFitForAMessage) {
  EXPECT_EQ(Quoted("plain"), "\"plain\"");
  const std::string hard = Quoted(std::string("a\n\x1b[31m\0b", 9));
  for (const char c : hard) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
  EXPECT_LT(Quoted(std::string(100000, 'x')).size(), 1000u);
  EXPECT_NE(Quoted("a"), Quoted("b"));
}

}  // namespace
}  // namespace bnq
