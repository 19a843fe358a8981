// log(x) = e * ln 2 + log(1 + f), where x = 2^e (1 + f) and 1 + f lies between
// sqrt(1/2) and sqrt(2). With s = f / (2 + f), log(1 + f) = 2 atanh(s) = f - s
// * (f - R(s^2)); R is the minimax polynomial of fdlibm's e_log.c (Sun
// Microsystems 1993, freely granted), whose error is below 2^-58.45.
#include <cmath>

#include "core/calibration/methods.h"

namespace bnq {

double PortableLog(double x) {
  constexpr double kLn2Hi = 6.93147180369123816490e-01;
  constexpr double kLn2Lo = 1.90821492927058770002e-10;
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
  return e * kLn2Hi - ((half - (s * (half + r) + e * kLn2Lo)) - f);
}

}  // namespace bnq
