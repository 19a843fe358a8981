// What softmax and normalisations do to a row of floats. Sums are of float64
// in kLanes lanes (element i belongs to lane i % kLanes), which are folded at
// the end as those of a chunk (chunk.h): the same bytes on every target.
#ifndef BNQ_CORE_KERNELS_NORMALIZE_H_
#define BNQ_CORE_KERNELS_NORMALIZE_H_

#include <cstddef>

namespace bnq {

// The sum of x[i].
double SumOf(const float* x, size_t count);
// The sum of (x[i] - center)^2 in float64.
double SquaresAround(const float* x, size_t count, double center);

// What follows is told which row will be read next: it is fetched meanwhile,
// and may be any address.

// y[i] = (x[i] - center) * factor * weight[i] + bias[i] in float64, rounded
// once; without what is nullptr. y may be x.
void NormalizeRow(const float* x, size_t count, double center, double factor,
                  const float* weight, const float* bias, const float* next,
                  float* y);

// y[i] = e^(x[i] - m) / sum, where m is the greatest x and the sum one of
// e^(x[i] - m): the difference rounded to float32, the power within 1 ulp, then
// times the reciprocal of the sum, rounded to float32. All of y is NaN where an
// x is NaN or +infinity; 0 where all x are -infinity. y may be x.
void SoftmaxRow(const float* x, size_t count, const float* next, float* y);

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_NORMALIZE_H_
