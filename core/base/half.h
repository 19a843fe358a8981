// float16 and bfloat16 to and from float32, one at a time;
// kernels/convert-inl.h does the same with vectors. Rounds to nearest even; NaN
// stays NaN (float16: sign | 0x7E00, bfloat16: top bits with the quiet bit set,
// as ggml).
#ifndef BNQ_CORE_BASE_HALF_H_
#define BNQ_CORE_BASE_HALF_H_

#include <cstdint>
#include <cstring>

namespace bnq {

inline uint32_t BitsOfF32(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}
inline float F32OfBits(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

// The greatest and the least positive numbers of each.
constexpr float kGreatestF16 = 65504.0f;
constexpr float kLeastF16 = 5.9604644775390625e-8f;  // 2^-24, a subnormal
constexpr float kGreatestBF16 = 3.3895313892515355e38f;
constexpr float kLeastBF16 = 9.183549615799121e-41f;  // 2^-133, a subnormal
// Bits of the least float32 that rounds to infinity, 65520 and the middle
// between the greatest bfloat16 and 2^128; and of 2^-14, the least normal
// float16.
constexpr uint32_t kOverflowsF16 = 0x477FF000;
constexpr uint32_t kOverflowsBF16 = 0x7F7F8000;
constexpr uint32_t kLeastNormalF16 = 0x38800000;
// In float16.
constexpr uint16_t kInfinityF16 = 0x7C00;
constexpr uint16_t kNaNF16 = 0x7E00;

inline uint16_t F16FromF32(float x) {
  const uint32_t bits = BitsOfF32(x);
  const uint32_t sign = bits >> 16 & 0x8000;
  const uint32_t a = bits & 0x7FFFFFFF;
  uint32_t h;
  if (a > 0x7F800000) {
    h = kNaNF16;
  } else if (a >= kOverflowsF16) {
    h = kInfinityF16;
  } else if (a >= kLeastNormalF16) {
    h = (a + 0x0FFF + (a >> 13 & 1) - (112u << 23)) >> 13;
  } else {
    // Its significand in units of 2^-24.
    const uint32_t shift = 126 - (a >> 23);
    const uint32_t m = (a & 0x007FFFFF) | 0x00800000;
    h = 0;
    if (shift <= 24) {
      h = m >> shift;
      const uint32_t rest = m & ((1u << shift) - 1), half = 1u << (shift - 1);
      if (rest > half || (rest == half && (h & 1) != 0)) ++h;
    }
  }
  return static_cast<uint16_t>(sign | h);
}

inline float F32FromF16(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16;
  const uint32_t exponent = h >> 10 & 31, mantissa = h & 0x3FF;
  if (exponent == 31) return F32OfBits(sign | 0x7F800000 | mantissa << 13);
  if (exponent != 0) {
    return F32OfBits(sign | ((exponent + 112) << 23) | mantissa << 13);
  }
  const float magnitude = static_cast<float>(mantissa) * kLeastF16;
  return sign != 0 ? -magnitude : magnitude;
}

inline uint16_t BF16FromF32(float x) {
  const uint32_t bits = BitsOfF32(x);
  if ((bits & 0x7FFFFFFF) > 0x7F800000) {
    return static_cast<uint16_t>(bits >> 16 | 0x40);
  }
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

inline float F32FromBF16(uint16_t b) {
  return F32OfBits(static_cast<uint32_t>(b) << 16);
}

}  // namespace bnq

#endif  // BNQ_CORE_BASE_HALF_H_
