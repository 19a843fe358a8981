// Linear layers on quantized weights: y = function(x W^T + b). README.md has
// the definition.
#ifndef BNQ_CORE_OPS_LINEAR_H_
#define BNQ_CORE_OPS_LINEAR_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/context.h"
#include "core/ops/inputs.h"
#include "core/ops/matrix.h"
#include "core/ops/options.h"
#include "core/ops/weights.h"
#include "core/tensor/dequantize.h"
#include "core/tensor/tensor.h"

namespace bnq {

// Added to the outputs: as float32, or as integers to the sums of products of
// codes. Both empty: nothing.
struct Bias {
  bool given = false;  // also where there are no outputs
  std::vector<float> floats;
  std::vector<int32_t> integers;
};

// Immutable; any threads may run it at once.
class Linear {
 public:
  // What its options are those of.
  enum class Kind { kLinear, kConvolution };
  // Keeps the tensor. UNSUPPORTED, INVALID_ARGUMENT.
  Linear(const Context& context, const OperatorOptions& options,
         std::shared_ptr<const QuantizedTensor> weight, Bias bias,
         Kind kind = Kind::kLinear);
  Linear(const Linear&) = delete;

  uint64_t inputs() const { return columns_; }
  uint64_t outputs() const { return rows_; }
  const OperatorOptions& options() const { return options_; }
  const InputRule& rule() const { return rule_; }
  const QuantizedTensor& weight() const { return *weight_; }
  const IntegerWeights& integers() const { return integers_; }
  const Bias& bias() const { return bias_; }
  // Sums that int32 may not hold, or that are finished like those of groups.
  bool long_sums() const { return long_sums_; }
  // Bytes of a workspace for so many rows of x, the same on every CPU.
  uint64_t WorkspaceBytes(uint64_t rows) const;

  // y of x, whose shapes must fit; they do not overlap. `workspace` is aligned
  // to 64 bytes.
  struct Job {
    const Linear* linear;
    Matrix x, y;
  };
  // All jobs at once, on the context's threads; the workspace has the bytes of
  // all of them.
  static void Run(const Context& context, const Job* jobs, size_t count,
                  uint8_t* workspace);
  // INVALID_ARGUMENT, UNSUPPORTED where matrices are not what Run takes; calls
  // them `x` and `y`.
  void Check(const Matrix& x, const Matrix& y) const;
  // What of it does not depend on shapes.
  void CheckTypes(const Matrix& x, const Matrix& y) const;
  bool TakesCodes(const Matrix& x) const {
    return IsInteger(x.dtype) || options_.input() != InputMode::kFloat;
  }

 private:
  friend class LinearRun;

  InputRows::Needs NeedsOf(bool codes) const;

  Context context_;
  OperatorOptions options_;
  std::shared_ptr<const QuantizedTensor> weight_;
  Bias bias_;
  uint64_t rows_ = 0, columns_ = 0;
  IntegerWeights integers_;
  InputRule rule_;
  bool long_sums_ = false;
  Dequantizer values_;
};

// INVALID_ARGUMENT, UNSUPPORTED where no linear layer has these options with
// weights of this config. Whether inputs that become codes are multiplied as
// integers, whatever the shape is.
bool CheckOperator(const OperatorOptions& options, const Config& weight,
                   Linear::Kind kind = Linear::Kind::kLinear);

}  // namespace bnq

#endif  // BNQ_CORE_OPS_LINEAR_H_
