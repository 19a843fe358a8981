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
#include <cfloat>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/kernels/product.h"
#include "core/optimize/methods.h"
#include "core/parallel/runner.h"
#include "core/scheme/scales.h"

namespace bnq {
namespace {

constexpr uint64_t kTileRows = 32;
constexpr uint64_t kFactorBlock = 64;

// Columns [begin, end) of the factor, from the last back to the first.

// Their own rows: `mean` is what a pivot is small beside.
void FactorBlock(double* h, uint64_t n, uint64_t begin, uint64_t end,
                 double mean, double damping) {
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
}

// The rows above: the panel, which also comes transposed and negated, [end -
// begin, begin], for the product.
void FactorPanel(const Context& context, double* h, uint64_t n, uint64_t begin,
                 uint64_t end, double* negated) {
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
}

// What the panel takes from the matrix above and before it.
void TakePanel(const Context& context, double* h, uint64_t n, uint64_t begin,
               uint64_t end, const double* negated) {
  ParallelFor(context, DivCeil(begin, kTileRows), [&](uint64_t tile) {
    const uint64_t first = tile * kTileRows;
    ProductArgs product;
    product.rows = std::min(kTileRows, begin - first);
    product.inner = end - begin;
    product.columns = begin - first;
    product.a = h + first * n + begin;
    product.a_row = n;
    product.b = negated + first;
    product.b_row = begin;
    product.c = h + first * n + first;
    product.c_row = n;
    AddProduct(product);
  });
}

}  // namespace

void GptqFactor(const Context& context, double* h, uint64_t n, double damping) {
  double mean = 0.0;
  for (uint64_t k = 0; k < n; ++k) mean += h[k * n + k];
  mean /= static_cast<double>(n);
  for (uint64_t k = 0; k < n; ++k) h[k * n + k] += damping * mean;
  Buffer negated = context.Allocate(
      std::max<uint64_t>(1, std::min(n, kFactorBlock) * n) * sizeof(double));
  for (uint64_t end = n; end > 0;) {
    const uint64_t begin = end > kFactorBlock ? end - kFactorBlock : 0;
    FactorBlock(h, n, begin, end, mean, damping);
    FactorPanel(context, h, n, begin, end, negated.as<double>());
    TakePanel(context, h, n, begin, end, negated.as<double>());
    end = begin;
  }
  for (uint64_t r = 1; r < n; ++r) std::fill(h + r * n, h + r * n + r, 0.0);
}

namespace {

// H of the layer in the order in which its columns are quantized, and its
// factor R.
struct Hessian {
  std::vector<uint64_t> order;  // column order[k] is the k-th
  std::vector<uint8_t> dead;    // by column: the input is always 0
  Buffer factor;                // R, [n, n], in that order

  Hessian(const LayerTask& task, bool act_order);
};

Hessian::Hessian(const LayerTask& task, bool act_order)
    : order(task.columns), dead(task.columns), factor(task.layer.Gram()) {
  const uint64_t n = task.columns;
  const double* const h = factor.as<double>();
  std::iota(order.begin(), order.end(), uint64_t{0});
  for (uint64_t k = 0; k < n; ++k) {
    dead[k] = h[k * n + k] == 0.0;
    if (dead[k]) factor.as<double>()[k * n + k] = 1.0;
  }
  if (act_order) {
    std::stable_sort(order.begin(), order.end(), [&](uint64_t a, uint64_t b) {
      return h[a * n + a] > h[b * n + b];
    });
    Buffer permuted = task.context().Allocate(n * n * sizeof(double));
    for (uint64_t i = 0; i < n; ++i) {
      for (uint64_t j = 0; j < n; ++j) {
        permuted.as<double>()[i * n + j] = h[order[i] * n + order[j]];
      }
      task.context().Tick();
    }
    factor = std::move(permuted);
  }
  GptqFactor(task.context(), factor.as<double>(), n,
             task.subject.options().Number(OptimizeOption::kDamping));
}

// Rows first .. first + height - 1, quantized column by column.
class RowTile {
 public:
  // `group`: the columns whose parameters are found as they are reached; 0:
  // parameters stay as they are.
  RowTile(const LayerTask& task, const Hessian& hessian, uint64_t group,
          uint64_t first, uint64_t height, ParamSet* params, int8_t* codes)
      : task_(task),
        hessian_(hessian),
        r_(hessian.factor.as<double>()),
        n_(task.columns),
        group_(group),
        first_(first),
        height_(height),
        params_(params),
        codes_(codes),
        scratch_(task.context().Allocate(2 * height * task.columns *
                                         sizeof(double))),
        d_(scratch_.as<double>()),
        t_(d_ + height * task.columns),
        ahead_(std::min(group, n_)),
        values_(ahead_.size() + kLanes) {
    std::fill(t_, t_ + height_ * n_, 0.0);
  }

