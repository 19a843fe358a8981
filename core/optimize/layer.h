// A linear layer y = x W^T seen through its inputs: how far its outputs move
// where its weights do.
#ifndef BNQ_CORE_OPTIMIZE_LAYER_H_
#define BNQ_CORE_OPTIMIZE_LAYER_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "core/base/context.h"
#include "core/base/memory.h"
#include "core/base/shape.h"
#include "core/kernels/product.h"

namespace bnq {

// AddProduct with the context's tick between pieces of it: the same bits, since
// sums go in the order of the inner index either way.
void AddProductInPieces(const Context& context, ProductArgs product);

class Layer {
 public:
  // Activations are [samples, columns], or more dimensions the last of which is
  // `columns`. Holds them as float64. INVALID_ARGUMENT, NO_DATA, NON_FINITE.
  // The context must outlive the layer.
  Layer(const Context& context, const ArrayView& activations, uint64_t columns);

  uint64_t samples() const { return samples_; }
  uint64_t columns() const { return columns_; }
  // The mean |x| of each input.
  std::vector<double> MeanAbs() const;
  // X^T X * 2 / samples, [columns, columns].
  Buffer Gram() const;

  // For `rows` differences of weights, element (r, k) of which is
  // difference(r, k), the mean over samples of the square of their output
  // x d^T: into errors[rows]. Called from several threads.
  using Difference = std::function<double(uint64_t row, uint64_t column)>;
  void OutputErrors(uint64_t rows, const Difference& difference,
                    double* errors) const;

 private:
  const Context& context_;
  uint64_t samples_ = 0, columns_ = 0;
  Buffer x_;
  // Where there are fewer inputs than samples, the Gram matrix stands for them.
  mutable Buffer gram_;
};

}  // namespace bnq

#endif  // BNQ_CORE_OPTIMIZE_LAYER_H_
