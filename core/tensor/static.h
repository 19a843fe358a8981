// Quantizing with parameters that are given instead of found.
#ifndef BNQ_CORE_TENSOR_STATIC_H_
#define BNQ_CORE_TENSOR_STATIC_H_

#include <cstdint>
#include <memory>

#include "core/base/context.h"
#include "core/base/shape.h"
#include "core/scheme/params.h"
#include "core/tensor/tensor.h"

namespace bnq {

// As bnq_tensor_quantize_static; `given` are as many as PartSizes says at
// least. *clamped may be nullptr.
std::unique_ptr<QuantizedTensor> QuantizeStatic(const Context& context,
                                                const Config& config,
                                                const ArrayView& array,
                                                const ParamSet& given,
                                                uint64_t* clamped);

// The parameters to code with, as config stores scales; `sizes` says how many.
// INVALID_ARGUMENT names one that cannot be used.
ParamSet UsableParams(const Config& config, const Format& format,
                      const Parts& sizes, const ParamSet& given);
// UNSUPPORTED for a format without parameters that may be given.
void CheckTakesParams(const Format& format);

// The parameters for values in a range, whatever rule config names.
Params ParamsOfRange(const Config& config, Range range);

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_STATIC_H_
