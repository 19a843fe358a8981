// ternary: BitNet b1.58 weights.
//
// Source   "The Era of 1-bit LLMs" (arXiv:2402.17764), section 2, as computed
// by
//          Hugging Face's WeightQuant; the scale is stored as the multiplier.
// Segment  a = mean of |x|, summed in float64, rounded once to float32
//          scale = max(a, 1e-5), but 0 where a is 0
// Code     clamp(round(x * (1 / scale)), -1, 1), ties to even unless the option
//          rounding says otherwise: -1, 0, +1
// Value    code * scale
// Bytes    2 bits each, stored as code + 1, first element lowest; 3 is not a
//          code. Rows start on a byte: ceil(columns / 4) bytes each.
//          packing = base3: five to a byte, whose value is ceil(v * 256 / 243),
//          v the number of the base-3 digits code + 1, first element first
//          (ggml's TQ1_0 has the same bytes in another order): ceil(columns /
//          5) bytes each, 1.6 bits a code. Missing codes count as stored 0.
// Zero     an all-zero segment has scale 0 and decodes to 0.
// Tails    a group may be short; its mean is over the elements it has.

#include "core/formats/affine.h"
#include "core/kernels/affine.h"

namespace bnq {
namespace {

// BitNet's floor on the mean.
constexpr float kMinScale = 1e-5f;

CodeRange Codes(const Variant&) { return {-1, 1}; }

Params Parameters(Range range, const Variant&) {
  Params params;
  if (range.hi > 0.0f) {
    params.scale = range.hi > kMinScale ? range.hi : kMinScale;
  }
  return params;
}

}  // namespace

extern const Format k_ternary;
const Format k_ternary = {
    1,
    "ternary",
    "BitNet b1.58: -1, 0, +1 times the mean of |x|, 2 or 1.6 bits a weight",
    /*min_group=*/1,
    kScaled | kInteger | kBase3Codes,
    Packing::kBits2,
    /*bias=*/1,
    /*first_invalid=*/3,
    /*padding=*/-1,
    /*table=*/nullptr,
    Statistic::kAbsMean,
    Codes,
    EachRange<Parameters>,
    AffineEncode,
    AffineDecode,
    AffineKernels,
};

}  // namespace bnq
