// How much was lost: metrics between an array and another, or a quantized
// tensor.
#ifndef BNQ_CORE_TENSOR_METRICS_H_
#define BNQ_CORE_TENSOR_METRICS_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "core/base/context.h"
#include "core/base/shape.h"
#include "core/kernels/compare.h"
#include "core/tensor/dequantize.h"
#include "core/tensor/slices.h"
#include "core/tensor/tensor.h"

namespace bnq {

// Positions are those of BNQ_METRIC_*.
enum class Metric { kMse, kMae, kMaxError, kSqnrDb, kCosine };
constexpr int kNumMetrics = 5;
const char* MetricName(int index);  // nullptr outside the list

struct Metrics {
  double values[kNumMetrics];
  static Metrics None();  // NaN throughout
};

// Sums over pairs of elements, fed in slices. The sums are those of chunks of
// kChunk elements in order: the same for any slices that end on a chunk.
class ErrorSums {
 public:
  // Puts elements [begin, begin + count) of one side into out, with room for
  // kLanes more; called from several threads.
  using Side = std::function<void(uint64_t begin, size_t count, float* out)>;

  // Also sums squares of errors and of a's elements times weights of their
  // columns, which must outlive this.
  void SetWeights(const float* weights, uint64_t columns) {
    weights_ = weights;
    columns_ = columns;
  }
  // Elements [begin, end) of both.
  void Add(const Context& context, uint64_t begin, uint64_t end, const Side& a,
           const Side& b);
  uint64_t count() const { return count_; }
  // Whether all values so far were finite.
  bool finite() const;
  // NO_DATA where nothing was added.
  Metrics Result() const;
  // Sum of squares of errors, and of a's elements; weighted where weights are
  // set.
  double error_energy() const {
    return weights_ ? weighted_.error : total_.sum_sq_error;
  }
  double energy() const { return weights_ ? weighted_.value : total_.sum_aa; }

 private:
  struct Weighted {
    double error = 0.0, value = 0.0;
  };
  Weighted WeightedChunk(const float* a, const float* b, uint64_t at,
                         size_t count) const;

  const float* weights_ = nullptr;
  uint64_t columns_ = 1;
  Weighted weighted_;
  ErrorPartial total_;
  uint64_t count_ = 0;
};

ErrorSums::Side ArraySide(const ArrayView& array);
ErrorSums::Side TensorSide(const Dequantizer& dequantizer);

// The metrics of an array that is quantized slice by slice. Sums are of whole
// chunks, so what a slice has beyond its last chunk is kept for the next.
class MetricsSink : public SliceSink {
 public:
  MetricsSink(const Context& context, const ArrayView& original)
      : context_(context), original_(ArraySide(original)), carry_(kChunk) {}
  void Take(const QuantizedSlice& slice) override;
  // NO_DATA where there was no slice.
  Metrics Result() const { return sums_.Result(); }
  ErrorSums& sums() { return sums_; }

 private:
  const Context& context_;
  ErrorSums::Side original_;
  ErrorSums sums_;
  std::vector<float> carry_;
};

// INVALID_ARGUMENT where shapes differ, NO_DATA where they have no elements.
void CheckComparable(const Shape& original, const Shape& other);

// INVALID_ARGUMENT where shapes differ, NON_FINITE naming the array and index.
Metrics Compare(const Context& context, const ArrayView& original,
                const ArrayView& other);
Metrics Compare(const Context& context, const ArrayView& original,
                const QuantizedTensor& tensor);

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_METRICS_H_
