// A quantized tensor: immutable once made.
#ifndef BNQ_CORE_TENSOR_TENSOR_H_
#define BNQ_CORE_TENSOR_TENSOR_H_

#include <cstdint>
#include <memory>

#include "core/base/context.h"
#include "core/base/memory.h"
#include "core/base/shape.h"
#include "core/config.h"
#include "core/format.h"
#include "core/tensor/layout.h"

namespace bnq {

// What a tensor of a shape takes under a config.
struct QuantizedSizes {
  uint64_t code_bytes = 0;
  uint64_t scales = 0;       // float32
  uint64_t zero_points = 0;  // int32
  uint64_t bytes() const { return code_bytes + 4 * (scales + zero_points); }
};
QuantizedSizes SizesOf(const Config& config, const Shape& shape);

// Where a tensor's parts are; their numbers are those of SizesOf.
struct TensorParts {
  const uint8_t* codes = nullptr;
  const float* scales = nullptr;
  const int32_t* zero_points = nullptr;
};

class QuantizedTensor {
 public:
  // Memory for the parts, to be filled before anybody else sees the tensor.
  QuantizedTensor(const Context& context, const Config& config,
                  const Shape& shape);
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
  double bits_per_weight() const;

  uint8_t* mutable_codes() { return codes_.data(); }
  float* mutable_scales() { return scales_.as<float>(); }
  int32_t* mutable_zero_points() { return zero_points_.as<int32_t>(); }

  // INVALID_ARGUMENT, naming the index, for a scale that is not finite, a zero
  // point out of range, or stored codes that no encoder emits.
  void Validate() const;
  void ValidateParams() const;

 private:
  Config config_;
  const Format* format_;
  Shape shape_;
  Layout layout_;
  QuantizedSizes sizes_;
  TensorParts parts_;
  Buffer codes_, scales_, zero_points_;
  std::shared_ptr<const void> keep_alive_;
};

// The format of a config; INVALID_ARGUMENT for none.
const Format& FormatOf(const Config& config);

// Codes one by one, in row-major order, and back. Counts are elements.
void UnpackCodes(const QuantizedTensor& tensor, uint64_t begin, uint64_t count,
                 int8_t* codes);
// INVALID_ARGUMENT names the first code out of the format's range.
void PackCodes(const Config& config, const Shape& shape, const int8_t* codes,
               uint8_t* packed);

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_TENSOR_H_
