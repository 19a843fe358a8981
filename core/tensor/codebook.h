// The values of a format's codebook for a tensor.
#ifndef BNQ_CORE_TENSOR_CODEBOOK_H_
#define BNQ_CORE_TENSOR_CODEBOOK_H_

#include <vector>

#include "core/tensor/quantizer.h"

namespace bnq {

// Lloyd's algorithm (1982, "Least squares quantization in PCM"), eight rounds
// from the format's start, on all of a tensor of up to 64 Ki weights or a
// sample of as many, evenly spaced. A round chooses each segment's scale s for
// the codebook of the last one (the extreme; under scale_rule = mse the best of
// it times 0.79, 0.82, .. 1.24, then the least-squares scale of its codes), and
// each entry becomes sum(w s x) / sum(w s^2) of the weights x whose code it is;
// w: their importance. One that is nobody's code shares those of the entry with
// the greatest error. In a fixed order, in float64. Of what is not finite
// nothing is said here: who codes it will.
std::vector<float> FitCodebook(const Quantizer& quantizer);

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_CODEBOOK_H_
