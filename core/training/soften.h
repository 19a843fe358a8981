// What training makes of values instead of those of codes: noise, values that
// are quantized in part, or only some of them.
#ifndef BNQ_CORE_TRAINING_SOFTEN_H_
#define BNQ_CORE_TRAINING_SOFTEN_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/scheme/format.h"
#include "core/training/options.h"

namespace bnq {

// Of values that share parameters; step and ends in units of values.
struct NoiseRange {
  float lo, hi, step;
};
NoiseRange NoiseRangeOf(const Format& format, CodeRange codes, Params params);

// Whether floats may be written there as such.
inline bool IsAligned(const uint8_t* out) {
  return reinterpret_cast<uintptr_t>(out) % sizeof(float) == 0;
}

class Softening {
 public:
  explicit Softening(const TrainingOptions& options);

  // Whether nothing is to be done: values are those of codes.
  bool none() const { return none_; }
  bool makes_noise() const { return options_.noise() != Noise::kNone; }
  // Noise in place of y, which x rounds to: x, held within the range, and so
  // many steps more. Elements from `at` on of the array.
  void MakeNoise(uint64_t at, const float* x, size_t count,
                 const NoiseRange& range, float* y) const;
  // Shares of x in the result, for count elements from `at` on: 0 or 1 as
  // drawn, or the temperature.
  void Shares(uint64_t at, size_t count, float* shares) const;
  // y + share * (x - y): exactly y for 0, exactly x for 1.
  static void Blend(const float* x, const float* shares, size_t count,
                    float* y);

 private:
  const TrainingOptions& options_;
  bool none_ = false, all_ = false;  // of a layer: all is left as it is
};

// The standard normal deviate below which a share p of all lie, 0 < p < 1:
// Wichura's algorithm AS 241 (Applied Statistics 37, 1988), within 1e-15.
double NormalQuantile(double p);

}  // namespace bnq

#endif  // BNQ_CORE_TRAINING_SOFTEN_H_
