// nf4: 4-bit NormalFloat.
//
// Source   QLoRA (arXiv:2305.14314), as bitsandbytes stores it; its bytes with
//          granularity = block.
// Segment  scale = max |x|
// Code     v = x * (1 / scale); as many thresholds as v is above: those of
//          bitsandbytes' CUDA kernel, the midpoints of the values but for the
//          last bit of four of them
// Value    table[code] * scale
// Bytes    two codes each, the even element in the high half. A row starts on a
//          byte; the low half of an odd row's last byte is 7, the code of 0.
// Zero     an all-zero segment has scale 0, codes 7 and decodes to 0.
// Tails    a group or block may be short.

#include "core/formats/table.h"
#include "core/kernels/table.h"

namespace bnq {
namespace {

// Quantiles of the normal distribution. Not to be computed anew: the last bits
// would differ.
constexpr CodeTable kTable = MakeCodeTable({
    {-0.8480964004993439f, -0.6106329262256622f, -0.4599952697753906f,
     -0.33967943489551544f, -0.23460740596055984f, -0.13791173323988914f,
     -0.045525018125772476f, 0.03979014977812767f, 0.1202552504837513f,
     0.2035212516784668f, 0.2920137718319893f, 0.3893125355243683f,
     0.5016634166240692f, 0.6427869200706482f, 0.8614784181118011f},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {-1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
     -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0.0f,
     0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f,
     0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f,
     0.7229568362236023f, 1.0f},
    /*buckets=*/15.0f,
    /*mirrored=*/false,
});

int32_t Encode(float x, Params params, const CodeRule&, uint32_t) {
  return TableEncode(kTable, x, params);
}

float Decode(int32_t code, Params params, const CodeRule&) {
  return kTable.values[code] * params.scale;
}

}  // namespace

extern const Format k_nf4;
const Format k_nf4 = {
    4,
    "nf4",
    "4-bit NormalFloat of QLoRA, as bitsandbytes",
    /*min_group=*/1,
    kScaled,
    Packing::kBits4High,
    /*bias=*/0,
    /*first_invalid=*/0,
    /*padding=*/7,
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
