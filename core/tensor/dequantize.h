// Dequantizing tensors, or slices of them while they are being quantized.
#ifndef BNQ_CORE_TENSOR_DEQUANTIZE_H_
#define BNQ_CORE_TENSOR_DEQUANTIZE_H_

#include <cstdint>

#include "core/base/context.h"
#include "core/base/shape.h"
#include "core/kernels/traversal.h"
#include "core/tensor/outliers.h"
#include "core/tensor/tensor.h"

namespace bnq {

// A slice of a tensor that is being quantized: its parts begin at byte
// code_base of the tensor's codes and at parameter param_base (0 where elements
// have parameters of their own). Scales are those that decode.
struct TensorSlice {
  const uint8_t* codes = nullptr;
  uint64_t code_base = 0;
  const float* scales = nullptr;
  const int8_t* zero_points = nullptr;
  const float* offsets = nullptr;
  const float* codebook = nullptr;
  uint64_t param_base = 0;
  Outliers outliers;  // of the whole tensor
};

// Dequantizes any run of a tensor's elements.
class Dequantizer {
 public:
  Dequantizer(const Context& context, const QuantizedTensor& tensor);
  Dequantizer(const Dequantizer&) = delete;
  Dequantizer(const Context& context, const Config& config, const Shape& shape,
              const Layout& layout, const TensorSlice& slice);
  // Elements [begin, begin + count), in row-major order, on this thread.
  // NON_FINITE, naming the index, where dtype does not hold a value and
  // `overflow` does not say what then.
  void Decode(uint64_t begin, uint64_t count, DType dtype, bool stream,
              uint8_t* out, Overflow overflow = Overflow::kError) const;
  // The same on the context's threads.
  void DecodeParallel(uint64_t begin, uint64_t count, DType dtype, uint8_t* out,
                      Overflow overflow = Overflow::kError) const;

 private:
  [[noreturn]] void FailOverflow(uint64_t begin, uint64_t count,
                                 DType dtype) const;
  void Finish(const Config& config, const Layout& layout,
              const float* codebook);

  const Context& context_;
  const Kernels& kernels_;
  DecodeArgs args_;
  CodeTable codebook_;
  StoredScales stored_;
  Outliers outliers_;
  Shape shape_;
  Buffer element_params_, all_scales_, all_offsets_;
};

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_DEQUANTIZE_H_