  void Run(uint64_t block) {
    for (uint64_t begin = 0; begin < n_; begin += block) {
      const uint64_t end = std::min(n_, begin + block);
      for (uint64_t r = 0; r < height_; ++r) QuantizeBlock(r, begin, end);
      if (end != n_) CarryBehind(begin, end);
      task_.context().Tick();
    }
  }

 private:
  float Weight(uint64_t r, uint64_t k) const {
    const uint64_t column = hessian_.order[k];
    return hessian_.dead[column] ? 0.0f
                                 : task_.weights[(first_ + r) * n_ + column];
  }

  // Columns [begin, end) of a row: codes, d, and what these d add to the t of
  // the block.
  void QuantizeBlock(uint64_t r, uint64_t begin, uint64_t end) {
    const Format& format = task_.subject.format();
    const CodeRule rule = RuleOf(format, task_.subject.variant());
    double* const t = t_ + r * n_;
    for (uint64_t k = begin; k < end; ++k) {
      if (group_ != 0 && k % group_ == 0) {
        FindParams(r, k, std::min(n_, k + group_), begin, end);
      }
      const uint64_t column = hessian_.order[k];
      const Params p = params_->At(task_.ParamOf(first_ + r, column));
      const double w = static_cast<double>(Weight(r, k));
      const float from = static_cast<float>(w + t[k] / r_[k * n_ + k]);
      const int32_t code = format.encode(from, p, rule, 0);
      codes_[(first_ + r) * n_ + column] = static_cast<int8_t>(code);
      const double rest = w - static_cast<double>(format.decode(code, p, rule));
      d_[r * n_ + k] = rest;
      for (uint64_t j = k + 1; j < end; ++j) t[j] += rest * r_[k * n_ + j];
    }
  }

  // What a block's d add to the t behind it.
  void CarryBehind(uint64_t begin, uint64_t end) {
    ProductArgs product;
    product.rows = height_;
    product.inner = end - begin;
    product.columns = n_ - end;
    product.a = d_ + begin;
    product.a_row = n_;
    product.b = r_ + begin * n_ + end;
    product.b_row = n_;
    product.c = t_ + end;
    product.c_row = n_;
    AddProductInPieces(task_.context(), product);
  }

  // Parameters of columns [from, to) as they would be, were all before them
  // done and none of the others: what makes their (d R)_k 0. t has what columns
  // before `from` add within the block that ends at block_end, behind it only
  // what those before block_begin do.
  void FindParams(uint64_t r, uint64_t from, uint64_t to, uint64_t block_begin,
                  uint64_t block_end) {
    const double* const d = d_ + r * n_;
    for (uint64_t k = from; k < to; ++k) {
      double sum = t_[r * n_ + k];
      for (uint64_t j = k < block_end ? from : block_begin; j < from; ++j) {
        sum += d[j] * r_[j * n_ + k];
      }
      for (uint64_t j = from; j < k; ++j) {
        sum += ahead_[j - from] * r_[j * n_ + k];
      }
      ahead_[k - from] = -sum / r_[k * n_ + k];
      values_[k - from] = static_cast<float>(static_cast<double>(Weight(r, k)) -
                                             ahead_[k - from]);
    }
    Params found;
    if (!RuleParams(Context(), task_.subject.format(), task_.subject.config(),
                    values_.data(), to - from, &found)) {
      Fail(Status::kNonFinite, "the weights of row ", first_ + r,
           " overflow under compensation; raise damping");
    }
    params_->Set(task_.ParamOf(first_ + r, from), found);
  }

