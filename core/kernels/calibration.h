// What observing does to every element, in SIMD: the summary of a chunk, and
// the tally of its bins. The results are the same on every target.
#ifndef BNQ_CORE_KERNELS_CALIBRATION_H_
#define BNQ_CORE_KERNELS_CALIBRATION_H_

#include <cstddef>
#include <cstdint>

namespace bnq {

// Powers whose sums are kept: x, |x|, x^2, x^3, x^4.
constexpr int kNumSums = 5;

// Of at most kChunk values. The sums are those of kernels/chunk.h: 16 lanes of
// float64. Where abs_bits says that a value is not finite, the rest is void.
struct Summary {
  float min = 0.0f, max = 0.0f;
  uint32_t abs_bits = 0;  // the greatest bit pattern of |x|
  uint32_t zeros = 0;     // of either sign
  double sums[kNumSums] = {};

  bool finite() const { return abs_bits < 0x7F800000u; }
};

// Fine bins split each octave of magnitudes, and each uniform bin near 0, into
// bins of the same mantissa: they have the 23 - kFineBits low bits of a float32
// in common. core/calibration/histogram.h says what they are for.
constexpr int kFineBits = 6;
constexpr int kFineShift = 23 - kFineBits;
constexpr int32_t kFineZone = 1 << kFineBits;

// Value x is in bin floor(x / width) - base, where inv_width = 1 / width is a
// power of 2, and the magnitude of that floor at most 2^22.
//
// With zero >= 0 the values whose floor is in -kFineZone .. kFineZone - 1 are
// counted in fine bins instead: 0 in `zero`, others behind it, two to each key,
// the second of negative values. The key is that of the bits of |x|, less 1
// where x is negative, shifted right by kFineShift; first_key is the first.
//
// All bins are in 0..last, which is below 65536; memory that changes while it
// is observed (a mapped file) makes the counts wrong, and touches nothing else.
struct BinMap {
  float inv_width = 1.0f;
  int32_t base = 0;
  int32_t last = 0;
  int32_t zero = -1;
  int32_t first_key = 0;
};

// Elements count in kSubs sub-histograms by turns, so that a run of equal
// values does not wait for one counter. The counters have 16 bits: they must be
// flushed after kMaxTally elements.
constexpr size_t kSubs = 4;
constexpr size_t kMaxTally = 61440;

struct CalibrationKernels {
  // 0 < count <= kChunk. Without `moments` the sums are 0.
  void (*summarize)(const float* x, size_t count, bool moments, Summary* out);
  // One row of `count` columns: adds each value to its column's running
  // minimum, maximum, greatest bits of |x| and zeros.
  void (*columns)(const float* row, size_t count, float* min, float* max,
                  uint32_t* abs_bits, uint32_t* zeros);
  // The least magnitude that is not 0, as its bits less 1: UINT32_MAX where
  // there is none.
  uint32_t (*least)(const float* x, size_t count);
  // The same of columns, with their running minimum.
  void (*columns_least)(const float* row, size_t count, uint32_t* least);
  // Columns to rows: element c of row r, at from + r * from_stride + c, goes to
  // to + c * to_stride + r.
  void (*transpose)(const float* from, size_t from_stride, size_t rows,
                    size_t columns, float* to, size_t to_stride);
  // Counts the bins of the values.
  void (*count)(const float* x, size_t count, const BinMap& map,
                uint64_t* counts);
  // The same in kSubs sub-histograms of `stride` counters, for many values.
  void (*tally)(const float* x, size_t count, const BinMap& map, size_t stride,
                uint16_t* subs);
  // Adds the sub-histograms' first `bins` counters to counts, and sets them to
  // 0.
  void (*flush)(size_t bins, size_t stride, uint16_t* subs, uint32_t* counts);
};

// For the best target of this CPU.
const CalibrationKernels& GetCalibrationKernels();

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_CALIBRATION_H_
