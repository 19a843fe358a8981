// How codes become bytes, apart from what they mean. A row of codes starts on a
// byte; every packing puts a whole number of codes into a unit of whole bytes.
#ifndef BNQ_CORE_SCHEME_PACKING_H_
#define BNQ_CORE_SCHEME_PACKING_H_

#include <cstddef>
#include <cstdint>

#include "core/base/checked.h"

namespace bnq {

enum class Packing {
  kBits8,      // a byte each, two's complement
  kBits2,      // element 4k + i of a row in bits 2i, 2i + 1 of byte k
  kBits4,      // element 2k in the low half of byte k, 2k + 1 in the high one
  kBits4High,  // element 2k in the high half of byte k, 2k + 1 in the low one
  // Elements 5k to 5k + 4 are the base-3 digits of a number v, the first the
  // most significant; byte k = ceil(v * 256 / 243). Digit n is then the high
  // byte of 3 * (byte * 3^n mod 256): the form of ggml's TQ1_0.
  kBase3,
  kSigns,  // element 8k + i of a row in bit i of byte k: 1 for +1, 0 for -1
  // Elements 8k to 8k + 7 are a little-endian number of 3 (5, 6) bytes, the
  // first in the lowest bits.
  kBits3,
  kBits5,
  kBits6,
  kBits16,  // two bytes each, little-endian; not through int8 codes
};
constexpr int kNumPackings = 10;

struct PackingUnit {
  uint32_t codes, bytes;
};
constexpr PackingUnit UnitOf(Packing packing) {
  switch (packing) {
    case Packing::kBits8:
      break;
    case Packing::kBits2:
      return {4, 1};
    case Packing::kBits4:
    case Packing::kBits4High:
      return {2, 1};
    case Packing::kBase3:
      return {5, 1};
    case Packing::kSigns:
      return {8, 1};
    case Packing::kBits3:
      return {8, 3};
    case Packing::kBits5:
      return {8, 5};
    case Packing::kBits6:
      return {8, 6};
    case Packing::kBits16:
      return {1, 2};
  }
  return {1, 1};
}
constexpr uint64_t CodesPerUnit(Packing packing) {
  return UnitOf(packing).codes;
}
constexpr uint32_t CodeBits(Packing packing) {
  return 8 * UnitOf(packing).bytes / UnitOf(packing).codes;
}
// Of `columns` codes from the start of a row.
constexpr uint64_t RowBytes(Packing packing, uint64_t columns) {
  return DivCeil(columns, UnitOf(packing).codes) * UnitOf(packing).bytes;
}
// Where the unit of a column begins in its row.
constexpr uint64_t ByteOf(Packing packing, uint64_t column) {
  return column / UnitOf(packing).codes * UnitOf(packing).bytes;
}

// Codes of any unit.
constexpr size_t kMaxUnitCodes = 8;

}  // namespace bnq

#endif  // BNQ_CORE_SCHEME_PACKING_H_
