// log, exp and pow of IEEE 754 additions, multiplications and divisions alone:
// a system's own differ in the last bit from one machine to another, and a
// search that compares them would then find other parameters. Also powers of
// two, and ranks of percentiles, which must be exact.
#ifndef BNQ_CORE_BASE_PORTABLE_MATH_H_
#define BNQ_CORE_BASE_PORTABLE_MATH_H_

#include <cstdint>

namespace bnq {

// The natural logarithm within 1 ulp. -infinity of 0, NaN below it.
double PortableLog(double x);
// e^x within 2 ulp; infinity and 0 beyond what a double holds.
double PortableExp(double x);
// x^y for x >= 0 within 3 + 2 |y ln x| ulp; NaN below 0. As the C library's
// for zeros, infinities and NaN.
double PortablePow(double x, double y);

// 2^exponent, for exponents -1022 .. 1023.
double PowerOfTwo(int exponent);

// How many of `count` values make `percent` of them: ceil(percent * count /
// 100), and at most `count`. Exact for the decimal fraction of at most 12
// places that `percent` was read from: 99.9 is 999 thousandths, which no double
// is, so 999 of 1000 values are 99.9 percent. percent is in 0 .. 100.
uint64_t PercentOf(double percent, uint64_t count);

}  // namespace bnq

#endif  // BNQ_CORE_BASE_PORTABLE_MATH_H_
