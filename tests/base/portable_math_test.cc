#include "core/base/portable_math.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

namespace bnq {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The distance from the exact value, in units of the last place.
double Ulps(double x, long double exact) {
  int exponent = 0;
  std::frexp(static_cast<double>(exact), &exponent);
  return static_cast<double>(std::fabs(x - exact) /
                             std::ldexp(1.0L, std::max(exponent - 53, -1074)));
}

uint64_t Bits(double x) {
  uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

TEST(PortableMath, IsAccurate) {
  if (std::numeric_limits<long double>::digits < 60) {
    GTEST_SKIP() << "there is no longer double to compare with";
  }
  std::mt19937_64 random(1);
  double log = 0.0, exp = 0.0, pow = 0.0;
  for (int i = 0; i < 200000; ++i) {
    const double u = static_cast<double>(random() >> 11) / 9007199254740992.0;
    // All magnitudes, and those near 1.
    const double x =
        i % 2 ? std::ldexp(1.0 + u, static_cast<int>(i % 2000) - 1000)
              : 0.5 + u * 1.5;
    log = std::max(log,
                   Ulps(PortableLog(x), std::log(static_cast<long double>(x))));
    const double e = (u - 0.5) * (i % 2 ? 1400.0 : 2.0);
    exp = std::max(exp,
                   Ulps(PortableExp(e), std::exp(static_cast<long double>(e))));
    const double y = (u - 0.5) * (i % 3 ? 2.0 : 0.2);
    const long double exact =
        std::pow(static_cast<long double>(x), static_cast<long double>(y));
    const double allowed = 3 + 2 * std::fabs(y * std::log(x));
    pow = std::max(pow, Ulps(PortablePow(x, y), exact) / allowed);
  }
  EXPECT_LE(log, 1.0);
  EXPECT_LE(exp, 2.0);
  EXPECT_LE(pow, 1.0);
  // Below the normal numbers.
  const double least = std::numeric_limits<double>::denorm_min();
  EXPECT_LE(Ulps(PortableLog(least), std::log(static_cast<long double>(least))),
            1.0);
  EXPECT_LE(Ulps(PortableExp(-740.0), std::exp(-740.0L)), 1.0);
}

TEST(PortableMath, SpecialValues) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(PortableLog(1.0), 0.0);
  EXPECT_EQ(PortableLog(0.0), -kInfinity);
  EXPECT_EQ(PortableLog(-0.0), -kInfinity);
  EXPECT_EQ(PortableLog(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(PortableLog(-1.0)));
  EXPECT_TRUE(std::isnan(PortableLog(nan)));
  EXPECT_EQ(PortableExp(0.0), 1.0);
  EXPECT_EQ(PortableExp(kInfinity), kInfinity);
  EXPECT_EQ(PortableExp(-kInfinity), 0.0);
  EXPECT_EQ(PortableExp(1e300), kInfinity);
  EXPECT_EQ(PortableExp(-1e300), 0.0);
  EXPECT_TRUE(std::isfinite(PortableExp(709.78)));
  EXPECT_EQ(PortableExp(709.79), kInfinity);
  EXPECT_GT(PortableExp(-745.0), 0.0);
  EXPECT_TRUE(std::isnan(PortableExp(nan)));
  for (const double x : {0.0, 0.5, 1.0, 2.0, kInfinity}) {
    for (const double y : {-kInfinity, -1.5, 0.0, 1.5, kInfinity}) {
      EXPECT_EQ(std::isinf(PortablePow(x, y)), std::isinf(std::pow(x, y)))
          << x << " " << y;
      EXPECT_EQ(PortablePow(x, y) == 0.0, std::pow(x, y) == 0.0)
          << x << " " << y;
      EXPECT_EQ(PortablePow(x, y) == 1.0, std::pow(x, y) == 1.0)
          << x << " " << y;
    }
  }
  EXPECT_EQ(PortablePow(nan, 0.0), 1.0);
  EXPECT_EQ(PortablePow(1.0, nan), 1.0);
  EXPECT_TRUE(std::isnan(PortablePow(-1.0, 0.5)));
  for (int e = -1022; e <= 1023; ++e) {
    EXPECT_EQ(PowerOfTwo(e), std::ldexp(1.0, e));
  }
}

// What decides parameters is the same to the bit on every machine.
TEST(PortableMath, GoldenBits) {
  struct {
    double x;
    uint64_t log, exp, pow;  // pow: |x|^-0.3
  } const kGolden[] = {
      {0.1, 0xC0026BB1BBB55515, 0x3FECF46D99D52B3A, 0x3FFFEC982D5BB8AF},
      {3.0, 0x3FF193EA7AAD030A, 0x3FA97DB0CCCEB0AF, 0x3FE703E0260B76C6},
      {0.7071067811865475, 0xBFD62E42FEFA39F1, 0x3FDF8E6FFC0E5731,
       0x3FF1C0CBEB32BDF9},
      {123.456789, 0x40134378FC2150E7, 0x34CDA3FE5C3CC765, 0x3FCE2EB9897617D7},
      {1e-30, 0xC05144F69FF9FFC4, 0x3FF0000000000000, 0x41CDCD64FFFFFFFA},
  };
  for (const auto& g : kGolden) {
    EXPECT_EQ(Bits(PortableLog(g.x)), g.log) << g.x;
    EXPECT_EQ(Bits(PortableExp(-g.x)), g.exp) << g.x;
    EXPECT_EQ(Bits(PortablePow(g.x, -0.3)), g.pow) << g.x;
  }
}

TEST(PercentOf, IsExact) {
  // Every percentage of two places: whole numbers say how many it is.
  for (uint64_t hundredths = 0; hundredths <= 10000; ++hundredths) {
    const double p = static_cast<double>(hundredths) / 100.0;
    for (const uint64_t n : {1, 2, 3, 7, 100, 999, 1000, 4096, 65537}) {
      EXPECT_EQ(PercentOf(p, n), (hundredths * n + 9999) / 10000)
          << p << " of " << n;
    }
  }
  EXPECT_EQ(PercentOf(7, 100), 7u);
  EXPECT_EQ(PercentOf(99.9, 1000), 999u);
  EXPECT_EQ(PercentOf(99.999999, 100000000), 99999999u);
  EXPECT_EQ(PercentOf(99.9999999999, 1000000000000), 999999999999u);
  EXPECT_EQ(PercentOf(99.9999999999, 1000000000001), 1000000000000u);
  // Counts that no double holds.
  EXPECT_EQ(PercentOf(50, UINT64_MAX), UINT64_MAX / 2 + 1);
  EXPECT_EQ(PercentOf(100, UINT64_MAX), UINT64_MAX);
  EXPECT_EQ(PercentOf(0, UINT64_MAX), 0u);
  EXPECT_EQ(PercentOf(99.9, 0), 0u);
  EXPECT_EQ(PercentOf(1e-12, 1), 1u);
}

}  // namespace
}  // namespace bnq
