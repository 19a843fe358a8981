#include "core/ops/outputs.h"

#include <algorithm>
#include <limits>

#include "core/kernels/dot_finish.h"
#include "core/kernels/elements.h"
#include "core/kernels/function.h"

namespace bnq {

Outputs::Outputs(const Linear& linear, bool integers, const Matrix& y,
                 uint64_t first)
    : linear_(linear),
      weights_(linear.integers()),
      y_(y),
      first_(first),
      requantizes_(
          integers && linear.options().output() != OutputType::kFloat &&
          linear.options().function() == Function::kNone &&
          linear.bias().floats.empty() && weights_.groups() == 1 &&
          !weights_.has_offsets() && linear.weight().outliers().count == 0) {}

const float* Outputs::bias(uint64_t n) const {
  const std::vector<float>& floats = linear_.bias().floats;
  return floats.empty() ? nullptr : floats.data() + n;
}

// What a sum is multiplied by; of outputs of codes that are sums alone, so that
// these are rounded once.
float Outputs::ScaleOfSum(const InputRow& x, float scale) const {
  if (!requantizes_) return x.scale * scale;
  const double all = static_cast<double>(x.scale) * static_cast<double>(scale) /
                     static_cast<double>(linear_.options().output_scale());
  // Finite, so that 0 times it is 0.
  constexpr double kMostFloat = std::numeric_limits<float>::max();
  return static_cast<float>(std::min(std::max(all, -kMostFloat), kMostFloat));
}

void Outputs::Whole(uint64_t m, const InputRow& x, const Weights& weights,
                    const int32_t* sums, const int32_t* code_sums,
                    OfSums* of_sums) const {
  const uint64_t n = weights.n;
  float y[kMost];
  FinishArgs args;
  args.sums = sums;
  args.count = weights.count;
  args.zeros.zero = weights_.zero();
  if (weights_.has_zero_points()) args.zeros.zero_points = weights.zero_points;
  args.zeros.x_zero = x.zero;
  args.zeros.code_sums = code_sums;
  args.x_sum = static_cast<int32_t>(x.sum);
  args.columns = static_cast<int32_t>(weights_.columns());
  args.x_scale = x.scale;
  args.scales = weights.scales;
  const std::vector<int32_t>& int_bias = linear_.bias().integers;
  if (!int_bias.empty()) args.int_bias = int_bias.data() + n;
  const bool outliers = linear_.weight().outliers().count != 0;
  if (!outliers) args.bias = bias(n);
  args.out = y;
  if (requantizes_) {
    // Mostly those of the row before: a division each.
    if (of_sums->x_scale != x.scale) {
      of_sums->x_scale = x.scale;
      for (size_t r = 0; r < weights.count; ++r) {
        of_sums->scales[r] = ScaleOfSum(x, weights.scales[r]);
      }
    }
    args.x_scale = 1.0f;
    args.scales = of_sums->scales;
  }
  FinishSums(args);
  if (outliers) AddRest(x, n, weights.count, y);
  Store(m, n, weights.count, y);
}

void Outputs::Long(uint64_t m, const InputRow& x, const Weights& weights,
                   const int64_t* sums, const int64_t* code_sums) const {
  const int64_t columns = static_cast<int64_t>(weights_.columns());
  const std::vector<int32_t>& int_bias = linear_.bias().integers;
  const int64_t x_zero = x.zero;
  float y[kMost];
  for (size_t r = 0; r < weights.count; ++r) {
    const uint64_t n = weights.n + r;
    const int64_t z = weights_.zero() +
                      (weights_.has_zero_points() ? weights.zero_points[r] : 0);
    int64_t sum = sums[r] - z * x.sum;
    if (x_zero != 0) sum -= x_zero * (code_sums[r] - z * columns);
    if (!int_bias.empty()) sum += int_bias[n];
    if (weights_.has_offsets()) {
      const double x_sum = static_cast<double>(x.sum - x_zero * columns);
      y[r] = OfGroups(x, n,
                      0.0 +
                          static_cast<double>(sum) *
                              static_cast<double>(weights.scales[r]) +
                          x_sum * static_cast<double>(weights.offsets[r]));
      continue;
    }
    y[r] = static_cast<float>(sum) * ScaleOfSum(x, weights.scales[r]);
  }
  if (!weights_.has_offsets()) AddRest(x, weights.n, weights.count, y);
  Store(m, weights.n, weights.count, y);
}

void Outputs::AddRest(const InputRow& x, uint64_t n, size_t count,
                      float* y) const {
  const Outliers outliers = linear_.weight().outliers();
  const float* const biases = bias(n);
  SourceView values;
  values.data = outliers.values;
  values.dtype = outliers.dtype;
  for (size_t r = 0; r < count; ++r) {
    double sum = 0.0;
    for (uint64_t i = 0; i < outliers.count; ++i) {
      float w[1 + kLanes];
      LoadElements(values, (n + r) * outliers.count + i, 1, w);
      sum =
          sum + static_cast<double>(x.outliers[i]) * static_cast<double>(w[0]);
    }
    if (outliers.count != 0) y[r] = y[r] + static_cast<float>(sum);
    if (biases != nullptr) y[r] = y[r] + biases[r];
  }
}

float Outputs::OfGroups(const InputRow& x, uint64_t n, double sum) const {
  double y = sum * static_cast<double>(x.scale);
  if (const float* const b = bias(n)) y = y + static_cast<double>(*b);
  return static_cast<float>(y);
}

void Outputs::Floats(uint64_t m, float x_scale, uint64_t n, size_t count,
                     float* sums) const {
  const float* const biases = bias(n);
  for (size_t r = 0; r < count; ++r) {
    sums[r] = sums[r] * x_scale;
    if (biases != nullptr) sums[r] = sums[r] + biases[r];
  }
  Store(m, n, count, sums);
}

void Outputs::Store(uint64_t m, uint64_t n, size_t count, float* y) const {
  const OperatorOptions& options = linear_.options();
  if (options.function() != Function::kNone) {
    ApplyFunction(options.function(), options.slope(), y, count, y);
  }
  if (!IsInteger(y_.dtype)) {
    const size_t size = y_.dtype == DType::kF32 ? 4 : 2;
    return StoreElements(y, count, y_.dtype, false,
                         y_.row(m) + (n - first_) * size);
  }
  if (!requantizes_) {
    const float scale = options.output_scale();
    for (size_t i = 0; i < count; ++i) y[i] = y[i] / scale;
  }
  StoreRequantized(y, count, options.output_zero_point(),
                   y_.dtype == DType::kI8, y_.row(m) + (n - first_));
}

}  // namespace bnq
