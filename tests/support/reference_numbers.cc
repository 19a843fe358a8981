// Random words and half floats of the oracle.
#include <cmath>
#include <cstring>

#include "tests/support/reference.h"

namespace bnq_test {

uint32_t ReferenceRandom(uint64_t seed, uint64_t index) {
  uint32_t c[4] = {static_cast<uint32_t>(index / 4),
                   static_cast<uint32_t>(index / 4 >> 32), 0, 0};
  uint32_t k[2] = {static_cast<uint32_t>(seed),
                   static_cast<uint32_t>(seed >> 32)};
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = 0xD2511F53ull * c[0], b = 0xCD9E8D57ull * c[2];
    const uint32_t next[4] = {
        static_cast<uint32_t>(b >> 32) ^ c[1] ^ k[0], static_cast<uint32_t>(b),
        static_cast<uint32_t>(a >> 32) ^ c[3] ^ k[1], static_cast<uint32_t>(a)};
    std::memcpy(c, next, sizeof c);
    k[0] += 0x9E3779B9u;
    k[1] += 0xBB67AE85u;
  }
  return c[index % 4];
}

uint16_t ReferenceF16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const double a = std::fabs(static_cast<double>(x));
  if (std::isnan(x)) return sign | 0x7E00;
  if (a >= 65520.0) return sign | 0x7C00;
  // The spacing of float16 numbers around a, and a in units of it.
  int exponent = 0;
  std::frexp(a, &exponent);
  const int unit = exponent - 11 < -24 ? -24 : exponent - 11;
  const double steps = std::nearbyint(std::ldexp(a, -unit));
  if (steps == 0.0) return sign;
  // Counting steps from 0 numbers the positive float16s in order.
  const double base = unit == -24 ? 0.0 : (unit + 24) * 1024.0;
  return sign | static_cast<uint16_t>(base + steps);
}

float ReferenceFromF16(uint16_t h) {
  const int exponent = h >> 10 & 31;
  const double mantissa = h & 1023;
  double a = exponent == 0 ? std::ldexp(mantissa, -24)
                           : std::ldexp(1024.0 + mantissa, exponent - 25);
  if (exponent == 31) a = mantissa == 0 ? HUGE_VAL : NAN;
  return static_cast<float>(h & 0x8000 ? -a : a);
}

uint16_t ReferenceBF16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if (std::isnan(x)) return static_cast<uint16_t>(bits >> 16 | 0x40);
  const uint32_t low = bits & 0xFFFF;
  uint32_t high = bits >> 16;
  if (low > 0x8000 || (low == 0x8000 && (high & 1) != 0)) ++high;
  return static_cast<uint16_t>(high);
}

float ReferenceFromBF16(uint16_t b) {
  const uint32_t bits = static_cast<uint32_t>(b) << 16;
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

}  // namespace bnq_test
