// Reductions: ranges and sums of chunks, by the best target of this CPU.
#ifndef BNQ_CORE_KERNELS_REDUCE_H_
#define BNQ_CORE_KERNELS_REDUCE_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/kernels/chunk.h"
#include "core/scheme/format.h"

namespace bnq {

// A chunk's contribution to a range. Merging is exact and order-free but for
// abs_sum, which is merged in chunk order.
struct Partial {
  double abs_sum = 0.0;
  float min = 0.0f, max = 0.0f;  // of the values and 0
  // Greatest bit pattern of |x|: its order is that of the values, with
  // infinity and NaN above all.
  uint32_t abs_bits = 0;
  // The first value of the greatest |x|, where Statistic::kExtreme was asked
  // for. Merged in order, too.
  float extreme = 0.0f;
  // Of the values alone, where Statistic::kExtent was asked for.
  float least = HUGE_VALF, most = -HUGE_VALF;

  void Merge(const Partial& next) {
    abs_sum += next.abs_sum;
    if (next.abs_bits > abs_bits) extreme = next.extreme;
    if (next.min < min) min = next.min;
    if (next.max > max) max = next.max;
    if (next.abs_bits > abs_bits) abs_bits = next.abs_bits;
    if (next.least < least) least = next.least;
    if (next.most > most) most = next.most;
  }
  bool finite() const { return abs_bits < 0x7F800000u; }
  // Of `count` elements; {0, 0} for none.
  Range ToRange(Statistic statistic, uint64_t count) const {
    Range range;
    if (count == 0) return range;
    switch (statistic) {
      case Statistic::kAbsMax:
        std::memcpy(&range.hi, &abs_bits, sizeof range.hi);
        range.lo = -range.hi;
        break;
      case Statistic::kMinMax:
        range.lo = min;
        range.hi = max;
        break;
      case Statistic::kExtent:
        range.lo = least;
        range.hi = most;
        break;
      case Statistic::kExtreme:
        (extreme < 0.0f ? range.lo : range.hi) = extreme;
        break;
      case Statistic::kAbsMean:
        range.hi = static_cast<float>(
            abs_sum / static_cast<double>(static_cast<int64_t>(count)));
        range.lo = -range.hi;
        break;
    }
    return range;
  }
};

// One chunk: count <= kChunk floats, of which `readable` >= count may be read.
Partial Reduce(const float* x, size_t count, size_t readable,
               Statistic statistic);
// Adds |x|, min, max, bits of each of count columns to running values.
void AccumulateColumns(const float* x, size_t count, double* abs_sum,
                       float* min, float* max, uint32_t* abs_bits);
// Sum of count <= kChunk doubles in lane order.
double SumLanes(const double* x, size_t count);

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_REDUCE_H_
