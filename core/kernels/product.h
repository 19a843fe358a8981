// A product of matrices of float64, whose sums are taken in the order of the
// inner index and without fused multiply-add: the same bits for any vector
// length, however the rows and columns are shared out.
#ifndef BNQ_CORE_KERNELS_PRODUCT_H_
#define BNQ_CORE_KERNELS_PRODUCT_H_

#include <cstddef>

namespace bnq {

struct ProductArgs {
  size_t rows = 0, inner = 0, columns = 0;
  // Element (r, k) of a is a[r * a_row + k * a_column], so it may be
  // transposed.
  const double* a = nullptr;
  size_t a_row = 0, a_column = 1;
  const double* b = nullptr;  // row k begins at b + k * b_row
  size_t b_row = 0;
  double* c = nullptr;  // c += a b
  size_t c_row = 0;
};

void AddProduct(const ProductArgs& args);

}  // namespace bnq

#endif  // BNQ_CORE_KERNELS_PRODUCT_H_
