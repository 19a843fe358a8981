// Quantizing with parameters that are given instead of found.
#ifndef BNQ_CORE_TENSOR_STATIC_H_
#define BNQ_CORE_TENSOR_STATIC_H_

#include <cstdint>
#include <memory>

#include "core/base/context.h"
#include "core/base/shape.h"
#include "core/tensor/tensor.h"

namespace bnq {

// As bnq_tensor_quantize_static; scales and zero points are as many as
// SizesOf(config, array.shape) says. *clamped may be nullptr.
std::unique_ptr<QuantizedTensor> QuantizeStatic(
    const Context& context, const Config& config, const ArrayView& array,
    const float* scales, const int8_t* zero_points, uint64_t* clamped);

// The parameters for values in a range, whatever rule config names.
Params ParamsOfRange(const Config& config, Range range);

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_STATIC_H_
