// The elements of a tensor that share parameters.
#ifndef BNQ_CORE_TENSOR_SEGMENT_H_
#define BNQ_CORE_TENSOR_SEGMENT_H_

#include <cstddef>
#include <cstdint>

#include "core/kernels/elements.h"
#include "core/scheme/layout.h"

namespace bnq {

// A factor of the squared error of each column of the last dimension, finite
// and not negative, as E[x^2] of a layer's inputs is.
struct Importance {
  const float* weights = nullptr;  // nullptr: 1 for all
  uint64_t features = 1;
};

// Borrows the source.
class Segment {
 public:
  Segment(const SourceView& source, const Layout& layout, uint64_t param);
  uint64_t count() const { return elements_.count(); }
  // Elements [begin, begin + n) in order, n + kLanes floats of room.
  void Read(uint64_t begin, size_t n, float* out) const;
  // Their columns' weights, of which there are some.
  void Weights(const Importance& importance, uint64_t begin, size_t n,
               float* out) const;

 private:
  // f(element, count, where in the elements asked for) for those that lie
  // together.
  template <class F>
  void ForRuns(uint64_t begin, size_t n, const F& f) const;

  const SourceView& source_;
  const Layout::Spread elements_;
};

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_SEGMENT_H_
