// A tensor as the weights of a linear layer: [outputs, inputs], the first
// dimension by all others.
#ifndef BNQ_CORE_OPS_WEIGHTS_H_
#define BNQ_CORE_OPS_WEIGHTS_H_

#include <cstdint>
#include <memory>
#include <string>

#include "core/kernels/dot.h"
#include "core/tensor/tensor.h"

namespace bnq {

// Weights whose codes are integers, so that products with integers are exact:
// weight = (u - zero(n, g)) * scale(n, g) + offset(n, g), u a stored code, for
// column k of row n in group g = k / group.
class IntegerWeights {
 public:
  IntegerWeights() = default;
  // `tensor` must live as long.
  explicit IntegerWeights(const QuantizedTensor& tensor);

  // Empty; or what of a config is in the way, whatever the shape is.
  static std::string ObstacleOf(const Config& config, int rank = 2);
  // Empty; or why products cannot be those of integers, as the rest of a
  // sentence: "its scales belong to columns".
  const std::string& obstacle() const { return obstacle_; }

  uint64_t rows() const { return rows_; }
  uint64_t columns() const { return columns_; }
  // Columns of a group, and groups of a row: 1 for whole rows.
  uint64_t group() const { return group_; }
  uint64_t groups() const { return groups_; }
  const DotCodes& codes() const { return codes_; }
  // Codes of a row, which begins on a byte.
  const uint8_t* row(uint64_t n) const {
    return tensor_->codes() + n * row_bytes_;
  }
  uint64_t row_bytes() const { return row_bytes_; }
  // The zero point of all, to which zero_points are added.
  int32_t zero() const { return zero_; }
  // The numbers u of codes [begin, end) of rows from n on, rows `stride` bytes
  // apart; kPackSlack bytes behind the last row may be written.
  void Unpack(uint64_t n, uint64_t rows, uint64_t begin, uint64_t end,
              size_t stride, uint8_t* out) const;
  // One scale for each group, or for the whole row.
  bool has_offsets() const { return offsets_.count != 0; }
  bool has_zero_points() const { return tensor_->zero_points() != nullptr; }
  // Of groups [first, first + count) of a row; nullptr reads nothing. May write
  // kLanes floats behind them.
  void Read(uint64_t row, uint64_t first, uint64_t count, float* scales,
            int8_t* zero_points, float* offsets) const;

  // Of rows of one group, from `row` on.
  void ReadRows(uint64_t row, uint64_t count, float* scales,
                int8_t* zero_points) const;

 private:
  void ReadParams(uint64_t param, uint64_t count, float* scales,
                  int8_t* zero_points, float* offsets) const;
  uint64_t ParamOf(uint64_t row, uint64_t group) const;
  void SetGroups();

  const QuantizedTensor* tensor_ = nullptr;
  std::string obstacle_;
  uint64_t rows_ = 0, columns_ = 0, group_ = 1, groups_ = 1, row_bytes_ = 0;
  DotCodes codes_;
  int32_t unpack_bias_ = 0, zero_ = 0;
  float factor_ = 1.0f;
  StoredScales scales_, offsets_;
};

}  // namespace bnq

#endif  // BNQ_CORE_OPS_WEIGHTS_H_
