// Floating-point numbers of 8 bits or fewer, one at a time: the element and
// scale types of the OCP specifications (8-bit Floating Point 1.0, Microscaling
// Formats 1.0). kernels/float_code.cc does the same with vectors.
#ifndef BNQ_CORE_BASE_SMALL_FLOAT_H_
#define BNQ_CORE_BASE_SMALL_FLOAT_H_

#include <cmath>
#include <cstdint>

#include "core/base/half.h"

namespace bnq {

// A sign, exponent and mantissa bits. The number of a code without its sign, c:
// with m = 2^mantissa_bits, c < m is subnormal, c * 2^(min_exponent) / m; else
// (1 + (c mod m) / m) * 2^(c / m - 1 + min_exponent). Codes above `greatest`
// are not finite: infinity where e5m2 has it, else NaN.
struct SmallFloat {
  int mantissa_bits;
  int min_exponent;   // of the least normal number
  uint32_t greatest;  // the code of the greatest number
  uint32_t sign;      // the bit of it
  bool has_non_finite;

  // Of the greatest number: OCP's emax.
  constexpr int greatest_exponent() const {
    return static_cast<int>(greatest >> mantissa_bits) - 1 + min_exponent;
  }
};
inline constexpr SmallFloat kE2M1 = {1, 0, 0x07, 0x08, false};
inline constexpr SmallFloat kE4M3 = {3, -6, 0x7E, 0x80, true};
inline constexpr SmallFloat kE5M2 = {2, -14, 0x7B, 0x80, true};

// The code of a >= 0, rounded to nearest, ties to even or to the lower number;
// beyond the greatest number (rounded) that of it, or the next one.
inline uint32_t SmallFloatCode(const SmallFloat& type, float a,
                               bool saturate = true, bool ties_down = false) {
  // An integer in units of the last mantissa bit: adding 2^23 of them rounds.
  int32_t exponent = static_cast<int32_t>(BitsOfF32(a) >> 23) - 127;
  if (exponent < type.min_exponent) exponent = type.min_exponent;
  uint32_t code;
  if (exponent > type.greatest_exponent()) {
    code = type.greatest + 1;
  } else {
    const uint32_t unit =
        static_cast<uint32_t>(exponent - type.mantissa_bits + 127 + 23) << 23;
    const float sum = a + F32OfBits(unit);
    uint32_t units = BitsOfF32(sum) - unit;
    const float half = F32OfBits(unit - (24u << 23));
    if (ties_down && sum - F32OfBits(unit) - a == half) --units;
    code = (static_cast<uint32_t>(exponent - type.min_exponent)
            << type.mantissa_bits) +
           units;
  }
  const uint32_t most =
      type.greatest + (saturate || !type.has_non_finite ? 0 : 1);
  return code < most ? code : most;
}

inline float SmallFloatValue(const SmallFloat& type, uint32_t code) {
  const uint32_t m = 1u << type.mantissa_bits;
  if (code > type.greatest && type.has_non_finite) {
    // A NaN keeps its bits and is a quiet one.
    const uint32_t mantissa = code % m << (23 - type.mantissa_bits);
    return F32OfBits(0x7F800000 | mantissa | (mantissa == 0 ? 0 : 0x400000));
  }
  if (code < m) {
    return std::ldexp(static_cast<float>(code),
                      type.min_exponent - type.mantissa_bits);
  }
  return std::ldexp(
      static_cast<float>(m + code % m),
      static_cast<int>(code / m) - 1 + type.min_exponent - type.mantissa_bits);
}

}  // namespace bnq

#endif  // BNQ_CORE_BASE_SMALL_FLOAT_H_
