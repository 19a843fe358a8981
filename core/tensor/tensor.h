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
#include "core/tensor/parts.h"

namespace bnq {

// Columns of the last dimension that are kept beside the codes.
struct Outliers {
  const uint32_t* columns = nullptr;  // ascending
  uint64_t count = 0;
  DType dtype = DType::kF16;        // or kBF16
  const uint8_t* values = nullptr;  // [elements / features, count]
};

class QuantizedTensor {
 public:
  // Parts that have memory in `given` live there, and `keep_alive` owns it
  // (nullptr: the caller promises). The others get memory of the tensor's own,
  // of the sizes PartSizes says, to be filled before anybody else sees it.
  QuantizedTensor(const Context& context, const Config& config,
                  const Shape& shape, const Parts& given = Parts(),
                  std::shared_ptr<const void> keep_alive = nullptr);

  const Config& config() const { return config_; }
  const Format& format() const { return *format_; }
  const Shape& shape() const { return shape_; }
  const Layout& layout() const { return layout_; }
  const Parts& parts() const { return parts_; }
  const PartData& part(Part id) const { return parts_[id]; }
  // Everything, with the outliers.
  uint64_t bytes() const { return parts_.bytes(); }
  double bits_per_weight() const;
  Packing packing() const { return PackingOf(*format_, config_); }
  int32_t bias() const {
    return BiasOf(*format_, RuleOf(*format_, config_.variant()));
  }

  // The same parts as what they are.
  const uint8_t* codes() const { return parts_[Part::kCodes].data; }
  StoredScales scales() const;
  StoredScales offsets() const;  // of count 0: none
  float tensor_scale() const;    // 1 where there is none
  // nullptr: none.
  const int8_t* zero_points() const {
    return reinterpret_cast<const int8_t*>(parts_[Part::kZeroPoints].data);
  }
  Outliers outliers() const;
  // nullptr: none.
  const float* codebook() const {
    return reinterpret_cast<const float*>(parts_[Part::kCodebook].data);
  }

  // What the inputs of a layer are divided by, for each column of a row;
  // nullptr: none. Values are those of the codes.
  const float* input_scales() const {
    return reinterpret_cast<const float*>(parts_[Part::kInputScales].data);
  }

  // While it is being filled, also in the caller's memory.
  uint8_t* mutable_part(Part id) {
    return const_cast<uint8_t*>(parts_[id].data);
  }
  uint8_t* mutable_codes() { return mutable_part(Part::kCodes); }
  uint8_t* mutable_scales() { return mutable_part(Part::kScales); }
  int8_t* mutable_zero_points() {
    return reinterpret_cast<int8_t*>(mutable_part(Part::kZeroPoints));
  }

  // INVALID_ARGUMENT, naming part and index, where the contents of a part
  // cannot be: a scale that is not finite, a zero point out of range, stored
  // codes that no encoder emits, outlier columns that do not ascend.
  void Validate(const Context& context) const;

 private:
  Config config_;
  const Format* format_;
  Shape shape_;
  Layout layout_;
  Parts parts_;
  Buffer own_[kNumParts];
  std::shared_ptr<const void> keep_alive_;
};

// The same bits of the same config's options and parts.
bool SameTensor(const QuantizedTensor& a, const QuantizedTensor& b);

// Parts in memory that is copied, unless it is borrowed and must outlive the
// tensor. INVALID_ARGUMENT as in CheckedParts and Validate.
std::unique_ptr<QuantizedTensor> TensorOfParts(const Context& context,
                                               const Config& config,
                                               const Shape& shape,
                                               const Parts& given, bool borrow);

// The format of a config; INVALID_ARGUMENT for none.
const Format& FormatOf(const Config& config);
// Of a large matrix, 4096 x 4096, without outliers.
double BitsPerWeight(const Config& config);

// Codes one by one, in row-major order, and back. Counts are elements.
// UNSUPPORTED for codes that are not of 8 bits or fewer.
void UnpackCodes(const Context& context, const QuantizedTensor& tensor,
                 uint64_t begin, uint64_t count, int8_t* codes);
// INVALID_ARGUMENT names the first code out of the format's range.
void PackCodes(const Context& context, const Config& config, const Shape& shape,
               const int8_t* codes, uint8_t* packed);

// The same codes in another packing.
std::unique_ptr<QuantizedTensor> Repack(const Context& context,
                                        const QuantizedTensor& tensor,
                                        PackingChoice packing);

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_TENSOR_H_
