// Outlier columns, kept in 16 bits beside the codes: the decomposition of
// LLM.int8 (arXiv:2208.07339, section 3.2). A column of the last dimension is
// one where some |x| >= threshold.
#ifndef BNQ_CORE_TENSOR_OUTLIERS_H_
#define BNQ_CORE_TENSOR_OUTLIERS_H_

#include <cstdint>
#include <vector>

#include "core/base/context.h"
#include "core/base/shape.h"
#include "core/kernels/elements.h"
#include "core/kernels/overflow.h"
#include "core/tensor/tensor.h"

namespace bnq {

struct OutlierColumns {
  std::vector<uint32_t> columns;  // ascending
  std::vector<uint8_t> mask;      // by feature: 1, else 0; empty for none
  DType dtype = DType::kF16;
};

// `source` is the array, of `features` columns, without a threshold of its own.
OutlierColumns FindOutliers(const Context& context, const SourceView& source,
                            DType dtype, uint64_t elements, uint64_t features,
                            float threshold);
// The values of rows [begin, end), `columns` of each.
void GatherOutliers(const SourceView& source, uint64_t features,
                    const OutlierColumns& found, uint64_t begin, uint64_t end,
                    uint8_t* values);
// Puts those of elements [begin, begin + count) into out, which holds them as
// dtype. False where that does not hold one, and overflow is kError.
bool ScatterOutliers(const Outliers& outliers, uint64_t features,
                     uint64_t begin, uint64_t count, DType dtype,
                     Overflow overflow, uint8_t* out);

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_OUTLIERS_H_
