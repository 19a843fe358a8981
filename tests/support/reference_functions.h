// Activation functions and normalisations one number at a time, by the
// definitions of kernels/function-inl.h and bnq.h, sharing no code with them.
#ifndef BNQ_TESTS_SUPPORT_REFERENCE_FUNCTIONS_H_
#define BNQ_TESTS_SUPPORT_REFERENCE_FUNCTIONS_H_

#include <vector>

#include "core/kernels/function.h"

namespace bnq_test {

float ReferenceFunction(bnq::Function function, float slope, float x);

std::vector<float> ReferenceSoftmax(const std::vector<float>& x);
// Without what is empty.
std::vector<float> ReferenceNorm(const std::vector<float>& x, bool centered,
                                 double eps, const std::vector<float>& weight,
                                 const std::vector<float>& bias);

}  // namespace bnq_test

#endif  // BNQ_TESTS_SUPPORT_REFERENCE_FUNCTIONS_H_
