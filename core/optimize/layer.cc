#include "core/optimize/layer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/kernels/elements.h"
#include "core/kernels/product.h"
#include "core/parallel/runner.h"
#include "core/tensor/chunks.h"
#include "core/tensor/quantize.h"

namespace bnq {
namespace {

constexpr uint64_t kTileRows = 32;

// Multiplications of a piece of a product.
constexpr uint64_t kPiece = uint64_t{1} << 24;

}  // namespace

void AddProductInPieces(const Context& context, ProductArgs product) {
  const uint64_t inner = product.inner;
  const uint64_t step = std::max<uint64_t>(
      64, kPiece / std::max<uint64_t>(1, product.rows * product.columns));
  for (uint64_t begin = 0; begin < inner; begin += step) {
    product.inner = static_cast<size_t>(std::min(step, inner - begin));
    AddProduct(product);
    product.a += product.inner * product.a_column;
    product.b += product.inner * product.b_row;
    context.Tick();
  }
}

Layer::Layer(const Context& context, const ArrayView& activations,
             uint64_t columns)
    : context_(context), columns_(columns) {
  const Shape& shape = activations.shape;
  const uint64_t last = shape.features();
  if (last != columns) {
    Fail(Status::kInvalidArgument, "activations: the last dimension of shape ",
         shape.ToString(), ", must be ", columns,
         ", the columns of the weights");
  }
  samples_ = columns == 0 ? 0 : shape.elements() / columns;
  if (samples_ == 0) {
    Fail(Status::kNoData, "activations of shape ", shape.ToString(),
         " have no samples");
  }
  const SourceView source = MakeSource(activations, nullptr);
  const uint64_t n = shape.elements();
  x_ = context.Allocate(
      CheckedMul(n, sizeof(double), "memory for the activations"));
  double* const x = x_.as<double>();
  ForEachChunk(context, 0, n, [&](uint64_t, uint64_t at, size_t count) {
    float values[kChunk + kLanes];
    LoadElements(source, at, count, values);
    for (size_t i = 0; i < count; ++i) {
      if (!std::isfinite(values[i])) {
        CheckFinite(activations, at, at + count, "activations");
      }
      x[at + i] = static_cast<double>(values[i]);
    }
  });
  if (samples_ > columns_) gram_ = Gram();
}

std::vector<double> Layer::MeanAbs() const {
  std::vector<double> sums(columns_);
  const double* const x = x_.as<double>();
  for (uint64_t s = 0; s < samples_; ++s) {
    for (uint64_t k = 0; k < columns_; ++k) {
      sums[k] += std::fabs(x[s * columns_ + k]);
    }
    context_.Tick();
  }
  for (double& v : sums) v /= static_cast<double>(samples_);
  return sums;
}

Buffer Layer::Gram() const {
  const uint64_t n = columns_;
  const uint64_t bytes = CheckedMul(CheckedMul(n, n, "columns squared"),
                                    sizeof(double), "columns squared");
  Buffer gram = context_.Allocate(bytes);
  double* const h = gram.as<double>();
  if (gram_.size() != 0) {
    std::memcpy(h, gram_.data(), bytes);
    return gram;
  }
  const double* const x = x_.as<double>();
  // The upper triangle, by tiles of rows; then the lower from it.
  ParallelFor(context_, DivCeil(n, kTileRows), [&](uint64_t tile) {
    const uint64_t first = tile * kTileRows;
    const uint64_t rows = std::min(kTileRows, n - first);
    for (uint64_t r = first; r < first + rows; ++r) {
      std::fill(h + r * n, h + (r + 1) * n, 0.0);
    }
    ProductArgs product;
    product.rows = rows;
    product.inner = samples_;
    product.columns = n - first;
    product.a = x + first;
    product.a_row = 1;
    product.a_column = n;
    product.b = x + first;
    product.b_row = n;
    product.c = h + first * n + first;
    product.c_row = n;
    AddProductInPieces(context_, product);
  });
  const double factor = 2.0 / static_cast<double>(samples_);
  for (uint64_t r = 0; r < n; ++r) {
    for (uint64_t c = r; c < n; ++c) {
      h[r * n + c] *= factor;
      h[c * n + r] = h[r * n + c];
    }
    context_.Tick();
  }
  return gram;
}

void Layer::OutputErrors(uint64_t rows, const Difference& difference,
                         double* errors) const {
  const uint64_t n = columns_;
  const bool by_gram = gram_.size() != 0;
  const double* const matrix = by_gram ? gram_.as<double>() : x_.as<double>();
  const uint64_t matrix_rows = by_gram ? n : samples_;
  ParallelFor(context_, DivCeil(rows, kTileRows), [&](uint64_t tile) {
    const uint64_t first = tile * kTileRows;
    const uint64_t width = std::min(kTileRows, rows - first);
    Buffer transposed = context_.Allocate(n * width * sizeof(double));
    double* const d = transposed.as<double>();
    for (uint64_t r = 0; r < width; ++r) {
      for (uint64_t k = 0; k < n; ++k) {
        d[k * width + r] = difference(first + r, k);
      }
    }
    double out[kTileRows * kTileRows], sums[kTileRows] = {};
    for (uint64_t m = 0; m < matrix_rows; m += kTileRows) {
      ProductArgs product;
      product.rows = std::min(kTileRows, matrix_rows - m);
      product.inner = n;
      product.columns = width;
      product.a = matrix + m * n;
      product.a_row = n;
      product.b = d;
      product.b_row = width;
      product.c = out;
      product.c_row = width;
      std::fill(out, out + product.rows * width, 0.0);
      AddProductInPieces(context_, product);
      for (uint64_t i = 0; i < product.rows; ++i) {
        for (uint64_t r = 0; r < width; ++r) {
          const double v = out[i * width + r];
          sums[r] += by_gram ? 0.5 * v * d[(m + i) * width + r] : v * v;
        }
      }
    }
    for (uint64_t r = 0; r < width; ++r) {
      // Of the Gram matrix rounding may leave a little below 0.
      errors[first + r] = by_gram ? std::max(0.0, sums[r])
                                  : sums[r] / static_cast<double>(samples_);
    }
  });
}

}  // namespace bnq
