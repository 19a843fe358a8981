// The sums that metrics are made of, by the best target of this CPU.
#ifndef BNQ_CORE_KERNELS_COMPARE_H_
#define BNQ_CORE_KERNELS_COMPARE_H_

#include <cstddef>

#include "core/kernels/chunk.h"

namespace bnq {

// A chunk's contribution to the metrics.
struct ErrorPartial {
  double sum_sq_error = 0.0;
  double sum_abs_error = 0.0;
  double sum_aa = 0.0;
  double sum_bb = 0.0;
  double sum_ab = 0.0;
  double max_error = 0.0;

  void Merge(const ErrorPartial& next) {
    sum_sq_error += next.sum_sq_error;
    sum_abs_error += next.sum_abs_error;
    sum_aa += next.sum_aa;
    sum_bb += next.sum_bb;
    sum_ab += next.sum_ab;
    if (next.max_error > max_error) max_error = next.max_error;
  }
};

// One chunk: count <= kChunk.
ErrorPartial CompareChunk(const float* a, const float* b, size_t count);

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_COMPARE_H_
