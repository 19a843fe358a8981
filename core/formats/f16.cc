// f16: IEEE 754 binary16.
//
// Code     x rounded to nearest, ties to even, subnormals included: the 16 bits
//          of the number. |x| >= 65520 overflows, which is an error
//          (NON_FINITE) unless non_finite = keep makes it infinity. With keep
//          a NaN becomes sign | 0x7E00.
// Value    that of the bits, exact in float32; no scales
// Bytes    two each, little-endian.

#include "core/base/half.h"
#include "core/kernels/half.h"
#include "core/scheme/format.h"

namespace bnq {
namespace {

CodeRange Codes(const Variant&) { return {0, 65535}; }

int32_t Encode(float x, Params, const CodeRule&, uint32_t) {
  return F16FromF32(x);
}

float Decode(int32_t code, Params, const CodeRule&) {
  return F32FromF16(static_cast<uint16_t>(code));
}

}  // namespace

extern const Format k_f16;
const Format k_f16 = {
    6,
    "f16",
    "IEEE half precision",
    /*min_group=*/1,
    kKeepsNonFinite,
    Packing::kBits16,
    /*bias=*/0,
    /*first_invalid=*/0,
    /*padding=*/0,
    /*table=*/nullptr,
    Statistic::kAbsMax,
    Codes,
    /*params=*/nullptr,
    Encode,
    Decode,
    F16Kernels,
};

}  // namespace bnq
