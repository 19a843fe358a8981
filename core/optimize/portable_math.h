// log, exp and pow of additions, multiplications and divisions alone: a
// system's own differ in the last bit from one CPU to another, and a search
// that compares them would then choose other parameters.
#ifndef BNQ_CORE_OPTIMIZE_PORTABLE_MATH_H_
#define BNQ_CORE_OPTIMIZE_PORTABLE_MATH_H_

#include <cmath>

namespace bnq {

constexpr double kLn2High = 0.693147180369123816490;
constexpr double kLn2Low = 1.90821492927058770002e-10;

// x > 0 and finite; within some units of the last place.
inline double PortableLog(double x) {
  int exponent = 0;
  double m = std::frexp(x, &exponent);
  if (m < 0.70710678118654752) {
    m *= 2.0;
    --exponent;
  }
  // 2 artanh(f), whose series has f^2 <= 0.0295.
  const double f = (m - 1.0) / (m + 1.0), f2 = f * f;
  double sum = 0.0;
  for (int k = 12; k >= 1; --k) sum = f2 * (sum + 1.0 / (2 * k + 1));
  return exponent * kLn2High + (exponent * kLn2Low + (2.0 * f + 2.0 * f * sum));
}

// |x| <= 700.
inline double PortableExp(double x) {
  const double k = std::nearbyint(x * 1.4426950408889634);
  const double r = (x - k * kLn2High) - k * kLn2Low;
  double sum = 1.0;
  for (int i = 15; i >= 1; --i) sum = 1.0 + sum * r / i;
  return std::ldexp(sum, static_cast<int>(k));
}

// x >= 0.
inline double PortablePow(double x, double y) {
  if (y == 0.0) return 1.0;
  if (x == 0.0) return y > 0.0 ? 0.0 : HUGE_VAL;
  const double e = y * PortableLog(x);
  return PortableExp(e < -700.0 ? -700.0 : e > 700.0 ? 700.0 : e);
}

}  // namespace bnq

#endif  // BNQ_CORE_OPTIMIZE_PORTABLE_MATH_H_
