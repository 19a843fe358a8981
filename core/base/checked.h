// Checked 64-bit arithmetic: the only way sizes from callers and files are
// combined (ad-hoc guards are how CVE-2025-53630 and its bypass happened).
#ifndef BNQ_CORE_BASE_CHECKED_H_
#define BNQ_CORE_BASE_CHECKED_H_

#include <cstddef>
#include <cstdint>

#include "core/base/error.h"

namespace bnq {

// Each returns false, and leaves *out alone, where the result does not fit.
inline bool TryAdd(uint64_t a, uint64_t b, uint64_t* out) {
  if (a > UINT64_MAX - b) return false;
  *out = a + b;
  return true;
}
inline bool TryMul(uint64_t a, uint64_t b, uint64_t* out) {
  if (b != 0 && a > UINT64_MAX / b) return false;
  *out = a * b;
  return true;
}

// The same, failing with INVALID_ARGUMENT; `what` names the quantity.
inline uint64_t CheckedAdd(uint64_t a, uint64_t b, const char* what) {
  uint64_t r = 0;
  if (!TryAdd(a, b, &r)) {
    Fail(Status::kInvalidArgument, what, " overflows 64 bits");
  }
  return r;
}
inline uint64_t CheckedMul(uint64_t a, uint64_t b, const char* what) {
  uint64_t r = 0;
  if (!TryMul(a, b, &r)) {
    Fail(Status::kInvalidArgument, what, " overflows 64 bits");
  }
  return r;
}

// Narrows to size_t, which has 32 bits on some hosts.
inline size_t ToSize(uint64_t v, const char* what) {
  if (v > SIZE_MAX) {
    Fail(Status::kInvalidArgument, what, " = ", v,
         " does not fit this machine's memory");
  }
  return static_cast<size_t>(v);
}

// Never overflows.
constexpr uint64_t DivCeil(uint64_t a, uint64_t b) {
  return a / b + (a % b != 0);
}

}  // namespace bnq

#endif  // BNQ_CORE_BASE_CHECKED_H_
