// What formats have in common whose values are a codebook that is fitted to the
// tensor. The fit is core/tensor/codebook.h's; codes are those of any table.
#ifndef BNQ_CORE_FORMATS_CODEBOOK_H_
#define BNQ_CORE_FORMATS_CODEBOOK_H_

#include "core/formats/table.h"
#include "core/kernels/table.h"

namespace bnq {

// A format's functions, for its row. kStart: 2^bits values.
template <int kCount, const float* kStart>
struct CodebookOf {
  static CodeRange Codes(const Variant&) { return {0, kCount - 1}; }

  // The extreme stands for about 1.
  static Params Parameters(Range range, const Variant&) {
    Params params;
    const float m = -range.lo > range.hi ? -range.lo : range.hi;
    if (m == 0.0f) return params;
    params.scale = UsableScale(m, static_cast<int32_t>(kGreatestEntry));
    if (-range.lo > range.hi) params.scale = -params.scale;
    return params;
  }

  static int32_t Encode(float x, Params params, const CodeRule& rule,
                        uint32_t) {
    return TableEncode(*rule.table, x, params);
  }

  static float Decode(int32_t code, Params params, const CodeRule& rule) {
    return rule.table->values[code] * params.scale;
  }

  static constexpr Format Row(int32_t id, const char* name,
                              const char* description, Packing packing) {
    return {id,
            name,
            description,
            /*min_group=*/1,
            kScaled | kCodebook,
            packing,
            /*bias=*/0,
            /*first_invalid=*/0,
            /*padding=*/0,
            /*table=*/nullptr,
            Statistic::kExtreme,
            Codes,
            EachRange<Parameters>,
            Encode,
            Decode,
            TableKernels,
            /*small_float=*/nullptr,
            TableDivisor,
            kStart};
  }
};

}  // namespace bnq

#endif  // BNQ_CORE_FORMATS_CODEBOOK_H_
