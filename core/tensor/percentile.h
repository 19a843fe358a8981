// The range that holds a percentage of a segment's values: the scale rule
// percentile.
#ifndef BNQ_CORE_TENSOR_PERCENTILE_H_
#define BNQ_CORE_TENSOR_PERCENTILE_H_

#include "core/base/context.h"
#include "core/scheme/config.h"
#include "core/scheme/format.h"
#include "core/tensor/segment.h"

namespace bnq {

// Symmetric: -m to m, m the value of rank ceil(p n / 100), at least 1, among
// the n values of |x|. Asymmetric: what is left after as many values as are in
// (100 - p) / 2 percent, rounded down, have gone at each end. Ranks are exact
// (base/portable_math.h). `values`: the segment's in memory, or nullptr to read
// them, as often as it takes. segment.count() > 0; all values are finite.
Range PercentileRange(const Context& context, const Config& config,
                      const Segment& segment, const float* values);

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_PERCENTILE_H_
