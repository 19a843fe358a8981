#include "core/kernels/product.h"

// Nothing here gains from what AVX3_DL adds (core/flags.txt).
#undef BNQ_LEFT_OUT
#define BNQ_LEFT_OUT HWY_AVX3_DL
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/product.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace bnq {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// Rows and vectors of c that are held in registers, and steps of the inner
// index for which they are: b's part then stays in the first-level cache.
constexpr size_t kRows = 4;
constexpr size_t kVectors = 2;
constexpr size_t kInner = 128;

#if HWY_TARGET != HWY_SCALAR
using D = hn::ScalableTag<double>;

template <size_t kR>
HWY_INLINE void Tile(const ProductArgs& p, size_t row, size_t column,
                     size_t begin, size_t end) {
  const D d;
  const size_t N = hn::Lanes(d);
  const double* const a = p.a + row * p.a_row;
  double* const c = p.c + row * p.c_row + column;
  hn::Vec<D> sums[kR][kVectors];
  for (size_t r = 0; r < kR; ++r) {
    for (size_t v = 0; v < kVectors; ++v) {
      sums[r][v] = hn::LoadU(d, c + r * p.c_row + v * N);
    }
  }
  for (size_t k = begin; k < end; ++k) {
    const double* const b = p.b + k * p.b_row + column;
    const auto b0 = hn::LoadU(d, b), b1 = hn::LoadU(d, b + N);
    for (size_t r = 0; r < kR; ++r) {
      const auto factor = hn::Set(d, a[r * p.a_row + k * p.a_column]);
      sums[r][0] = hn::Add(sums[r][0], hn::Mul(factor, b0));
      sums[r][1] = hn::Add(sums[r][1], hn::Mul(factor, b1));
    }
  }
  for (size_t r = 0; r < kR; ++r) {
    for (size_t v = 0; v < kVectors; ++v) {
      hn::StoreU(sums[r][v], d, c + r * p.c_row + v * N);
    }
  }
}
#endif

void Product(const ProductArgs& p) {
  size_t column = 0;
#if HWY_TARGET != HWY_SCALAR
  const size_t width = kVectors * hn::Lanes(D());
  for (; column + width <= p.columns; column += width) {
    for (size_t begin = 0; begin < p.inner; begin += kInner) {
      const size_t end = HWY_MIN(begin + kInner, p.inner);
      size_t row = 0;
      for (; row + kRows <= p.rows; row += kRows) {
        Tile<kRows>(p, row, column, begin, end);
      }
      for (; row < p.rows; ++row) Tile<1>(p, row, column, begin, end);
    }
  }
#endif
  for (size_t row = 0; row < p.rows && column < p.columns; ++row) {
    for (size_t k = 0; k < p.inner; ++k) {
      const double factor = p.a[row * p.a_row + k * p.a_column];
      const double* const b = p.b + k * p.b_row;
      double* const c = p.c + row * p.c_row;
      for (size_t j = column; j < p.columns; ++j) c[j] += factor * b[j];
    }
  }
}

}  // namespace

void ProductOfTarget(const ProductArgs& args) { Product(args); }

}  // namespace HWY_NAMESPACE
}  // namespace bnq
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bnq {

HWY_EXPORT(ProductOfTarget);

void AddProduct(const ProductArgs& args) {
  HWY_DYNAMIC_DISPATCH(ProductOfTarget)(args);
}

}  // namespace bnq
#endif  // HWY_ONCE
