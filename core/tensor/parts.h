// What a quantized tensor is made of. Each part is one row of a table; the
// tensor, its checks, equality, files and the C ABI go through the table, so a
// part to come is one more row (and its ids in bnq.h and io/README.md).
#ifndef BNQ_CORE_TENSOR_PARTS_H_
#define BNQ_CORE_TENSOR_PARTS_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/context.h"
#include "core/base/dtype.h"
#include "core/base/shape.h"
#include "core/scheme/config.h"

namespace bnq {

class QuantizedTensor;  // tensor.h

// Ids are those of BNQ_PART_* (capi/tensor.cc asserts it): append only.
enum class Part : int32_t {
  kCodes = 1,
  kScales = 2,
  kZeroPoints = 3,
  kOutlierColumns = 4,
  kOutlierValues = 5,
  kOffsets = 6,
  kTensorScale = 7,
  kCodebook = 8,
  kInputScales = 9,
};
constexpr int kNumParts = 9;

// A part's memory, or its size alone.
struct PartData {
  const uint8_t* data = nullptr;  // nullptr: nobody's yet, or none
  uint64_t bytes = 0;
  // Elements of dtype. Of codes, bytes; of double quantized scales, which are
  // bytes of several kinds, the scales that they stand for.
  uint64_t count = 0;
  DType dtype = DType::kU8;
};

// All parts of a tensor; those it does not have are of 0 bytes.
class Parts {
 public:
  PartData& operator[](Part part) { return data_[IndexOf(part)]; }
  const PartData& operator[](Part part) const { return data_[IndexOf(part)]; }
  uint64_t bytes() const;

 private:
  static size_t IndexOf(Part part) { return static_cast<size_t>(part) - 1; }
  std::array<PartData, kNumParts> data_;
};

struct PartInfo {
  Part id;
  const char* name;    // of its parameter, where it is given
  size_t alignment;    // of its memory
  bool in_every_file;  // also where it is of 0 bytes
  // What a part of this dtype is in a .bnq file (io/bnq_format.h's BnqRole); 0
  // for a dtype that it cannot be of.
  uint32_t (*role)(DType dtype);
  // Its size. What config and shape leave open is that of `given`: the bytes
  // of outlier columns, the dtype of outlier values. INVALID_ARGUMENT where it
  // cannot be.
  PartData (*size)(const Config& config, const Shape& shape,
                   const PartData& given, const Parts& before);
  // INVALID_ARGUMENT, naming the index, where its contents cannot be.
  void (*validate)(const Context& context, const QuantizedTensor& tensor);
};
const PartInfo& PartAt(int index);  // below kNumParts, in the order of ids
// nullptr for an id that is none.
const PartInfo* FindPart(int32_t id);

// The sizes of all parts, without data. Parts are no more than the elements'
// bytes, which fit (Shape::Make).
Parts PartSizes(const Config& config, const Shape& shape,
                const Parts& given = Parts());
// The same, and `given`'s memory: INVALID_ARGUMENT names a part that has
// another size or type, none of its bytes, or is not aligned.
Parts CheckedParts(const Config& config, const Shape& shape,
                   const Parts& given);
// One of them, of `size`.
PartData CheckedPart(Part id, const PartData& size, const PartData& given);

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_PARTS_H_
