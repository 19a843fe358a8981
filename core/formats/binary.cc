// binary: one bit, the sign.
//
// Source   BitNet (arXiv:2310.11453, section 2.1, without its centring) and
//          XNOR-Net (arXiv:1603.05279, section 3.1): sign(w) times mean |w|,
//          which has the least squared error of all scales.
// Segment  a = mean of |x|, summed in float64, rounded once to float32
//          scale = a, raised to the smallest normal float32, but 0 where a is
//          0; with scale_dtype = e8m0 the power of two nearest to it (the lower
//          of two): the least that is no less than a / 1.5
// Code     +1 where x >= 0 (-0 included), else -1
// Value    code * scale
// Bytes    eight codes each, +1 as 1 and -1 as 0, the first in the lowest bit.
//          Rows start on a byte: ceil(columns / 8) bytes each.
// Zero     an all-zero segment has scale 0 and decodes to 0; e8m0 has no 0, so
//          that there it decodes to 2^-127.
// Tails    a group may be short; its mean is over the elements it has.

#include "core/formats/affine.h"
#include "core/kernels/affine.h"

namespace bnq {
namespace {

CodeRange Codes(const Variant&) { return {-1, 1}; }

Params Parameters(Range range, const Variant&) {
  Params params;
  const float m = -range.lo > range.hi ? -range.lo : range.hi;
  if (m != 0.0f) params.scale = UsableScale(m, 1);
  return params;
}

int32_t Encode(float x, Params, const CodeRule&, uint32_t) {
  return x < 0.0f ? -1 : 1;
}

}  // namespace

extern const Format k_binary;
const Format k_binary = {
    12,
    "binary",
    "one bit: the sign, times the mean of |x|",
    /*min_group=*/1,
    kScaled | kSigns,
    Packing::kSigns,
    /*bias=*/0,
    /*first_invalid=*/0,
    /*padding=*/-1,
    /*table=*/nullptr,
    Statistic::kAbsMean,
    Codes,
    EachRange<Parameters>,
    Encode,
    AffineDecode,
    AffineKernels,
};

}  // namespace bnq
