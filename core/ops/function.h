// Functions of one number, by name, and as float64 has them.
#ifndef BNQ_CORE_OPS_FUNCTION_H_
#define BNQ_CORE_OPS_FUNCTION_H_

#include "core/kernels/function.h"

#endif  // BNQ_CORE_OPS_FUNCTION_H_
