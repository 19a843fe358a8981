#include "core/base/portable_math.h"

#include <cmath>
#include <cstring>
#include <limits>

namespace bnq {
namespace {

constexpr double kLn2High = 6.93147180369123816490e-01;  // 32 bits of it
constexpr double kLn2Low = 1.90821492927058770002e-10;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

// log(x) = e * ln 2 + log(1 + f), where x = 2^e (1 + f) and 1 + f lies between
// sqrt(1/2) and sqrt(2). With s = f / (2 + f), log(1 + f) = 2 atanh(s) = f - s
// * (f - R(s^2)); R is the minimax polynomial of fdlibm's e_log.c (Sun
// Microsystems 1993, freely granted), whose error is below 2^-58.45.
double PortableLog(double x) {
  if (!(x > 0.0)) return x == 0.0 ? -kInfinity : kNan;
  if (x == kInfinity) return x;
  int exponent = 0;
  double m = std::frexp(x, &exponent);  // in [1/2, 1)
  if (m < 0.70710678118654752440) {
    m *= 2;
    --exponent;
  }
  const double f = m - 1.0;
  const double s = f / (2.0 + f);
  const double z = s * s, w = z * z;
  const double even =
      w * (3.999999999940941908e-01 +
           w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
  const double odd =
      z * (6.666666666666735130e-01 +
           w * (2.857142874366239149e-01 +
                w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
  const double r = even + odd;
  const double half = 0.5 * f * f;
  const double e = exponent;
  return e * kLn2High - ((half - (s * (half + r) + e * kLn2Low)) - f);
}

// e^x = 2^k e^r, where |r| <= ln 2 / 2: Taylor's polynomial, whose error is
// below 2^-60.
double PortableExp(double x) {
  if (x != x) return x;
  if (x > 710.0) return kInfinity;
  if (x < -746.0) return 0.0;
  const double k = std::floor(x * 1.4426950408889634 + 0.5);
  const double r = (x - k * kLn2High) - k * kLn2Low;
  double sum = 1.0;
  for (int i = 15; i >= 1; --i) sum = 1.0 + sum * r / i;
  return std::ldexp(sum, static_cast<int>(k));
}

double PortablePow(double x, double y) {
  if (y == 0.0 || x == 1.0) return 1.0;
  if (x != x || y != y || x < 0.0) return kNan;
  if (x == 0.0) return y > 0.0 ? 0.0 : kInfinity;
  return PortableExp(y * PortableLog(x));
}

double PowerOfTwo(int exponent) {
  const uint64_t bits = static_cast<uint64_t>(exponent + 1023) << 52;
  double result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

uint64_t PercentOf(double percent, uint64_t count) {
  // share / kWhole of the values, both whole numbers. Written in two digits of
  // base 10^7, so that every product fits 64 bits.
  constexpr uint64_t kBase = 10000000, kWhole = kBase * kBase;
  const uint64_t share =
      static_cast<uint64_t>(std::floor(percent * 1e12 + 0.5));
  if (share >= kWhole) return count;
  const uint64_t s1 = share / kBase, s0 = share % kBase;
  const uint64_t rest = count % kWhole;
  const uint64_t r1 = rest / kBase, r0 = rest % kBase;
  const uint64_t middle = s1 * r0 + s0 * r1;
  const uint64_t low = middle % kBase * kBase + s0 * r0;
  return count / kWhole * share + s1 * r1 + middle / kBase + low / kWhole +
         (low % kWhole != 0 ? 1 : 0);
}

}  // namespace bnq
