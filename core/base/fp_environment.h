// The floating-point environment: rounding, flushing of subnormal numbers,
// traps. It belongs to a thread, and any library of a process may have changed
// it (one built with -ffast-math does so when it is loaded; threads inherit
// it), whereas the bytes that this library makes may not depend on it.
#ifndef BNQ_CORE_BASE_FP_ENVIRONMENT_H_
#define BNQ_CORE_BASE_FP_ENVIRONMENT_H_

#include <cstdint>

#if !defined(__SSE2__) && !defined(_M_X64) && !defined(__aarch64__)
#include <cfenv>
#endif

namespace bnq {

#if defined(__SSE2__) || defined(_M_X64)
struct FpState {
  uint32_t mxcsr;
};
#elif defined(__aarch64__)
struct FpState {
  uint64_t fpcr, fpsr;
};
#else
struct FpState {
  std::fenv_t fenv;
};
#endif

// While it lives, this thread has the library's environment: to nearest,
// subnormal numbers kept, no traps. Then it has again what it had before,
// exception flags included: nobody sees which ones the library's arithmetic
// raised. They nest, each thread its own, and cost some 10 ns.
class FpEnvironment {
 public:
  FpEnvironment() noexcept;
  ~FpEnvironment();
  FpEnvironment(const FpEnvironment&) = delete;
  FpEnvironment& operator=(const FpEnvironment&) = delete;

 private:
  friend class CallerFpEnvironment;
  FpState caller_;
  FpEnvironment* outer_;
};

// While it lives, this thread has the environment that the innermost
// FpEnvironment found: for a callback into the caller, whose changes stay.
// Nothing outside one.
class CallerFpEnvironment {
 public:
  CallerFpEnvironment() noexcept;
  ~CallerFpEnvironment();
  CallerFpEnvironment(const CallerFpEnvironment&) = delete;
  CallerFpEnvironment& operator=(const CallerFpEnvironment&) = delete;

 private:
  FpEnvironment* inside_;
};

}  // namespace bnq

#endif  // BNQ_CORE_BASE_FP_ENVIRONMENT_H_
