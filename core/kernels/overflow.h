// Values that a 16-bit type would turn into infinity.
#ifndef BNQ_CORE_KERNELS_OVERFLOW_H_
#define BNQ_CORE_KERNELS_OVERFLOW_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/base/dtype.h"
#include "core/base/half.h"
#include "core/base/options.h"

namespace bnq {

// What becomes of a finite value that the type it is written as does not hold.
// Infinity itself stays what it is.
enum class Overflow : int32_t {
  kError = 0,
  kSaturate = 1,  // the type's greatest number
  kKeep = 2,      // infinity
};
// Its name and what it means; a name of nullptr where there is no such one.
NamedValue OverflowAt(int32_t id);
// INVALID_ARGUMENT lists the names.
Overflow OverflowNamed(const std::string& text);

// Bits of the least |x| that is infinity when it has been rounded to dtype.
inline uint32_t OverflowBits(DType dtype) {
  return dtype == DType::kF16    ? 0x477FF000u
         : dtype == DType::kBF16 ? 0x7F7F8000u
                                 : 0x7F800000u;
}
inline bool Overflows(DType dtype, float x) {
  const uint32_t bits = BitsOfF32(x) & 0x7FFFFFFFu;
  return bits >= OverflowBits(dtype) && bits < 0x7F800000u;
}
// The greatest number of dtype, with the sign of x.
float Saturated(DType dtype, float x);

// Whether dtype holds all of count values, or `overflow` allows what it does
// not hold: these are then saturated where that is asked for.
bool FitsDType(DType dtype, Overflow overflow, float* x, size_t count);

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_OVERFLOW_H_
