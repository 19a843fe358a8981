// Parameters of a whole array before its codes.
#ifndef BNQ_CORE_TENSOR_FIND_PARAMS_H_
#define BNQ_CORE_TENSOR_FIND_PARAMS_H_

#include <cstdint>
#include <functional>

#include "core/scheme/params.h"
#include "core/tensor/quantizer.h"

namespace bnq {

// Called after elements [begin, end) have been read once; may throw to cancel.
using PassHook = std::function<void(uint64_t begin, uint64_t end)>;

// All parameters, as the config's rule makes them, as float32; always possible.
// On the context's threads. NON_FINITE names the first index.
void FindParams(Quantizer* quantizer, ParamSpan params, const PassHook& hook);

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_FIND_PARAMS_H_
