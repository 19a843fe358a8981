// The element types of ggml, which GGUF files name by their ids.
#ifndef BNQ_CORE_IO_GGML_TYPES_H_
#define BNQ_CORE_IO_GGML_TYPES_H_

#include <cstdint>
#include <string>

#include "core/base/dtype.h"
#include "core/base/shape.h"

namespace bnq {

// Values are ggml's ids.
enum class GgmlType : int32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ8_1 = 9,
  kQ2_K = 10,
  kQ3_K = 11,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kQ8_K = 15,
  kIQ2_XXS = 16,
  kIQ2_XS = 17,
  kIQ3_XXS = 18,
  kIQ1_S = 19,
  kIQ4_NL = 20,
  kIQ3_S = 21,
  kIQ2_S = 22,
  kIQ4_XS = 23,
  kI8 = 24,
  kI16 = 25,
  kI32 = 26,
  kI64 = 27,
  kF64 = 28,
  kIQ1_M = 29,
  kBF16 = 30,
  kTQ1_0 = 34,
  kTQ2_0 = 35,
  kI2_S = 36,  // of microsoft/BitNet; ggml itself has retired the id
  kMXFP4 = 39,
  kNVFP4 = 40,
  kQ1_0 = 41,
  kQ2_0 = 42,
};

struct GgmlTypeInfo {
  GgmlType type;
  const char* name;         // as ggml spells it: "Q4_K"
  uint32_t block_elements;  // 1 of plain types; 0: none of a row's (I2_S)
  uint32_t block_bytes;
  DType dtype;  // of plain types
  bool plain() const { return block_elements == 1; }
};

// nullptr for what ggml does not have, or no longer has.
const GgmlTypeInfo* FindGgmlType(int32_t id);
inline const GgmlTypeInfo& Info(GgmlType type) {
  return *FindGgmlType(static_cast<int32_t>(type));
}
// nullptr where ggml has no such type.
const GgmlTypeInfo* GgmlTypeOf(DType dtype);
// What became of an id that is none; "" where nothing is known of it.
std::string DescribeRetiredGgmlType(int32_t id);

// Quantized blocks in a file, or to be written to one: an array of bytes, of
// type kU8, that stands for another. Its dimensions are those of `shape`, the
// last one the bytes of a row's blocks; of I2_S, which has no rows, one.
struct GgmlBlocks {
  GgmlType type = GgmlType::kF32;  // a plain one: these are no blocks
  Shape shape;                     // of the values

  explicit operator bool() const { return !Info(type).plain(); }
};

// Of the bytes. False where the last dimension is no multiple of a block's
// elements (of I2_S: all of them of 4), or bytes overflow 64 bits.
bool TryBlockBytes(const GgmlBlocks& blocks, Shape* bytes);

}  // namespace bnq

#endif  // BNQ_CORE_IO_GGML_TYPES_H_
