// bf16: bfloat16, the upper half of a float32.
//
// Code     x rounded to nearest, ties to even: the 16 bits of the number. |x|
//          >= 0x7F7F8000's 3.3961775e38 overflows, which is an error
//          (NON_FINITE) unless non_finite = keep makes it infinity. With keep
//          a NaN becomes its upper half with the quiet bit set, as in ggml.
// Value    that of the bits, exact in float32; no scales
// Bytes    two each, little-endian.

#include "core/base/half.h"
#include "core/kernels/half.h"
#include "core/scheme/format.h"

namespace bnq {
namespace {

CodeRange Codes(const Variant&) { return {0, 65535}; }

int32_t Encode(float x, Params, const CodeRule&, uint32_t) {
  return BF16FromF32(x);
}

float Decode(int32_t code, Params, const CodeRule&) {
  return F32FromBF16(static_cast<uint16_t>(code));
}

}  // namespace

extern const Format k_bf16;
const Format k_bf16 = {
    7,
    "bf16",
    "bfloat16",
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
    BF16Kernels,
};

}  // namespace bnq
