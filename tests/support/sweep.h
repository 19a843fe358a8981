// How much of a sweep over many cases a test walks.
#ifndef BNQ_TESTS_SUPPORT_SWEEP_H_
#define BNQ_TESTS_SUPPORT_SWEEP_H_

#include <cstdint>
#include <cstdlib>

namespace bnq_test {

// One case in as many as the environment variable BNQ_TEST_SWEEP says; every
// case without it. Sanitizers are ten times slower and look for accesses, not
// for values: packaging/test.sh has them walk a part. The part is the same in
// every run, so that what fails fails again.
class Sweep {
 public:
  // Sweeps of few cases each begin elsewhere, so that together they have all.
  explicit Sweep(uint64_t begin = 0) : turn_(begin) {}

  bool Take() { return turn_++ % Stride() == 0; }

 private:
  static uint64_t Stride() {
    static const uint64_t stride = [] {
      const char* text = std::getenv("BNQ_TEST_SWEEP");
      const long value = text == nullptr ? 1 : std::atol(text);
      return value < 1 ? uint64_t{1} : static_cast<uint64_t>(value);
    }();
    return stride;
  }
  uint64_t turn_;
};

}  // namespace bnq_test

#endif  // BNQ_TESTS_SUPPORT_SWEEP_H_