  const LayerTask& task_;
  const Hessian& hessian_;
  const double* const r_;
  const uint64_t n_, group_, first_, height_;
  ParamSet* const params_;
  int8_t* const codes_;
  Buffer scratch_;
  double* const d_;
  double* const t_;
  std::vector<double> ahead_;
  std::vector<float> values_;
};

// Codes for all rows, and parameters of groups of `group` columns (0: they stay
// as they are), in waves of tiles, so that the caller hears how far they are:
// `done` of `passes` passes have gone before.
void CodeRows(const LayerTask& task, const Hessian& hessian, uint64_t group,
              uint64_t done, uint64_t passes, ParamSet* params,
              std::vector<int8_t>* codes) {
  constexpr uint64_t kWave = 16;
  const uint64_t block =
      task.subject.options().As<uint64_t>(OptimizeOption::kBlock);
  const uint64_t tiles = DivCeil(task.rows, kTileRows);
  for (uint64_t wave = 0; wave < tiles; wave += kWave) {
    ParallelFor(task.context(), std::min(kWave, tiles - wave), [&](uint64_t i) {
      const uint64_t first = (wave + i) * kTileRows;
      RowTile(task, hessian, group, first,
              std::min(kTileRows, task.rows - first), params, codes->data())
          .Run(block);
    });
    task.subject.Report(done * tiles + std::min(tiles, wave + kWave),
                        passes * tiles);
  }
}

// Parameters with scales that are stored together as they are read back.
ParamSet AsStored(const Config& config, const ParamSet& params) {
  ParamSet result = params;
  RoundAsStored(config, result.scales.data(), result.scales.size());
  for (float& scale : result.scales) {
    if (std::fabs(scale) < FLT_MIN) scale = 0.0f;
  }
  if (!result.offsets.empty()) {
    RoundAsStored(config, result.offsets.data(), result.offsets.size());
  }
  return result;
}

// Codes for all elements, and parameters, which start as those of the plain
// rule. Integer codes are those of the scales as they are stored, which are
// known when all have been found.
void QuantizeRows(const LayerTask& task, ParamSet* params,
                  std::vector<int8_t>* codes) {
  const OptimizeOptions& options = task.subject.options();
  const Config& config = task.subject.config();
  const bool act_order = options.As<int>(OptimizeOption::kActOrder) != 0;
  const uint64_t group = config.group_size();
  const bool moving =
      !act_order && (config.granularity() == Granularity::kGroup ||
                     (config.granularity() == Granularity::kBlock &&
                      task.columns % group == 0));
  const Hessian hessian(task, act_order);
  codes->resize(task.rows * task.columns);
  const bool twice =
      config.double_quant() && task.subject.format().Has(kInteger);
  CodeRows(task, hessian, moving ? group : 0, 0, twice ? 2 : 1, params, codes);
  if (!twice) return;
  ParamSet stored = AsStored(config, *params);
  CodeRows(task, hessian, 0, 1, 2, &stored, codes);
}

// Where a row is no better than it was, the start's codes and parameters.
uint64_t KeepBetterRows(const LayerTask& task, const std::vector<double>& after,
                        ParamSet* params, std::vector<int8_t>* codes) {
  uint64_t kept = 0;
  for (uint64_t r = 0; r < task.rows; ++r) {
    if (after[r] < task.start_errors[r]) {
      ++kept;
      continue;
    }
    UnpackCodes(task.context(), task.start, r * task.columns, task.columns,
                codes->data() + r * task.columns);
    for (uint64_t k = 0; k < task.columns; ++k) {
      const uint64_t p = task.ParamOf(r, k);
      params->Set(p, task.subject.start().At(p));
    }
  }
  return kept;
}

LayerResult GptqLayer(const LayerTask& task) {
  ParamSet params = task.subject.start();
  std::vector<int8_t> codes;
  QuantizeRows(task, &params, &codes);
  LayerResult result;
  result.tensor = task.subject.TensorOf(params, codes);
  const std::vector<double> after = task.OutputErrors(*result.tensor, nullptr);
  result.parts = task.rows;
  result.improved = KeepBetterRows(task, after, &params, &codes);
  if (result.improved != task.rows) {
    result.tensor = task.subject.TensorOf(params, codes);
  }
  return result;
}

}  // namespace

extern const OptimizationMethod kGptqMethod;
const OptimizationMethod kGptqMethod = {
    OptimizeMethod::kGptq,
    /*integers_only=*/false,
    /*any_objective=*/false,
    /*any_scope=*/false,
    /*takes_importance=*/false, NeedsInputs::kAlways, nullptr, GptqLayer,
};

}  // namespace bnq
