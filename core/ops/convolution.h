// Convolutions of one and two dimensions with quantized weights: a linear layer
// on the patches of each output pixel. README.md says how.
#ifndef BNQ_CORE_OPS_CONVOLUTION_H_
#define BNQ_CORE_OPS_CONVOLUTION_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/context.h"
#include "core/ops/linear.h"
#include "core/ops/matrix.h"
#include "core/ops/options.h"

namespace bnq {

// Along one dimension.
struct ConvolutionAxis {
  uint64_t kernel = 1, stride = 1, dilation = 1, pad_begin = 0, pad_end = 0;

  // Outputs of so many inputs; 0 where the kernel does not fit. 64 bits hold
  // it for inputs below 2^62.
  uint64_t Outputs(uint64_t inputs) const;
};

// Immutable; any threads may run it at once.
class Convolution {
 public:
  // Weights are [outputs, inputs / groups, (height,) width], or with layout
  // nhwc [outputs, (height,) width, inputs / groups]. UNSUPPORTED,
  // INVALID_ARGUMENT.
  Convolution(const Context& context, const OperatorOptions& options,
              std::shared_ptr<const QuantizedTensor> weight, Bias bias);

  const ConvolutionAxis& vertical() const { return vertical_; }
  const ConvolutionAxis& horizontal() const { return horizontal_; }
  uint64_t input_channels() const { return inputs_ * groups_; }
  uint64_t output_channels() const { return linear_.outputs(); }

  // x and y have a row for each item: its channels, height and width in the
  // layout's order.
  struct Size {
    uint64_t items, height, width;
  };
  uint64_t WorkspaceBytes(const Size& size) const;
  // INVALID_ARGUMENT where they do not fit; calls them x and y.
  void Check(const Size& size, const Matrix& x, const Matrix& y) const;
  // Checked matrices that do not overlap; workspace aligned to 64 bytes.
  void Run(const Context& context, const Size& size, const Matrix& x,
           const Matrix& y, uint8_t* workspace) const;

 private:
  // An item's codes or floats, for patches to be cut from.
  struct Item {
    const uint8_t* data;
    size_t element;  // bytes of one
    uint8_t flip;    // of codes that are unsigned
    float scale;
    int32_t zero;
  };
  struct Plan;
  Plan PlanOf(const Size& size) const;
  void PrepareItem(const Plan& plan, const Matrix& x, uint64_t item,
                   uint8_t* memory, Item* out) const;
  void RunTile(const Plan& plan, const Item& item, uint64_t group,
               uint64_t pixel, uint64_t count, uint8_t* y, const Matrix& output,
               uint8_t* scratch) const;
  void CutPatches(const Plan& plan, const Item& item, uint64_t group,
                  uint64_t pixel, uint64_t count, uint8_t* patches) const;

  Linear linear_;
  bool channels_last_ = false;
  uint64_t groups_ = 1, inputs_ = 1;  // channels of a group
  ConvolutionAxis vertical_, horizontal_;
};

}  // namespace bnq

#endif  // BNQ_CORE_OPS_CONVOLUTION_H_
