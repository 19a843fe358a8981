// Quantizing whole arrays into tensors in memory.
#ifndef BNQ_CORE_TENSOR_QUANTIZE_H_
#define BNQ_CORE_TENSOR_QUANTIZE_H_

#include <memory>

#include "core/base/context.h"
#include "core/base/shape.h"
#include "core/tensor/quantizer.h"
#include "core/tensor/slices.h"
#include "core/tensor/source.h"
#include "core/tensor/tensor.h"

namespace bnq {

// A tensor. Parts that have memory in `into` (of the sizes PartSizes says,
// aligned as PartInfo says) are written there, which must outlive it; the
// others are its own.
std::unique_ptr<QuantizedTensor> Quantize(const Context& context,
                                          const QuantizeJob& job,
                                          const Parts& into = Parts());
inline std::unique_ptr<QuantizedTensor> Quantize(const Context& context,
                                                 const Config& config,
                                                 const ArrayView& array) {
  return Quantize(context, QuantizeJob{config, array});
}

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_QUANTIZE_H_
