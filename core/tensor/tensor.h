// A quantized tensor: immutable once made.
#ifndef BNQ_CORE_TENSOR_TENSOR_H_
#define BNQ_CORE_TENSOR_TENSOR_H_

#include <cstdint>
#include <memory>

#include "core/base/context.h"
#include "core/base/memory.h"
#include "core/base/shape.h"
#include "core/scheme/config.h"
#include "core/scheme/format.h"
#include "core/scheme/layout.h"
#include "core/scheme/rules.h"
#include "core/scheme/scales.h"

namespace bnq {

// What a tensor of a shape takes under a config, apart from outliers.
struct QuantizedSizes {
  uint64_t code_bytes = 0;
  uint64_t scales = 0;       // their number
  uint64_t scale_bytes = 0;  // as they are stored
  uint64_t zero_points = 0;  // int8
  uint64_t bytes() const { return code_bytes + scale_bytes + zero_points; }
};
QuantizedSizes SizesOf(const Config& config, const Shape& shape);

// Columns of the last dimension that are kept beside the codes.
struct Outliers {
  const uint32_t* columns = nullptr;  // ascending
  uint64_t count = 0;
  DType dtype = DType::kF16;        // or kBF16
  const uint8_t* values = nullptr;  // [elements / features, count]
};

// Where a tensor's parts are; their numbers are those of SizesOf.
struct TensorParts {
  const uint8_t* codes = nullptr;
  const uint8_t* scales = nullptr;  // aligned to 4 bytes
  const int8_t* zero_points = nullptr;
  Outliers outliers;
};

class QuantizedTensor {
 public:
  // Memory for the parts, to be filled before anybody else sees the tensor;
  // with room for as many outlier columns.
  QuantizedTensor(const Context& context, const Config& config,
                  const Shape& shape, uint64_t outlier_columns = 0,
                  DType outlier_dtype = DType::kF16);
  // Parts in memory that `keep_alive` owns (nullptr: the caller promises).
  QuantizedTensor(const Config& config, const Shape& shape,
                  const TensorParts& parts,
                  std::shared_ptr<const void> keep_alive);

  const Config& config() const { return config_; }
  const Format& format() const { return *format_; }
  const Shape& shape() const { return shape_; }
  const Layout& layout() const { return layout_; }
  const QuantizedSizes& sizes() const { return sizes_; }
  const TensorParts& parts() const { return parts_; }
  // Everything, with the outliers.
  uint64_t bytes() const;
  double bits_per_weight() const;
  StoredScales scales() const;
  Packing packing() const { return PackingOf(*format_, config_); }
  // Of the last dimension; 1 for rank 0.
  uint64_t features() const;
  // Of outliers: elements / features.
  uint64_t tokens() const;

  uint8_t* mutable_codes() { return codes_.data(); }
  uint8_t* mutable_scales() { return scales_.data(); }
  int8_t* mutable_zero_points() { return zero_points_.as<int8_t>(); }
  uint32_t* mutable_outlier_columns() {
    return outlier_columns_.as<uint32_t>();
  }
  uint8_t* mutable_outlier_values() { return outlier_values_.data(); }

  // INVALID_ARGUMENT, naming the index, for a scale that is not finite, a zero
  // point out of range, stored codes that no encoder emits, or outlier columns
  // that are not ascending or not there.
  void Validate() const;
  void ValidateParams() const;

 private:
  Config config_;
  const Format* format_;
  Shape shape_;
  Layout layout_;
  QuantizedSizes sizes_;
  TensorParts parts_;
  Buffer codes_, scales_, zero_points_, outlier_columns_, outlier_values_;
  std::shared_ptr<const void> keep_alive_;
};

// The format of a config; INVALID_ARGUMENT for none.
const Format& FormatOf(const Config& config);

// Codes one by one, in row-major order, and back. Counts are elements.
// UNSUPPORTED for codes that are not of 8 bits or fewer.
void UnpackCodes(const QuantizedTensor& tensor, uint64_t begin, uint64_t count,
                 int8_t* codes);
// INVALID_ARGUMENT names the first code out of the format's range.
void PackCodes(const Config& config, const Shape& shape, const int8_t* codes,
               uint8_t* packed);

// The same codes in another packing.
std::unique_ptr<QuantizedTensor> Repack(const Context& context,
                                        const QuantizedTensor& tensor,
                                        PackingChoice packing);

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_TENSOR_H_
