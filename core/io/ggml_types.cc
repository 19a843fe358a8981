#include "core/io/ggml_types.h"

#include "core/base/checked.h"

namespace bnq {
namespace {

constexpr DType kNone = DType::kU8;

constexpr GgmlTypeInfo kTypes[] = {
    {GgmlType::kF32, "F32", 1, 4, DType::kF32},
    {GgmlType::kF16, "F16", 1, 2, DType::kF16},
    {GgmlType::kQ4_0, "Q4_0", 32, 18, kNone},
    {GgmlType::kQ4_1, "Q4_1", 32, 20, kNone},
    {GgmlType::kQ5_0, "Q5_0", 32, 22, kNone},
    {GgmlType::kQ5_1, "Q5_1", 32, 24, kNone},
    {GgmlType::kQ8_0, "Q8_0", 32, 34, kNone},
    {GgmlType::kQ8_1, "Q8_1", 32, 36, kNone},
    {GgmlType::kQ2_K, "Q2_K", 256, 84, kNone},
    {GgmlType::kQ3_K, "Q3_K", 256, 110, kNone},
    {GgmlType::kQ4_K, "Q4_K", 256, 144, kNone},
    {GgmlType::kQ5_K, "Q5_K", 256, 176, kNone},
    {GgmlType::kQ6_K, "Q6_K", 256, 210, kNone},
    {GgmlType::kQ8_K, "Q8_K", 256, 292, kNone},
    {GgmlType::kIQ2_XXS, "IQ2_XXS", 256, 66, kNone},
    {GgmlType::kIQ2_XS, "IQ2_XS", 256, 74, kNone},
    {GgmlType::kIQ3_XXS, "IQ3_XXS", 256, 98, kNone},
    {GgmlType::kIQ1_S, "IQ1_S", 256, 50, kNone},
    {GgmlType::kIQ4_NL, "IQ4_NL", 32, 18, kNone},
    {GgmlType::kIQ3_S, "IQ3_S", 256, 110, kNone},
    {GgmlType::kIQ2_S, "IQ2_S", 256, 82, kNone},
    {GgmlType::kIQ4_XS, "IQ4_XS", 256, 136, kNone},
    {GgmlType::kI8, "I8", 1, 1, DType::kI8},
    {GgmlType::kI16, "I16", 1, 2, DType::kI16},
    {GgmlType::kI32, "I32", 1, 4, DType::kI32},
    {GgmlType::kI64, "I64", 1, 8, DType::kI64},
    {GgmlType::kF64, "F64", 1, 8, DType::kF64},
    {GgmlType::kIQ1_M, "IQ1_M", 256, 56, kNone},
    {GgmlType::kBF16, "BF16", 1, 2, DType::kBF16},
    {GgmlType::kTQ1_0, "TQ1_0", 256, 54, kNone},
    {GgmlType::kTQ2_0, "TQ2_0", 256, 66, kNone},
    {GgmlType::kI2_S, "I2_S", 0, 0, kNone},
    {GgmlType::kMXFP4, "MXFP4", 32, 17, kNone},
    {GgmlType::kNVFP4, "NVFP4", 64, 36, kNone},
    {GgmlType::kQ1_0, "Q1_0", 128, 18, kNone},
    {GgmlType::kQ2_0, "Q2_0", 64, 18, kNone},
};

struct Retired {
  int32_t id;
  const char* name;
};
constexpr Retired kRetired[] = {
    {4, "Q4_2"},
    {5, "Q4_3"},
    {31, "Q4_0_4_4"},
    {32, "Q4_0_4_8"},
    {33, "Q4_0_8_8"},
    {37, "IQ4_NL_4_8, or I8_S of microsoft/BitNet"},
    {38, "IQ4_NL_8_8, or TL1 of microsoft/BitNet"},
};

// Behind the codes of I2_S: a scale, and 28 bytes of nothing.
constexpr uint64_t kI2STail = 32;

}  // namespace

const GgmlTypeInfo* FindGgmlType(int32_t id) {
  for (const GgmlTypeInfo& info : kTypes) {
    if (static_cast<int32_t>(info.type) == id) return &info;
  }
  return nullptr;
}

const GgmlTypeInfo* GgmlTypeOf(DType dtype) {
  for (const GgmlTypeInfo& info : kTypes) {
    if (info.plain() && info.dtype == dtype) return &info;
  }
  return nullptr;
}

std::string DescribeRetiredGgmlType(int32_t id) {
  for (const Retired& retired : kRetired) {
    if (retired.id == id) return retired.name;
  }
  return "";
}

bool TryBlockBytes(const GgmlBlocks& blocks, Shape* bytes) {
  const GgmlTypeInfo& info = Info(blocks.type);
  uint64_t bits = 0;  // of the elements; no block has more bytes than 8 each
  if (!TryMul(blocks.shape.elements(), 64, &bits)) return false;
  *bytes = blocks.shape;
  if (info.plain()) return true;
  if (info.block_elements == 0) {
    const uint64_t elements = blocks.shape.elements();
    const uint64_t size = elements / 4 + kI2STail;
    *bytes = Shape::Make(1, &size);
    return elements % 4 == 0;
  }
  if (blocks.shape.features() % info.block_elements != 0) return false;
  if (bytes->rank == 0) return false;
  bytes->dims[bytes->rank - 1] =
      blocks.shape.features() / info.block_elements * info.block_bytes;
  return true;
}

}  // namespace bnq
