// The exact sum of doubles: adding is associative and commutative, so that sums
// merge to the same bits in whatever order, on whatever machines, they were
// taken.
#ifndef BNQ_CORE_CALIBRATION_EXACT_SUM_H_
#define BNQ_CORE_CALIBRATION_EXACT_SUM_H_

#include <cstddef>
#include <cstdint>

namespace bnq {

// A two's complement fixed-point number. The least bit is 2^kLeastExponent:
// below what a rounded sum of fourth powers of floats can have (2^-648). The
// greatest is above 2^64 of the greatest fourth powers (2^512).
class ExactSum {
 public:
  static constexpr int kLimbs = 21;
  static constexpr int kLeastExponent = -704;

  // v is finite, a multiple of 2^kLeastExponent, and below 2^576.
  void Add(double v);
  void Add(const ExactSum& other);
  // Rounded to nearest even.
  double ToDouble() const;

  bool operator==(const ExactSum& other) const;

  uint64_t limb(int i) const { return limbs_[i]; }  // 0: the least
  void set_limb(int i, uint64_t value) { limbs_[i] = value; }

 private:
  uint64_t limbs_[kLimbs] = {};
};

}  // namespace bnq

#endif  // BNQ_CORE_CALIBRATION_EXACT_SUM_H_
