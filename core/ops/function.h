// Functions of one number: their names, and float64's results.
#ifndef BNQ_CORE_OPS_FUNCTION_H_
#define BNQ_CORE_OPS_FUNCTION_H_

#include <cstdint>
#include <string>

#include "core/base/options.h"
#include "core/kernels/function.h"

namespace bnq {

// Of each, with what it is.
extern const NamedValue kFunctionNames[kNumFunctions];
// Its name and what it is; a name of nullptr where there is no such function.
NamedValue FunctionAt(int32_t id);
// INVALID_ARGUMENT lists the names.
Function FunctionNamed(const std::string& text);

// The function of a finite x in float64, within 1e-12 of the result, by the
// same operations everywhere: what tables are made of.
double ExactValue(Function function, double slope, double x);

}  // namespace bnq

#endif  // BNQ_CORE_OPS_FUNCTION_H_
