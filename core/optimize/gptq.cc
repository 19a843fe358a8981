// GPTQ (arXiv:2210.17323): columns are quantized one after another, and the
// error of each is made up for by those still to come.
//
// H = 2 X^T X / samples; an input that is always 0 gets H_kk = 1 and its
// weights become 0; damping * mean(diagonal) is added to the diagonal. GPTQ
// quantizes w_0, then, with U the upper Cholesky factor of H^-1, takes (w_0 -
// q_0) / U_00 * U_0j from every w_j, and so on.
//
// Here no inverse is needed. With R upper triangular and R R^T = H, R is U^-1,
// and the error of a row of d = w - q is the sum over k of ((d R)_k)^2, so what
// column k is to be quantized from is
//   w_k + t_k / R_kk,   t_k = sum over i < k of d_i R_ik,
// which is the same number. A column's d is added to the t behind it within its
// block of columns at once, and to those behind the block when that is done, by
// a product of matrices: the result depends on the block only by rounding.
//
// Groups have the parameters that the config's rule makes of their columns as
// they are when the group begins. With act_order, columns go by descending
// H_kk, and all parameters are those of the weights as they came; so are those
// of granularities other than groups that end with their row.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/kernels/product.h"
#include "core/optimize/methods.h"
#include "core/parallel/runner.h"

