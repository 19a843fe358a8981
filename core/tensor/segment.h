// The elements of a tensor that share parameters.
#ifndef BNQ_CORE_TENSOR_SEGMENT_H_
#define BNQ_CORE_TENSOR_SEGMENT_H_

#include <cstddef>
#include <cstdint>

#include "core/kernels/elements.h"
#include "core/scheme/layout.h"

namespace bnq {

// Borrows the source and the layout.
class Segment {
 public:
  Segment(const SourceView& source, const Layout& layout, uint64_t param);
  uint64_t count() const { return count_; }
  // Elements [begin, begin + n) in order, n + kLanes floats of room.
  void Read(uint64_t begin, size_t n, float* out) const;

 private:
  const SourceView& source_;
  const Layout& layout_;
  uint64_t param_, first_, count_;
};

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_SEGMENT_H_
