// What lies beyond the last codes.
#ifndef BNQ_CORE_TENSOR_CLIPPING_H_
#define BNQ_CORE_TENSOR_CLIPPING_H_

#include <cstdint>
#include <vector>

#include "core/base/context.h"
#include "core/base/shape.h"
#include "core/kernels/elements.h"
#include "core/scheme/layout.h"
#include "core/scheme/params.h"
#include "core/tensor/tensor.h"

namespace bnq {

// What of v = (x - offset) / scale is not clipped, inclusive: a code of an
// integer format is the nearest integer, ties to even, before it is clamped.
struct Reach {
  float lo, hi;
};
Reach ReachOf(const Format& format, CodeRange codes, int32_t zero_point);

// An array's elements that a code beyond those there are would be nearer to.
// Those of outlier columns are none of them.
class Clipping {
 public:
  Clipping(const Config& config, const ArrayView& array, const Layout& layout,
           const Outliers& outliers);

  // Of elements [begin, end), with parameters from param_base on; a byte for
  // each, from `mask` on unless that is nullptr: 1 where it is clipped, else 0.
  // Their number. On the context's threads.
  uint64_t Find(const Context& context, uint64_t begin, uint64_t end,
                const ParamSpan& params, uint64_t param_base,
                uint8_t* mask) const;

 private:
  uint64_t FindOnThread(uint64_t begin, uint64_t end, const ParamSpan& params,
                        uint64_t param_base, uint8_t* mask) const;

  const SourceView source_;
  const Layout& layout_;
  const Format& format_;
  const CodeRange range_;
  const int32_t zero_point_;  // where parameters have none
  const uint64_t features_;
  std::vector<uint8_t> left_out_;  // by feature; empty: none
};

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_CLIPPING_H_
