// How codes become bytes, apart from what they mean. A row of codes starts on a
// byte; every packing puts a whole number of codes into one byte.
#ifndef BNQ_CORE_KERNELS_PACKING_H_
#define BNQ_CORE_KERNELS_PACKING_H_

#include <cstddef>
#include <cstdint>

#include "core/base/checked.h"

namespace bnq {

enum class Packing {
  kBits8,  // a byte each, two's complement
  kBits2,  // element 4k + i of a row in bits 2i, 2i + 1 of byte k
};
constexpr int kNumPackings = 2;

// Codes in a byte.
constexpr uint64_t CodesPerByte(Packing packing) {
  return packing == Packing::kBits2 ? 4 : 1;
}
constexpr uint32_t CodeBits(Packing packing) {
  return static_cast<uint32_t>(8 / CodesPerByte(packing));
}
constexpr uint64_t RowBytes(Packing packing, uint64_t columns) {
  return DivCeil(columns, CodesPerByte(packing));
}

// Readable and writable bytes that pack and unpack need behind their unpacked
// codes.
constexpr size_t kPackSlack = 256;

// One SIMD target's code for a packing. `bias` as in Format.
struct PackingKernels {
  // count codes to ceil(count / CodesPerByte) bytes, unused bits 0. May
  // overwrite kPackSlack bytes behind codes.
  void (*pack)(int8_t* codes, size_t count, int32_t bias, uint8_t* packed);
  // The reverse. May write kPackSlack bytes behind codes.
  void (*unpack)(const uint8_t* packed, size_t count, int32_t bias,
                 int8_t* codes);
};

// For the best target of this CPU.
const PackingKernels& GetPackingKernels(Packing packing);

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_PACKING_H_
