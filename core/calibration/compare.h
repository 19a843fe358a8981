// How the values of two arrays, and their differences, are distributed.
#ifndef BNQ_CORE_CALIBRATION_COMPARE_H_
#define BNQ_CORE_CALIBRATION_COMPARE_H_

#include <cstdint>
#include <vector>

#include "core/base/context.h"
#include "core/base/shape.h"
#include "core/tensor/metrics.h"
#include "core/tensor/tensor.h"

namespace bnq {

// As bnq_compare_histogram defines them.
struct ErrorHistogram {
  std::vector<uint64_t> counts;
  double max_error = 0.0;
  double kl = 0.0;
};

// NO_DATA for no elements, NON_FINITE naming the array, INVALID_ARGUMENT where
// shapes differ.
ErrorHistogram CompareHistogram(const Context& context,
                                const ArrayView& original,
                                const ArrayView& other, uint32_t bins);
ErrorHistogram CompareHistogram(const Context& context,
                                const ArrayView& original,
                                const QuantizedTensor& tensor, uint32_t bins);

}  // namespace bnq

#endif  // BNQ_CORE_CALIBRATION_COMPARE_H_
