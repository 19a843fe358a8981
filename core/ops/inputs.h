// Rows of activations as linear layers take them: int8 codes in the order that
// weights are read in, with what belongs to them; or floats.
#ifndef BNQ_CORE_OPS_INPUTS_H_
#define BNQ_CORE_OPS_INPUTS_H_

#include <cstdint>

#include "core/base/context.h"
#include "core/kernels/dot.h"
#include "core/kernels/elements.h"
#include "core/ops/matrix.h"
#include "core/ops/options.h"
#include "core/scheme/format.h"
#include "core/scheme/layout.h"

namespace bnq {

// How rows of so many columns become codes.
class InputRule {
 public:
  InputRule() = default;
  InputRule(const OperatorOptions& options, uint64_t columns);

  // Elements of one row at `source`, already float32 where it was divided.
  // Codes to q (columns of them and kLanes more may be written). NON_FINITE
  // names the row.
  void Quantize(const SourceView& source, uint64_t row, int8_t* q, float* scale,
                int32_t* zero) const;
  InputMode mode() const { return mode_; }
  // Of codes that come without their own.
  float given_scale() const { return given_scale_; }
  int32_t given_zero() const { return given_zero_; }
  uint64_t columns() const { return columns_; }

 private:
  void QuantizeAsBitNet(const SourceView& source, uint64_t row, int8_t* q,
                        float* scale) const;
  [[noreturn]] void FailNotFinite(const SourceView& source, uint64_t row) const;

  InputMode mode_ = InputMode::kFloat;
  float given_scale_ = 0.0f;
  int32_t given_zero_ = 0;
  uint64_t columns_ = 0;
  const Format* format_ = nullptr;
  Variant variant_;
  Layout layout_;  // of one row
};

// The scale and the zero point of row m of a matrix of codes: its own, or where
// it has no scales those of the operator; zero points as of int8, of which
// unsigned codes differ by `flip`.
struct InputCodes {
  InputCodes(const InputRule& rule, const Matrix& x, uint64_t m);
  float scale;
  int32_t zero;
  uint8_t flip;  // of an element's bits
};

// Codes as of int8.
void CopyFlipped(const uint8_t* from, uint64_t count, uint8_t flip, int8_t* to);

// What a row of codes is multiplied with beside its codes.
struct InputRow {
  float scale = 1.0f;
  int32_t zero = 0;
  int64_t sum = 0;  // of all codes
  // The values of x in the outlier columns, which codes do not have.
  const float* outliers = nullptr;
};

// Rows in the memory of a workspace.
class InputRows {
 public:
  struct Needs {
    uint64_t columns = 0;
    uint64_t group = 1, groups = 1;  // of weights
    bool codes = false;              // else floats
    bool divided = false;            // by a divisor for each column
    // Columns of weights that are floats beside the codes (LLM.int8).
    const uint32_t* outliers = nullptr;
    uint64_t num_outliers = 0;
  };
  // Of `rows` rows; for any order of codes, so the same on every CPU.
  static uint64_t Bytes(const Needs& needs, uint64_t rows);

  InputRows() = default;
  // memory is aligned to 64 bytes.
  InputRows(const Needs& needs, DotOrder order, uint64_t rows, uint8_t* memory);

  // Row m of x. `divisors` for each column, or nullptr.
  void Prepare(const InputRule& rule, const float* divisors, const Matrix& x,
               uint64_t m) const;
  // Instead of Prepare: where the caller puts the codes, as of int8, or the
  // floats of row m; a vector behind them may be written. And what he calls
  // then.
  int8_t* own_codes(uint64_t m) const { return At<int8_t>(m, codes_at_); }
  float* own_floats(uint64_t m) const { return At<float>(m, floats_at_); }
  void PrepareOwnCodes(uint64_t m, float scale, int32_t zero) const;
  void PrepareOwnFloats(uint64_t m) const;
  // Behind the rows, one of ones: sums of products with it are sums of codes.
  void PrepareOnes() const;

  uint64_t rows() const { return rows_; }
  const int8_t* codes(uint64_t m) const { return At<int8_t>(m, arranged_at_); }
  const int8_t* ones() const { return codes(rows_); }
  const float* floats(uint64_t m) const { return At<float>(m, floats_at_); }
  // Bytes from a row to the next.
  uint64_t stride() const { return stride_; }
  InputRow row(uint64_t m) const {
    return {scales_[m], zeros_[m], sums_[m], outliers(m)};
  }
  // Of all rows; sums of codes only where int32 holds them.
  const float* scales() const { return scales_; }
  const int32_t* zeros() const { return zeros_; }
  const int32_t* short_sums() const { return short_sums_; }
  const int32_t* group_sums(uint64_t m) const { return At<int32_t>(m, 0); }

 private:
  const float* outliers(uint64_t m) const { return At<float>(m, outliers_at_); }
  struct Places {
    uint64_t codes, arranged, floats, outliers, bytes;
  };
  static Places PlacesOf(const Needs& needs);
  static uint64_t HeadBytes(uint64_t rows);
  void Set(uint64_t m, float scale, int32_t zero) const {
    scales_[m] = scale;
    zeros_[m] = zero;
    sums_[m] = short_sums_[m] = 0;
  }
  template <class T>
  T* At(uint64_t m, uint64_t at) const {
    return reinterpret_cast<T*>(memory_ + m * stride_ + at);
  }
  void Finish(uint64_t m) const;
  void ArrangeRow(uint64_t m) const;
  // The row as floats, divided and without outliers, where that is wanted; else
  // x's own.
  SourceView SourceOf(const float* divisors, const Matrix& x, uint64_t m) const;
  void CopyCodes(const InputRule& rule, const Matrix& x, uint64_t m) const;

  Needs needs_;
  DotOrder order_;
  uint64_t rows_ = 0, stride_ = 0;
  uint64_t codes_at_ = 0, arranged_at_ = 0, floats_at_ = 0, outliers_at_ = 0;
  uint8_t* memory_ = nullptr;
  float* scales_ = nullptr;
  int32_t* zeros_ = nullptr;
  int64_t* sums_ = nullptr;
  int32_t* short_sums_ = nullptr;
};

}  // namespace bnq

#endif  // BNQ_CORE_OPS_INPUTS_H_
