// Against the tables of the OCP specifications, and against the definition: the
// nearest number of all, ties to the even code.
#include "core/base/small_float.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace bnq {
namespace {

TEST(SmallFloat, ValuesOfTheSpecifications) {
  const std::vector<float> e2m1 = {0.0f, 0.5f, 1.0f, 1.5f,
                                   2.0f, 3.0f, 4.0f, 6.0f};
  for (uint32_t code = 0; code < 8; ++code) {
    EXPECT_EQ(SmallFloatValue(kE2M1, code), e2m1[code]) << code;
  }
  // OFP8 1.0, table 1: greatest, least normal, greatest and least subnormal.
  EXPECT_EQ(SmallFloatValue(kE4M3, 0x7E), 448.0f);
  EXPECT_EQ(SmallFloatValue(kE4M3, 0x08), 0x1p-6f);
  EXPECT_EQ(SmallFloatValue(kE4M3, 0x07), 0.875f * 0x1p-6f);
  EXPECT_EQ(SmallFloatValue(kE4M3, 0x01), 0x1p-9f);
  EXPECT_TRUE(std::isnan(SmallFloatValue(kE4M3, 0x7F)));
  EXPECT_EQ(SmallFloatValue(kE5M2, 0x7B), 57344.0f);
  EXPECT_EQ(SmallFloatValue(kE5M2, 0x04), 0x1p-14f);
  EXPECT_EQ(SmallFloatValue(kE5M2, 0x03), 0.75f * 0x1p-14f);
  EXPECT_EQ(SmallFloatValue(kE5M2, 0x01), 0x1p-16f);
  EXPECT_EQ(SmallFloatValue(kE5M2, 0x7C), HUGE_VALF);
  for (uint32_t code = 0x7D; code <= 0x7F; ++code) {
    EXPECT_TRUE(std::isnan(SmallFloatValue(kE5M2, code))) << code;
  }
}

// The nearest of all codes, by comparing each of them in double.
uint32_t Nearest(const SmallFloat& type, float a) {
  uint32_t best = 0;
  double least = HUGE_VAL;
  for (uint32_t code = 0; code <= type.greatest; ++code) {
    const double e =
        std::fabs(static_cast<double>(a) -
                  static_cast<double>(SmallFloatValue(type, code)));
    if (e < least || (e == least && code % 2 == 0)) {
      best = code;
      least = e;
    }
  }
  return best;
}

TEST(SmallFloat, RoundsToTheNearest) {
  for (const SmallFloat& type : {kE2M1, kE4M3, kE5M2}) {
    for (uint32_t code = 0; code < type.greatest; ++code) {
      const float lo = SmallFloatValue(type, code);
      const float hi = SmallFloatValue(type, code + 1);
      const float middle = 0.5f * (lo + hi);
      for (const float a :
           {lo, hi, middle, std::nextafter(middle, lo),
            std::nextafter(middle, hi), 0.75f * lo + 0.25f * hi}) {
        EXPECT_EQ(SmallFloatCode(type, a), Nearest(type, a)) << a;
      }
    }
  }
  EXPECT_EQ(SmallFloatCode(kE4M3, 0x1p-149f), 0u);
}

TEST(SmallFloat, BeyondTheGreatest) {
  for (const SmallFloat& type : {kE2M1, kE4M3, kE5M2}) {
    const float greatest = SmallFloatValue(type, type.greatest);
    const float unit = greatest - SmallFloatValue(type, type.greatest - 1);
    // Half a unit more is a tie between the greatest, which is even or the last
    // there is, and the next.
    const float rounds_down = std::nextafter(greatest + 0.5f * unit, 0.0f);
    for (const bool saturate : {true, false}) {
      EXPECT_EQ(SmallFloatCode(type, rounds_down, saturate), type.greatest);
      const uint32_t beyond =
          saturate || !type.has_non_finite ? type.greatest : type.greatest + 1;
      for (const float a : {greatest + unit, 1e30f, HUGE_VALF}) {
        EXPECT_EQ(SmallFloatCode(type, a, saturate), beyond) << a;
      }
    }
  }
  // PyTorch's casts: 464 is a tie, which goes to 448, and 466 is NaN; 61440 is
  // one that goes to infinity.
  EXPECT_EQ(SmallFloatCode(kE4M3, 464.0f, false), 0x7Eu);
  EXPECT_EQ(SmallFloatCode(kE4M3, 466.0f, false), 0x7Fu);
  EXPECT_EQ(SmallFloatCode(kE5M2, 61440.0f, false), 0x7Cu);
  EXPECT_EQ(SmallFloatCode(kE5M2, 61439.0f, false), 0x7Bu);
}

}  // namespace
}  // namespace bnq
