// From sums of products to outputs: scales and zero points, outlier columns,
// bias and function, as floats or codes. bnq.h has the definition.
#ifndef BNQ_CORE_OPS_OUTPUTS_H_
#define BNQ_CORE_OPS_OUTPUTS_H_

#include <cstddef>
#include <cstdint>

#include "core/kernels/dot_finish.h"
#include "core/ops/inputs.h"
#include "core/ops/linear.h"
#include "core/ops/matrix.h"

namespace bnq {

// Of a layer and a matrix: row m of y is that of row m of the inputs. Weights
// are counted as the layer's, of which y may have some alone.
class Outputs {
 public:
  // y's first output is that of weight `first`. Whether sums are those of
  // products of integers. Without inputs, only Finish and ScalesOfSums. All
  // that is given must live as long.
  Outputs(const Linear& linear, bool integers, const Matrix& y, uint64_t first,
          const InputRows* inputs = nullptr);

  // Weights of one call, but of Finish.
  static constexpr size_t kMost = 32;
  // Of some weights: what their sums are multiplied by, of the row of inputs
  // that was last.
  struct OfSums {
    float x_scale = -1.0f;  // none has that
    float scales[kMost];
  };
  // Of weights [n, n + count), one scale each.
  struct Weights {
    uint64_t n;
    size_t count;
    const float* scales;
    const int8_t* zero_points;
    const float* offsets = nullptr;  // of Long
  };
  // Of `rows` rows of inputs from m on: sums of u * q, [rows][sums_stride], and
  // of u where one has a zero point.
  void Whole(uint64_t m, size_t rows, const Weights& weights,
             const int32_t* sums, size_t sums_stride, const int32_t* code_sums,
             OfSums* of_sums) const;
  // What sums are multiplied by in all, of inputs of one scale.
  void ScalesOfSums(float x_scale, const float* scales, size_t count,
                    float* out) const;
  // Outputs of args' rows from m on and of its weights from n on, any number
  // of them; args says nothing of bias and outputs.
  void Finish(uint64_t m, uint64_t n, FinishArgs args) const;
  // The same of sums that int32 may not hold; or as those of groups, where
  // the one group of a row has an offset.
  void Long(uint64_t m, const Weights& weights, const int64_t* sums,
            const int64_t* code_sums) const;
  // Sums of all groups, multiplied by their scales, to an output that Store
  // takes.
  float OfGroups(uint64_t m, uint64_t n, double sum) const;
  // Sums of products of floats.
  void Floats(uint64_t m, uint64_t n, size_t count, float* sums) const;
  // Numbers that lack the function, to outputs; y is overwritten.
  void Store(uint64_t m, uint64_t n, size_t count, float* y) const;

  // Of weight n; nullptr: none.
  const float* bias(uint64_t n) const;

 private:
  void FinishRows(uint64_t m, uint64_t n, const FinishArgs& args) const;
  float ScaleOfSum(float x_scale, float scale) const;
  // Adds what outlier columns and the bias make.
  void AddRest(uint64_t m, uint64_t n, size_t count, float* y) const;

  const Linear& linear_;
  const IntegerWeights& weights_;
  const Matrix& y_;
  const uint64_t first_;
  const InputRows* const inputs_;
  const bool requantizes_;  // sums become codes in one step
};

}  // namespace bnq

#endif  // BNQ_CORE_OPS_OUTPUTS_H_
