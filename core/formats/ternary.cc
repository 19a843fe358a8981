// ternary: BitNet b1.58 weights.
//
// Source   "The Era of 1-bit LLMs" (arXiv:2402.17764), section 2, as computed
// by
//          Hugging Face's WeightQuant; the scale is stored as the multiplier.
// Segment  a = mean of |x|, summed in float64, rounded once to float32
//          scale = max(a, 1e-5), but 0 where a is 0
// Code     clamp(round(x * (1 / scale)), -1, 1), ties to even: -1, 0, +1
// Value    code * scale
// Bytes    2 bits each, stored as code + 1, first element lowest; 3 is not a
//          code. Rows start on a byte: ceil(columns / 4) bytes each.
// Zero     an all-zero segment has scale 0 and decodes to 0.
// Tails    a group may be short; its mean is over the elements it has.

#include "core/formats/affine.h"
#include "core/kernels/affine.h"

namespace bnq {
namespace {

// BitNet's floor on the mean.
constexpr float kMinScale = 1e-5f;

CodeRange Codes(Scheme) { return {-1, 1}; }
Statistic RangeOf(Scheme) { return Statistic::kAbsMean; }

Params Parameters(Range range, Scheme) {
  Params params;
  if (range.hi > 0.0f)
    params.scale = range.hi > kMinScale ? range.hi : kMinScale;
  return params;
}

int32_t Encode(float x, Params params, Scheme scheme) {
  return AffineEncode(x, params, Codes(scheme));
}

}  // namespace

extern const Format k_ternary;
const Format k_ternary = {
    1,
    "ternary",
    "BitNet b1.58: -1, 0, +1 times the mean of |x|, 2 bits a weight",
    /*min_group=*/1,
    /*asymmetric=*/false,
    Packing::kBits2,
    /*bias=*/1,
    /*first_invalid=*/3,
    Codes,
    RangeOf,
    Parameters,
    Encode,
    AffineDecode,
    AffineKernels,
};

}  // namespace bnq
