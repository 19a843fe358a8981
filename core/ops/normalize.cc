#include "core/ops/normalize.h"

#include <cfloat>
#include <cmath>

#include "core/kernels/elements.h"
#include "core/kernels/normalize.h"
#include "core/ops/rows.h"

namespace bnq {
namespace {

// Whether rows can be used as floats where they are.
bool Direct(const Matrix& m) {
  return m.dtype == DType::kF32 &&
         reinterpret_cast<uintptr_t>(m.data) % alignof(float) == 0 &&
         m.stride % alignof(float) == 0;
}

// Calls f(floats of x, address of the next row of x, floats of y) for each row;
// x and y may be the same.
template <class F>
void ForEachRow(const Context& context, const Matrix& x, const Matrix& y,
                const F& f) {
  if (x.empty()) return;
  const size_t columns = static_cast<size_t>(x.columns);
  const uint64_t scratch_bytes =
      Direct(x) && Direct(y)
          ? 0
          : CheckedMul(CheckedAdd(x.columns, kLanes, "columns"), sizeof(float),
                       "columns");
  ForEachRows(context, x.rows, x.columns, [&](uint64_t begin, uint64_t end) {
    Buffer buffer = context.Allocate(scratch_bytes);
    float* scratch = reinterpret_cast<float*>(buffer.data());
    for (uint64_t r = begin; r < end; ++r) {
      const float* in = scratch;
      if (Direct(x)) {
        in = reinterpret_cast<const float*>(x.row(r));
      } else {
        SourceView source;
        source.data = x.row(r);
        source.dtype = x.dtype;
        LoadElements(source, 0, columns, scratch);
      }
      float* out = Direct(y) ? reinterpret_cast<float*>(y.row(r)) : scratch;
      const uint64_t next = r + 1 < x.rows ? r + 1 : r;
      f(in, reinterpret_cast<const float*>(x.row(next)), out);
      if (!Direct(y)) StoreElements(out, columns, y.dtype, false, y.row(r));
    }
  });
}

// Of a mean of squares; NaN of one that is not finite.
double ReciprocalRoot(double squares, uint64_t count, double eps) {
  if (!(squares <= DBL_MAX)) return NAN;
  const double root = std::sqrt(squares / static_cast<double>(count) + eps);
  return root > 0.0 ? 1.0 / root : 0.0;
}

// All of a row, or the one NaN that it is made of.
void Finish(const float* x, size_t count, double center, double factor,
            const float* weight, const float* bias, const float* next,
            float* y) {
  if (std::isnan(factor)) {
    for (size_t i = 0; i < count; ++i) y[i] = NAN;
    return;
  }
  NormalizeRow(x, count, center, factor, weight, bias, next, y);
}

}  // namespace

void Softmax(const Context& context, const Matrix& x, const Matrix& y) {
  const size_t n = static_cast<size_t>(x.columns);
  ForEachRow(context, x, y,
             [&](const float* in, const float* next, float* out) {
               SoftmaxRow(in, n, next, out);
             });
}

void RmsNorm(const Context& context, const Matrix& x, const float* weight,
             double eps, const Matrix& y) {
  const size_t n = static_cast<size_t>(x.columns);
  ForEachRow(
      context, x, y, [&](const float* in, const float* next, float* out) {
        const double factor = ReciprocalRoot(SquaresAround(in, n, 0.0), n, eps);
        Finish(in, n, 0.0, factor, weight, nullptr, next, out);
      });
}

void LayerNorm(const Context& context, const Matrix& x, const float* weight,
               const float* bias, double eps, const Matrix& y) {
  const size_t n = static_cast<size_t>(x.columns);
  ForEachRow(context, x, y,
             [&](const float* in, const float* next, float* out) {
               const double mean = SumOf(in, n) / static_cast<double>(n);
               const double factor =
                   ReciprocalRoot(SquaresAround(in, n, mean), n, eps);
               Finish(in, n, mean, factor, weight, bias, next, out);
             });
}

}  // namespace bnq
