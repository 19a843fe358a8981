#include "core/base/dtype.h"

#include "core/base/names.h"

namespace bnq {
namespace {

constexpr DTypeInfo kTypes[] = {
    {DType::kF32, "F32", 32, 18},
    {DType::kF16, "F16", 16, 14},
    {DType::kBF16, "BF16", 16, 15},
    {DType::kF64, "F64", 64, 20},
    {DType::kI8, "I8", 8, 5},
    {DType::kU8, "U8", 8, 4},
    {DType::kI16, "I16", 16, 11},
    {DType::kU16, "U16", 16, 12},
    {DType::kI32, "I32", 32, 16},
    {DType::kU32, "U32", 32, 17},
    {DType::kI64, "I64", 64, 21},
    {DType::kU64, "U64", 64, 22},
    {DType::kBool, "BOOL", 8, 0},
    {DType::kC64, "C64", 64, 19},
    {DType::kF8E4M3, "F8_E4M3", 8, 7},
    {DType::kF8E5M2, "F8_E5M2", 8, 6},
    {DType::kF8E8M0, "F8_E8M0", 8, 8},
    {DType::kF8E4M3FNUZ, "F8_E4M3FNUZ", 8, 9},
    {DType::kF8E5M2FNUZ, "F8_E5M2FNUZ", 8, 10},
    {DType::kF6E2M3, "F6_E2M3", 6, 2},
    {DType::kF6E3M2, "F6_E3M2", 6, 3},
    {DType::kF4, "F4", 4, 1},
};

}  // namespace

const DTypeInfo* FindDType(int32_t id) {
  for (const DTypeInfo& t : kTypes) {
    if (static_cast<int32_t>(t.dtype) == id) return &t;
  }
  return nullptr;
}

const DTypeInfo* FindDType(const std::string& name, bool as_written) {
  for (const DTypeInfo& t : kTypes) {
    if (as_written ? name == t.name : IsName(name, t.name)) return &t;
  }
  return nullptr;
}

bool IsSource(DType d) {
  return d == DType::kF32 || d == DType::kF16 || d == DType::kBF16 ||
         d == DType::kF64;
}

bool IsTarget(DType d) {
  return d == DType::kF32 || d == DType::kF16 || d == DType::kBF16;
}

}  // namespace bnq
