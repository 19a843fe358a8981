#include "core/calibration/exact_sum.h"

#include <algorithm>
#include <cmath>

namespace bnq {

void ExactSum::Add(double v) {
  if (v == 0.0) return;
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(v), &exponent);
  // v = mantissa * 2^(exponent - 53)
  const uint64_t mantissa = static_cast<uint64_t>(std::ldexp(fraction, 53));
  const unsigned shift = static_cast<unsigned>(exponent - 53 - kLeastExponent);
  const unsigned bit = shift % 64;
  const uint64_t parts[2] = {mantissa << bit,
                             bit != 0 ? mantissa >> (64 - bit) : 0};
  const bool subtract = v < 0;
  uint64_t carry = 0;
  for (unsigned i = shift / 64, k = 0; i < kLimbs; ++i, ++k) {
    if (k >= 2 && carry == 0) break;
    const uint64_t part = k < 2 ? parts[k] : 0;
    const uint64_t before = limbs_[i];
    if (subtract) {
      limbs_[i] = before - part - carry;
      carry = before < part || (before == part && carry != 0);
    } else {
      limbs_[i] = before + part + carry;
      carry = limbs_[i] < part || (limbs_[i] == part && carry != 0);
    }
  }
}

void ExactSum::Add(const ExactSum& other) {
  uint64_t carry = 0;
  for (int i = 0; i < kLimbs; ++i) {
    const uint64_t part = other.limbs_[i];
    limbs_[i] += part + carry;
    carry = limbs_[i] < part || (limbs_[i] == part && carry != 0);
  }
}

double ExactSum::ToDouble() const {
  const bool negative = limbs_[kLimbs - 1] >> 63 != 0;
  uint64_t magnitude[kLimbs];
  uint64_t carry = 1;
  for (int i = 0; i < kLimbs; ++i) {
    magnitude[i] = negative ? ~limbs_[i] + carry : limbs_[i];
    carry = carry != 0 && magnitude[i] == 0;
  }
  int top = kLimbs - 1;
  while (top >= 0 && magnitude[top] == 0) --top;
  if (top < 0) return 0.0;
  int zeros = 0;  // leading ones, of the top limb
  while ((magnitude[top] << zeros) >> 63 == 0) ++zeros;
  uint64_t bits = magnitude[top] << zeros;
  uint64_t rest = 0;
  if (top > 0) {
    if (zeros != 0) bits |= magnitude[top - 1] >> (64 - zeros);
    rest = magnitude[top - 1] << zeros;
    for (int i = 0; i < top - 1; ++i) rest |= magnitude[i];
  }
  // 64 bits, of which the conversion to double drops 11: a one below them
  // stands for whatever else is there, and decides ties.
  if (rest != 0) bits |= 1;
  const uint64_t half = bits & 0x7FF;
  uint64_t mantissa = bits >> 11;
  if (half > 0x400 || (half == 0x400 && (mantissa & 1) != 0)) ++mantissa;
  const double value = std::ldexp(static_cast<double>(mantissa),
                                  64 * top - zeros + 11 + kLeastExponent);
  return negative ? -value : value;
}

bool ExactSum::operator==(const ExactSum& other) const {
  return std::equal(limbs_, limbs_ + kLimbs, other.limbs_);
}

}  // namespace bnq
