// Packing codes into the units of core/scheme/packing.h, and unpacking them.
#ifndef BNQ_CORE_KERNELS_PACKING_H_
#define BNQ_CORE_KERNELS_PACKING_H_

#include <cstddef>
#include <cstdint>

#include "core/scheme/packing.h"

namespace bnq {

// Readable and writable bytes that pack and unpack need behind their unpacked
// codes.
constexpr size_t kPackSlack = 512;
// One SIMD target's code for a packing of int8 codes. `bias` as in Format.
struct PackingKernels {
  // count <= kDecodeSpan codes to whole units: what fills the last one up must
  // stand behind the codes. May overwrite kPackSlack bytes behind codes.
  void (*pack)(int8_t* codes, size_t count, int32_t bias, uint8_t* packed);
  // The reverse. May write kPackSlack bytes behind codes.
  void (*unpack)(const uint8_t* packed, size_t count, int32_t bias,
                 int8_t* codes);
};

// For the best target of this CPU; none for kBits16.
const PackingKernels& GetPackingKernels(Packing packing);

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_PACKING_H_
