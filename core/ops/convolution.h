// Convolutions of one and two dimensions with quantized weights: a linear layer
// on the patches of each output pixel, or channel by channel. README.md says
// how.
#ifndef BNQ_CORE_OPS_CONVOLUTION_H_
#define BNQ_CORE_OPS_CONVOLUTION_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/context.h"
#include "core/ops/linear.h"
#include "core/ops/matrix.h"
#include "core/ops/options.h"
#include "core/ops/patches.h"

namespace bnq {

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
  struct Plan;
  struct Image;
  struct Tile;
  Plan PlanOf(const Size& size) const;
  uint64_t DepthwiseBytes(const Plan& plan) const;
  // Images as codes or floats: where they are, or in `memory`.
  void PrepareImages(const Context& context, const Plan& plan, const Matrix& x,
                     uint8_t* memory, std::vector<Image>* images) const;
  void LayImages(const Context& context, const Plan& plan,
                 const std::vector<Image>& images, uint8_t* memory) const;
  void RunDepthwise(const Context& context, const Plan& plan,
                    const std::vector<Image>& images, const Matrix& y,
                    uint8_t* memory) const;
  void RunPatches(const Context& context, const Plan& plan,
                  const std::vector<Image>& images, const Matrix& y,
                  uint8_t* memory) const;
  void RunTile(const Plan& plan, const Image& image, uint8_t* lines,
               const Tile& tile, uint8_t* y, const Matrix& output,
               uint8_t* scratch) const;
  static PatchImage PatchImageOf(const Plan& plan, const Image& image,
                                 uint8_t* lines);

  Linear linear_;
  bool channels_last_ = false;
  bool depthwise_ = false;            // of codes
  uint64_t groups_ = 1, inputs_ = 1;  // channels of a group
  ConvolutionAxis vertical_, horizontal_;
};

}  // namespace bnq

#endif  // BNQ_CORE_OPS_CONVOLUTION_H_
