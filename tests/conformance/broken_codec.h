// A codec with a defect that only ties and near-ties show: it truncates.
#ifndef BNQ_TESTS_CONFORMANCE_BROKEN_CODEC_H_
#define BNQ_TESTS_CONFORMANCE_BROKEN_CODEC_H_

#include "core/scheme/format.h"

namespace bnq_test {

// For the target that the file is compiled for without more.
const bnq::Kernels& BrokenKernels();

}  // namespace bnq_test

#endif  // BNQ_TESTS_CONFORMANCE_BROKEN_CODEC_H_
