// Inputs that are hard on quantizers.
#ifndef BNQ_TESTS_SUPPORT_VALUES_H_
#define BNQ_TESTS_SUPPORT_VALUES_H_

#include <cfloat>
#include <cstdint>
#include <random>
#include <vector>

namespace bnq_test {

// Gaussian, with ties (multiples of half a step for every small scale), zeros
// of both signs, runs of zeros, and magnitudes from subnormal to huge.
inline std::vector<float> HardValues(uint64_t count, uint32_t seed) {
  std::mt19937 bits(seed);
  std::normal_distribution<float> normal(0.0f, 1.0f);
  std::vector<float> x(count);
  const float special[] = {0.0f,  -0.0f, 0.5f,     -0.5f,   1.5f,
                           63.5f, 127.f, -127.0f,  FLT_MIN, -1e-41f,
                           1e-6f, 2.5f,  -1.0e-5f, 3.0e+4f};
  const uint32_t kind = seed % 4;
  for (uint64_t i = 0; i < count; ++i) {
    x[i] = normal(bits);
    const uint32_t roll = bits() % 64;
    if (kind == 1 && roll < 14) x[i] = special[roll];
    if (kind == 2) x[i] = 0.5f * static_cast<float>(bits() % 9) - 2.0f;
    if (kind == 3) x[i] = i / 40 % 2 ? 0.0f : x[i] * 1e-38f;
  }
  return x;
}

}  // namespace bnq_test

#endif  // BNQ_TESTS_SUPPORT_VALUES_H_
