// fp4: 4-bit floating point as bitsandbytes has it; not OCP's E2M1, whose least
// magnitude and whose codes are others.
//
// Source   bitsandbytes, the rule of its CUDA kernel dQuantizeFP4; its bytes
//          with granularity = block.
// Segment  scale = max |x|
// Code     v = x * (1 / scale); bit 3 where v < 0; bits 0 to 2 by |v|: above
//          0.8333333 code 3, 0.583333 code 2, 0.4166667 code 5, 0.29166667 code
//          4, 0.20833333 code 7, 0.0859375 code 6, 0.00260417 code 1, else 0.
//          (These decimals, not the midpoints.) A subnormal v counts as 0, as
//          under nvcc's --use_fast_math.
// Value    table[code] * scale; magnitudes are 0, 1/192, 8/12, 1, 4/12, 6/12,
//          2/12, 3/12 for bits 0 to 2 = 0 to 7
// Bytes    two codes each, the even element in the high half. A row starts on a
//          byte; the low half of an odd row's last byte is 0.
// Zero     an all-zero segment has scale 0, codes 0 and decodes to 0.
// Tails    a group or block may be short.

#include "core/formats/table.h"
#include "core/kernels/table.h"

namespace bnq {
namespace {

// -x, where "v < -t" is wanted of "v is not above x": -v > t just when v is not
// above the float32 number below -t. No t here is a power of two, so the sum
// rounds to the next number.
constexpr float Below(float t) { return -(t + t * 5.9604644775390625e-8f); }

constexpr CodeTable kTable = MakeCodeTable({
    {Below(0.8333333f), Below(0.583333f), Below(0.4166667f), Below(0.29166667f),
     Below(0.20833333f), Below(0.0859375f), Below(0.00260417f), -FLT_MIN,
     0.00260417f, 0.0859375f, 0.20833333f, 0.29166667f, 0.4166667f, 0.583333f,
     0.8333333f},
    {11, 10, 13, 12, 15, 14, 9, 8, 0, 1, 6, 7, 4, 5, 2, 3},
    {0.0f, 0.0052083333f, 0.6666667f, 1.0f, 0.33333334f, 0.5f, 0.16666667f,
     0.25f, -0.0f, -0.0052083333f, -0.6666667f, -1.0f, -0.33333334f, -0.5f,
     -0.16666667f, -0.25f},
    /*buckets=*/31.0f,
    /*mirrored=*/true,
});

int32_t Encode(float x, Params params, const CodeRule&, uint32_t) {
  return TableEncode(kTable, x, params);
}

float Decode(int32_t code, Params params, const CodeRule&) {
  return kTable.values[code] * params.scale;
}

}  // namespace

extern const Format k_fp4;
const Format k_fp4 = {
    5,
    "fp4",
    "4-bit floating point as bitsandbytes (not OCP E2M1)",
    /*min_group=*/1,
    kScaled,
    Packing::kBits4High,
    /*bias=*/0,
    /*first_invalid=*/0,
    /*padding=*/0,
    &kTable,
    Statistic::kAbsMax,
    TableCodes,
    EachRange<TableParams>,
    Encode,
    Decode,
    TableKernels,
    /*small_float=*/nullptr,
    TableDivisor,
};

}  // namespace bnq
