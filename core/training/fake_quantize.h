// Fake quantization: what quantizing and dequantizing makes of an array, as an
// array.
#ifndef BNQ_CORE_TRAINING_FAKE_QUANTIZE_H_
#define BNQ_CORE_TRAINING_FAKE_QUANTIZE_H_

#include <cstdint>

#include "core/base/context.h"
#include "core/base/shape.h"
#include "core/kernels/overflow.h"
#include "core/scheme/config.h"
#include "core/scheme/params.h"
#include "core/tensor/metrics.h"
#include "core/training/options.h"
#include "core/training/statistics.h"

namespace bnq {

struct FakeQuantizeJob {
  const Config& config;
  const TrainingOptions& training;
  const ArrayView& array;
  // Parameters that are given (static.h); nullptr: found as config says.
  const ParamSet* given = nullptr;

  // Elements of this type; may be the array's own, of the same size.
  DType dtype = DType::kF32;
  Overflow overflow = Overflow::kError;
  uint8_t* out = nullptr;

  // What else is wanted, or nullptr.
  uint8_t* clipped = nullptr;  // a byte for each element: 1, else 0
  uint64_t* clipped_count = nullptr;
  ParamSpan params = {};  // those that were decoded with, as many as there are
  Metrics* metrics = nullptr;                // of quantization alone
  TrainingStatistics* statistics = nullptr;  // a step of it is added
};

// One pass over memory where parameters can be found along with the values.
// Errors are those of Quantize and Dequantize; then the output is undefined.
void FakeQuantize(const Context& context, const FakeQuantizeJob& job);

}  // namespace bnq

#endif  // BNQ_CORE_TRAINING_FAKE_QUANTIZE_H_
