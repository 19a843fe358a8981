// What a search makes small: the error of a segment's values under parameters.
#ifndef BNQ_CORE_OPTIMIZE_OBJECTIVE_H_
#define BNQ_CORE_OPTIMIZE_OBJECTIVE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/kernels/chunk.h"
#include "core/optimize/optimize.h"
#include "core/scheme/format.h"

namespace bnq {

// Elements of a segment between two ticks.
constexpr uint64_t kTickElements = uint64_t{1} << 18;

// Values quantized and dequantized: n <= kChunk of x into y, with room for
// kLanes more.
void RoundTrip(const Format& format, const Variant& variant, const float* x,
               size_t n, Params params, float* y);

// Of the values of one segment, which are borrowed. Least is best.
//
//   mse      mean of w (x - y)^2, y being x quantized and dequantized, w the
//            importance of its column, 1 where there is none
//   cosine   1 - sum xy / sqrt(sum x^2 sum y^2); 0 where both are 0 throughout,
//            1 where one of them is
//   kl       sum over bins of p ln(p / q): p is the share of the x in a bin of
//            the range of x, which has min(bins, max(16, count / 4)) equal
//            ones; q is the same after every code's mass has been spread evenly
//            over the bins that are not empty and whose middle has that code.
//            So it is 0 where nothing varies within a code, and grows with what
//            clipping and coarse codes blur.
//   custom   what the caller's function says
class SegmentObjective {
 public:
  // The context's tick is called within long sums.
  SegmentObjective(const Context& context, const Format& format,
                   const Variant& variant, const OptimizeOptions& options,
                   const CustomMetric& metric, const float* x, uint64_t count,
                   const float* weights = nullptr);
  // For comparisons between candidates; of mse from sums of float32. From
  // several threads at once, but custom.
  double Error(Params params) const;
  // Exactly: of mse from sums of float64.
  double Exact(Params params) const;

 private:
  double Kl(Params params) const;
  double FromSums(Params params) const;
  double Custom(Params params) const;

  const Context& context_;
  const Format& format_;
  const Variant& variant_;
  ObjectiveKind kind_;
  const CustomMetric& metric_;
  const float* x_;
  uint64_t count_;
  const float* weights_;
  CodeRule rule_;
  float unit_ = 1.0f;
  std::vector<uint64_t> bins_;
  double first_ = 0.0, width_ = 0.0;
  mutable std::vector<float> y_;
};

}  // namespace bnq

#endif  // BNQ_CORE_OPTIMIZE_OBJECTIVE_H_
