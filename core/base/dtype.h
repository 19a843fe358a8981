// Element types of arrays: those of safetensors.
#ifndef BNQ_CORE_BASE_DTYPE_H_
#define BNQ_CORE_BASE_DTYPE_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace bnq {

// Values are those of BNQ_DTYPE_* (capi/registry.cc asserts it).
enum class DType : int32_t {
  kF32 = 1,
  kF16,
  kBF16,
  kF64,
  kI8,
  kU8,
  kI16,
  kU16,
  kI32,
  kU32,
  kI64,
  kU64,
  kBool,
  kC64,
  kF8E4M3,
  kF8E5M2,
  kF8E8M0,
  kF8E4M3FNUZ,
  kF8E5M2FNUZ,
  kF6E2M3,
  kF6E3M2,
  kF4,
};

struct DTypeInfo {
  DType dtype;
  const char* name;  // as safetensors spells it
  uint32_t bits;
  // Position in the reference's enumeration, by which its writer sorts.
  uint32_t safetensors_order;
};

// nullptr for what is not a data type.
const DTypeInfo* FindDType(int32_t id);
// Exactly so spelled, or as IsName.
const DTypeInfo* FindDType(const std::string& name, bool as_written);
inline const DTypeInfo& Info(DType dtype) {
  return *FindDType(static_cast<int32_t>(dtype));
}

// May be quantized: F64, F32, F16, BF16.
bool IsSource(DType dtype);
// May be dequantized into: F32, F16, BF16.
bool IsTarget(DType dtype);

}  // namespace bnq

#endif  // BNQ_CORE_BASE_DTYPE_H_
