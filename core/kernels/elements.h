// Element types: an array is read as floats, and floats are written, by the
// best target of this CPU.
#ifndef BNQ_CORE_KERNELS_ELEMENTS_H_
#define BNQ_CORE_KERNELS_ELEMENTS_H_

#include <cstddef>
#include <cstdint>

#include "core/base/dtype.h"
#include "core/kernels/chunk.h"

namespace bnq {

// An array to be read as float32, and what is done to its values on the way.
struct SourceView {
  const uint8_t* data = nullptr;
  DType dtype = DType::kF32;
  bool zero_non_finite = false;
  float clip = 0.0f;       // 0: none
  float threshold = 0.0f;  // |x| of this much or more count as 0; 0: none

  size_t element_size() const {
    return dtype == DType::kF64 ? 8 : dtype == DType::kF32 ? 4 : 2;
  }
  // The floats can be used where they are.
  bool direct() const {
    return dtype == DType::kF32 && !zero_non_finite && clip == 0.0f &&
           threshold == 0.0f &&
           reinterpret_cast<uintptr_t>(data) % sizeof(float) == 0;
  }
};

// count elements from index `begin` of the source to floats. May write kLanes
// floats behind them.
void LoadElements(const SourceView& source, uint64_t begin, size_t count,
                  float* out);
// count floats to out (F32, F16, BF16), rounded to nearest even; out may be
// unaligned. `stream`: past the caches; FlushStream must follow before another
// thread reads them.
void StoreElements(const float* in, size_t count, DType dtype, bool stream,
                   uint8_t* out);
// Bytes to out; `stream` as above.
void StoreBytes(const uint8_t* in, size_t bytes, bool stream, uint8_t* out);
void FlushStream();

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_ELEMENTS_H_
