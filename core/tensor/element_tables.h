#ifndef BNQ_CORE_TENSOR_ELEMENT_TABLES_H_
#define BNQ_CORE_TENSOR_ELEMENT_TABLES_H_

#include <algorithm>
#include <cstdint>

#include "core/base/context.h"
#include "core/kernels/traversal.h"
#include "core/scheme/format.h"
#include "core/scheme/layout.h"

namespace bnq {

// Tables of one entry for each column of a period, with a vector's slack.
struct ElementTables {
  static uint64_t Stride(const Layout& layout) { return layout.period() + 64; }
  static Buffer Allocate(const Context& context, const Layout& layout) {
    return context.Allocate(3 * sizeof(float) * Stride(layout));
  }
  static ElementParams Fill(const Layout& layout, const float* scales,
                            const int8_t* zero_points, const float* offsets,
                            float* tables) {
    const uint64_t stride = Stride(layout);
    float* const inv_scale = tables;
    float* const scale = tables + stride;
    float* const shift = tables + 2 * stride;
    std::fill(tables, tables + 3 * stride, 0.0f);
    for (uint64_t c = 0; c < layout.period(); ++c) {
      const uint64_t p = c / layout.run;
      inv_scale[c] = InverseScale(scales[p]);
      scale[c] = scales[p];
      shift[c] = offsets       ? offsets[p]
                 : zero_points ? static_cast<float>(zero_points[p])
                               : 0.0f;
    }
    return {inv_scale, scale, shift};
  }
};

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_ELEMENT_TABLES_H_
