// Quantizing whole arrays, or slices of them, on the context's threads. The
// work is cut into blocks that depend on the layout alone, and sums over chunks
// are taken in order, so that the number of threads never changes a result.
#ifndef BNQ_CORE_TENSOR_QUANTIZE_H_
#define BNQ_CORE_TENSOR_QUANTIZE_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "core/base/context.h"
#include "core/base/shape.h"
#include "core/kernels/elements.h"
#include "core/kernels/reduce.h"
#include "core/kernels/traversal.h"
#include "core/tensor/outliers.h"
#include "core/tensor/tensor.h"

namespace bnq {

// The array as the kernels read it; INVALID_ARGUMENT for a type that cannot be
// quantized.
SourceView MakeSource(const ArrayView& array, const Config* config);

// Called after elements [begin, end) have been read once; may throw to cancel.
using PassHook = std::function<void(uint64_t begin, uint64_t end)>;

// Quantizes one array in slices. The array must stay in memory; the results go
// wherever the caller wants each slice's.
class Quantizer {
 public:
  Quantizer(const Context& context, const Config& config,
            const ArrayView& array)
      : Quantizer(context, FormatOf(config), config, array) {}
  // With a format that need not be in the registry.
  Quantizer(const Context& context, const Format& format, const Config& config,
            const ArrayView& array);

  const Layout& layout() const { return layout_; }
  const QuantizedSizes& sizes() const { return sizes_; }
  uint64_t elements() const { return array_.shape.elements(); }

  // Finds the outlier columns, if config asks for any; before all else.
  void FindOutlierColumns(const PassHook& hook);
  const OutlierColumns& outliers() const { return outliers_; }
  // The outliers' values of the whole array.
  void CopyOutliers(uint8_t* values) const;

  // Parameters are found along with the codes, in one pass over memory. If
  // not, FindParams comes first.
  bool one_pass() const { return one_pass_ && !params_found_; }
  // All parameters, as float32; always possible. NON_FINITE names the first
  // index.
  void FindParams(float* scales, int8_t* zero_points, const PassHook& hook);

  // Parameters are those that the caller gives to Encode.
  void TakeParams() { params_found_ = true; }

  // Blocks, in row-major order. A slice of them covers contiguous elements,
  // bytes of codes and, in one pass, parameters.
  uint64_t num_blocks() const { return num_blocks_; }
  uint64_t ElementOf(uint64_t block) const;  // num_blocks(): the end
  uint64_t CodeByteOf(uint64_t block) const;
  uint64_t ParamOf(uint64_t block) const;
  // Blocks [begin, end). codes is where CodeByteOf(begin) goes; scales and zero
  // points where ParamOf(begin) goes in one pass, else all those found.
  void Encode(uint64_t begin, uint64_t end, uint8_t* codes, float* scales,
              int8_t* zero_points);

 private:
  bool searches() const;
  void ReduceRuns(float* scales, int8_t* zero_points, const PassHook& hook);
  void ReduceShortRuns(float* scales, int8_t* zero_points,
                       const PassHook& hook);
  void ReduceChannels(float* scales, int8_t* zero_points, const PassHook& hook);
  void SearchSegments(float* scales, int8_t* zero_points, const PassHook& hook);
  float FirstExtreme(uint64_t param, float magnitude) const;
  void SetParams(uint64_t index, const Partial& partial, uint64_t count,
                 float* scales, int8_t* zero_points) const;
  void SetParams(uint64_t index, Params params, float* scales,
                 int8_t* zero_points) const;
  [[noreturn]] void FailNotFinite(uint64_t begin, uint64_t end) const;

  const Context& context_;
  Config config_;
  const Format& format_;
  ArrayView array_;
  SourceView source_;
  Layout layout_;
  QuantizedSizes sizes_;
  bool one_pass_ = false;
  bool params_found_ = false;
  OutlierColumns outliers_;
  uint64_t block_rows_ = 1, block_columns_ = 1, blocks_per_row_ = 1;
  uint64_t num_blocks_ = 0;
  Buffer element_params_;
};

// The whole array into memory of these sizes; scales are aligned to 4 bytes.
// UNSUPPORTED with outliers.
void QuantizeInto(const Context& context, const Config& config,
                  const ArrayView& array, uint8_t* codes, uint8_t* scales,
                  int8_t* zero_points);
std::unique_ptr<QuantizedTensor> Quantize(const Context& context,
                                          const Config& config,
                                          const ArrayView& array);

// Fails with NON_FINITE naming the first such element in [begin, end), if any;
// and the array, where it has a name.
void CheckFinite(const ArrayView& array, uint64_t begin, uint64_t end,
                 const char* name = nullptr);

}  // namespace bnq

#endif  // BNQ_CORE_TENSOR_QUANTIZE_H_