namespace bnq {
namespace {

constexpr uint64_t kTileRows = 32;
constexpr uint64_t kFactorBlock = 64;

}  // namespace

void GptqFactor(const Context& context, double* h, uint64_t n, double damping) {
  double mean = 0.0;
  for (uint64_t k = 0; k < n; ++k) mean += h[k * n + k];
  mean /= static_cast<double>(n);
  for (uint64_t k = 0; k < n; ++k) h[k * n + k] += damping * mean;
  // From the last block of columns back to the first: the block's own factor;
  // the rows above it; then what they take from the matrix above and before.
  for (uint64_t end = n; end > 0;) {
    const uint64_t begin = end > kFactorBlock ? end - kFactorBlock : 0;
    const uint64_t width = end - begin;
    for (uint64_t k = end; k-- > begin;) {
      const double pivot = h[k * n + k];
      // Below this there is rounding and nothing else.
      if (!(pivot > 1e-14 * mean)) {
        Fail(Status::kInvalidArgument, "damping = ", damping, ": input ", k,
             " follows from the others, so it must be greater");
      }
      const double root = std::sqrt(pivot);
      for (uint64_t i = begin; i < k; ++i) h[i * n + k] /= root;
      h[k * n + k] = root;
      for (uint64_t i = begin; i < k; ++i) {
        for (uint64_t j = i; j < k; ++j) {
          h[i * n + j] -= h[i * n + k] * h[j * n + k];
        }
      }
    }
    // Rows of the factor's panel, transposed and negated, for the product.
    Buffer transposed =
        context.Allocate(std::max<uint64_t>(1, width * begin) * sizeof(double));
    double* const negated = transposed.as<double>();
    ParallelFor(context, DivCeil(begin, kTileRows), [&](uint64_t tile) {
      const uint64_t last = std::min(begin, (tile + 1) * kTileRows);
      for (uint64_t i = tile * kTileRows; i < last; ++i) {
        for (uint64_t k = end; k-- > begin;) {
          double v = h[i * n + k];
          for (uint64_t j = k + 1; j < end; ++j) {
            v -= h[i * n + j] * h[k * n + j];
          }
          h[i * n + k] = v / h[k * n + k];
          negated[(k - begin) * begin + i] = -h[i * n + k];
        }
      }
    });
    ParallelFor(context, DivCeil(begin, kTileRows), [&](uint64_t tile) {
      const uint64_t first = tile * kTileRows;
      ProductArgs product;
      product.rows = std::min(kTileRows, begin - first);
      product.inner = width;
      product.columns = begin - first;
      product.a = h + first * n + begin;
      product.a_row = n;
      product.b = negated + first;
      product.b_row = begin;
      product.c = h + first * n + first;
      product.c_row = n;
      AddProduct(product);
    });
    end = begin;
  }
  for (uint64_t r = 1; r < n; ++r) std::fill(h + r * n, h + r * n + r, 0.0);
}

void Gptq(const LayerTask& task, ParamSet* params, std::vector<int8_t>* codes) {
  const uint64_t rows = task.rows, n = task.columns;
  const Variant variant = task.config.variant();
  const bool act_order = task.options.As<int>(OptimizeOption::kActOrder) != 0;
  const uint64_t block = task.options.As<uint64_t>(OptimizeOption::kBlock);
  const uint64_t group = task.config.group_size();
  const bool moving =
      !act_order &&
      (task.config.granularity() == Granularity::kGroup ||
       (task.config.granularity() == Granularity::kBlock && n % group == 0));

  Buffer gram = task.layer.Gram();
  double* h = gram.as<double>();
  std::vector<uint64_t> order(n);
  std::iota(order.begin(), order.end(), uint64_t{0});
  std::vector<uint8_t> dead(n);
  for (uint64_t k = 0; k < n; ++k) {
    dead[k] = h[k * n + k] == 0.0;
    if (dead[k]) h[k * n + k] = 1.0;
  }
  Buffer permuted;
  if (act_order) {
    std::stable_sort(order.begin(), order.end(), [&](uint64_t a, uint64_t b) {
      return h[a * n + a] > h[b * n + b];
    });
    permuted = task.context.Allocate(n * n * sizeof(double));
    for (uint64_t i = 0; i < n; ++i) {
      for (uint64_t j = 0; j < n; ++j) {
        permuted.as<double>()[i * n + j] = h[order[i] * n + order[j]];
      }
    }
    h = permuted.as<double>();
  }
  GptqFactor(task.context, h, n, task.options.Number(OptimizeOption::kDamping));

  codes->resize(rows * n);
  const uint64_t tiles = DivCeil(rows, kTileRows);
  // Waves of tiles, so that the caller hears of them.
  constexpr uint64_t kWave = 16;
  for (uint64_t wave = 0; wave < tiles; wave += kWave) {
    ParallelFor(task.context, std::min(kWave, tiles - wave), [&](uint64_t i) {
      const Context serial;
      const uint64_t first = (wave + i) * kTileRows;
      const uint64_t height = std::min(kTileRows, rows - first);
      Buffer scratch = task.context.Allocate(2 * height * n * sizeof(double));
      double* const d = scratch.as<double>();
      double* const t = d + height * n;
      std::fill(t, t + height * n, 0.0);
      std::vector<double> ahead(std::min(group, n));
      std::vector<float> values(ahead.size() + kLanes);
      const auto weight = [&](uint64_t r, uint64_t k) {
        return dead[order[k]] ? 0.0f : task.weights[(first + r) * n + order[k]];
      };
      // What columns [from, to) would be, were all before them done and none of
      // the others: what makes their (d R)_k 0. t has what columns before
      // `from` add within the block that ends at block_end, behind it only what
      // those before block_begin do.
      const auto find_params = [&](uint64_t r, uint64_t from, uint64_t to,
                                   uint64_t block_begin, uint64_t block_end) {
        for (uint64_t k = from; k < to; ++k) {
          double sum = t[r * n + k];
          for (uint64_t j = k < block_end ? from : block_begin; j < from; ++j) {
            sum += d[r * n + j] * h[j * n + k];
          }
          for (uint64_t j = from; j < k; ++j) {
            sum += ahead[j - from] * h[j * n + k];
          }
          ahead[k - from] = -sum / h[k * n + k];
          values[k - from] = static_cast<float>(
              static_cast<double>(weight(r, k)) - ahead[k - from]);
        }
        Params found;
        if (!RuleParams(serial, task.format, task.config, values.data(),
                        to - from, &found)) {
          Fail(Status::kNonFinite, "the weights of row ", first + r,
               " overflow under compensation; raise damping");
        }
        params->Set(task.ParamOf(first + r, from), found);
      };
      for (uint64_t begin = 0; begin < n; begin += block) {
        const uint64_t end = std::min(n, begin + block);
        for (uint64_t r = 0; r < height; ++r) {
          for (uint64_t k = begin; k < end; ++k) {
            if (moving && k % group == 0) {
              find_params(r, k, std::min(n, k + group), begin, end);
            }
            const Params p = params->At(task.ParamOf(first + r, order[k]));
            const double w = static_cast<double>(weight(r, k));
            const float from =
                static_cast<float>(w + t[r * n + k] / h[k * n + k]);
            const int32_t code = task.format.encode(from, p, variant, 0);
            (*codes)[(first + r) * n + order[k]] = static_cast<int8_t>(code);
            const double rest =
                w - static_cast<double>(task.format.decode(code, p));
            d[r * n + k] = rest;
            for (uint64_t j = k + 1; j < end; ++j) {
              t[r * n + j] += rest * h[k * n + j];
            }
          }
        }
        if (end == n) break;
        ProductArgs product;
        product.rows = height;
        product.inner = end - begin;
        product.columns = n - end;
        product.a = d + begin;
        product.a_row = n;
        product.b = h + begin * n + end;
        product.b_row = n;
        product.c = t + end;
        product.c_row = n;
        AddProduct(product);
      }
    });
    task.progress(std::min(tiles, wave + kWave), tiles);
  }
}

}  // namespace bnq
