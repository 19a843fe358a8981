#include "core/ops/outputs.h"

#include <algorithm>
#include <limits>

#include "core/kernels/elements.h"
#include "core/kernels/function.h"

namespace bnq {

Outputs::Outputs(const Linear& linear, bool integers, const Matrix& y,
                 uint64_t first, const InputRows* inputs)
    : linear_(linear),
      weights_(linear.integers()),
      y_(y),
      first_(first),
      inputs_(inputs),
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
float Outputs::ScaleOfSum(float x_scale, float scale) const {
  if (!requantizes_) return x_scale * scale;
  const double all = static_cast<double>(x_scale) * static_cast<double>(scale) /
                     static_cast<double>(linear_.options().output_scale());
  // Finite, so that 0 times it is 0.
  constexpr double kMostFloat = std::numeric_limits<float>::max();
  return static_cast<float>(std::min(std::max(all, -kMostFloat), kMostFloat));
}

void Outputs::ScalesOfSums(float x_scale, const float* scales, size_t count,
                           float* out) const {
  for (size_t i = 0; i < count; ++i) out[i] = ScaleOfSum(x_scale, scales[i]);
}

void Outputs::Whole(uint64_t m, size_t rows, const Weights& weights,
                    const int32_t* sums, size_t sums_stride,
                    const int32_t* code_sums, OfSums* of_sums) const {
  FinishArgs args;
  args.sums_stride = sums_stride;
  args.count = weights.count;
  args.zeros.zero = weights_.zero();
  if (weights_.has_zero_points()) args.zeros.zero_points = weights.zero_points;
  args.zeros.code_sums = code_sums;
  args.columns = static_cast<int32_t>(weights_.columns());
  const float* const x_scales = inputs_->scales() + m;
  for (size_t i = 0; i < rows; i += args.rows) {
    args.rows = rows - i;
    args.sums = sums + i * sums_stride;
    args.x_sums = inputs_->short_sums() + m + i;
    args.x_zeros = inputs_->zeros() + m + i;
    args.x_scales = x_scales + i;
    args.scales = weights.scales;
    if (requantizes_) {
      // Of rows of one scale, mostly that of the rows before: a division each.
      const float scale = x_scales[i];
      args.rows = 1;
      while (i + args.rows < rows && x_scales[i + args.rows] == scale) {
        ++args.rows;
      }
      if (of_sums->x_scale != scale) {
        of_sums->x_scale = scale;
        ScalesOfSums(scale, weights.scales, weights.count, of_sums->scales);
      }
      args.x_scales = nullptr;
      args.scales = of_sums->scales;
    }
    Finish(m + i, weights.n, args);
  }
}

void Outputs::Finish(uint64_t m, uint64_t n, FinishArgs args) const {
  const std::vector<int32_t>& int_bias = linear_.bias().integers;
  if (!int_bias.empty()) args.int_bias = int_bias.data() + n;
  const bool outliers = linear_.weight().outliers().count != 0;
  if (!outliers) args.bias = bias(n);
  uint8_t* const to = y_.row(m) + (n - first_) * y_.element_size();
  if (requantizes_) {
    args.codes = to;
    args.codes_zero = linear_.options().output_zero_point();
    args.codes_signed = y_.dtype == DType::kI8;
    args.out_stride = static_cast<size_t>(y_.stride);
    return FinishSums(args);
  }
  const bool aligned =
      (reinterpret_cast<uintptr_t>(to) | y_.stride) % sizeof(float) == 0;
  if (y_.dtype == DType::kF32 && aligned && !outliers &&
      linear_.options().function() == Function::kNone) {
    args.out = reinterpret_cast<float*>(to);
    args.out_stride = static_cast<size_t>(y_.stride / sizeof(float));
    return FinishSums(args);
  }
  FinishRows(m, n, args);
}

// Row by row, some weights at a time.
void Outputs::FinishRows(uint64_t m, uint64_t n, const FinishArgs& args) const {
  constexpr size_t kStep = 256;
  const bool outliers = linear_.weight().outliers().count != 0;
  float y[kStep];
  for (size_t row = 0; row < args.rows; ++row) {
    for (size_t at = 0; at < args.count; at += kStep) {
      const size_t count = std::min(kStep, args.count - at);
      FinishArgs part = args;
      part.rows = 1;
      part.count = count;
      part.sums += row * args.sums_stride + at;
      if (part.zeros.zero_points != nullptr) part.zeros.zero_points += at;
      if (part.zeros.code_sums != nullptr) part.zeros.code_sums += at;
      if (part.x_sums != nullptr) part.x_sums += row;
      if (part.x_zeros != nullptr) part.x_zeros += row;
      if (part.x_scales != nullptr) part.x_scales += row;
      part.scales += at;
      if (part.int_bias != nullptr) part.int_bias += at;
      if (part.bias != nullptr) part.bias += at;
      part.out = y;
      FinishSums(part);
      if (outliers) AddRest(m + row, n + at, count, y);
      Store(m + row, n + at, count, y);
    }
  }
}

void Outputs::Long(uint64_t m, const Weights& weights, const int64_t* sums,
                   const int64_t* code_sums) const {
  const InputRow x = inputs_->row(m);
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
      y[r] = OfGroups(m, n,
                      0.0 +
                          static_cast<double>(sum) *
                              static_cast<double>(weights.scales[r]) +
                          x_sum * static_cast<double>(weights.offsets[r]));
      continue;
    }
    y[r] = static_cast<float>(sum) * ScaleOfSum(x.scale, weights.scales[r]);
  }
  if (!weights_.has_offsets()) AddRest(m, weights.n, weights.count, y);
  Store(m, weights.n, weights.count, y);
}

void Outputs::AddRest(uint64_t m, uint64_t n, size_t count, float* y) const {
  const Outliers outliers = linear_.weight().outliers();
  const float* const biases = bias(n);
  const float* const of_x = inputs_->row(m).outliers;
  SourceView values;
  values.data = outliers.values;
  values.dtype = outliers.dtype;
  for (size_t r = 0; r < count; ++r) {
    double sum = 0.0;
    for (uint64_t i = 0; i < outliers.count; ++i) {
      float w[1 + kLanes];
      LoadElements(values, (n + r) * outliers.count + i, 1, w);
      sum = sum + static_cast<double>(of_x[i]) * static_cast<double>(w[0]);
    }
    if (outliers.count != 0) y[r] = y[r] + static_cast<float>(sum);
    if (biases != nullptr) y[r] = y[r] + biases[r];
  }
}

float Outputs::OfGroups(uint64_t m, uint64_t n, double sum) const {
  double y = sum * static_cast<double>(inputs_->scales()[m]);
  if (const float* const b = bias(n)) y = y + static_cast<double>(*b);
  return static_cast<float>(y);
}

void Outputs::Floats(uint64_t m, uint64_t n, size_t count, float* sums) const {
  const float x_scale = inputs_->scales()[m];
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
