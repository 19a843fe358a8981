// SIMD that is no format's: reading and writing element types, reductions.
#ifndef BNQ_CORE_KERNELS_COMMON_H_
#define BNQ_CORE_KERNELS_COMMON_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/base/dtype.h"
#include "core/base/error.h"
#include "core/scheme/format.h"

namespace bnq {

// Elements of a chunk: sums are taken within chunks in a fixed order of lanes,
// then over the chunks in order, so that neither the vector length nor the
// number of threads changes them.
constexpr size_t kChunk = 4096;
// Lanes of a chunk's sum: element i belongs to lane i % 16; lanes l and l + 8
// are added first, then l and l + 4, and so on.
constexpr size_t kLanes = 16;

// An array to be read as float32, and what is done to its values on the way.
struct SourceView {
  const uint8_t* data = nullptr;
  DType dtype = DType::kF32;
  bool zero_non_finite = false;
  float clip = 0.0f;       // 0: none
  float threshold = 0.0f;  // |x| of this much or more count as 0; 0: none

  size_t element_size() const {
    return dtype == DType::kF64 ? 8 : dtype == DType::kF32 ? 4 : 2;
  }
  // The floats can be used where they are.
  bool direct() const {
    return dtype == DType::kF32 && !zero_non_finite && clip == 0.0f &&
           threshold == 0.0f &&
           reinterpret_cast<uintptr_t>(data) % sizeof(float) == 0;
  }
};

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

  void Merge(const Partial& next) {
    abs_sum += next.abs_sum;
    if (next.abs_bits > abs_bits) extreme = next.extreme;
    if (next.min < min) min = next.min;
    if (next.max > max) max = next.max;
    if (next.abs_bits > abs_bits) abs_bits = next.abs_bits;
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

// A chunk's contribution to the metrics.
struct ErrorPartial {
  double sum_sq_error = 0.0;
  double sum_abs_error = 0.0;
  double sum_aa = 0.0;
  double sum_bb = 0.0;
  double sum_ab = 0.0;
  double max_error = 0.0;

  void Merge(const ErrorPartial& next) {
    sum_sq_error += next.sum_sq_error;
    sum_abs_error += next.sum_abs_error;
    sum_aa += next.sum_aa;
    sum_bb += next.sum_bb;
    sum_ab += next.sum_ab;
    if (next.max_error > max_error) max_error = next.max_error;
  }
};

struct CommonKernels {
  // count elements from index `begin` of the source to floats. May write
  // kLanes floats behind them.
  void (*load)(const SourceView& source, uint64_t begin, size_t count,
               float* out);
  // count floats to out (F32, F16, BF16), rounded to nearest even; out may be
  // unaligned. `stream`: past the caches; FlushStream must follow before
  // another thread reads them.
  void (*store)(const float* in, size_t count, DType dtype, bool stream,
                uint8_t* out);
  // Bytes to out; `stream` as above.
  void (*write_codes)(const uint8_t* in, size_t bytes, bool stream,
                      uint8_t* out);
  // One chunk: count <= kChunk floats, of which `readable` >= count may be
  // read.
  Partial (*reduce)(const float* x, size_t count, size_t readable,
                    Statistic statistic);
  // Adds |x|, min, max, bits of each of count columns to running values.
  void (*accumulate_columns)(const float* x, size_t count, double* abs_sum,
                             float* min, float* max, uint32_t* abs_bits);
  // Sum of count <= kChunk doubles in lane order.
  double (*sum_lanes)(const double* x, size_t count);
  // Words begin to begin + count - 1 of the seed's stream of Philox4x32-10, for
  // stochastic rounding.
  void (*random)(uint64_t seed, uint64_t begin, size_t count, uint32_t* out);
  // One chunk of the metrics: count <= kChunk.
  ErrorPartial (*compare)(const float* a, const float* b, size_t count);
};

// For the best target of this CPU.
const CommonKernels& GetCommonKernels();

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_COMMON_H_
