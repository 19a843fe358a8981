#include "core/tensor/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/kernels/compare.h"
#include "core/kernels/elements.h"
#include "core/tensor/chunks.h"
#include "core/tensor/source.h"

namespace bnq {
namespace {

constexpr uint64_t kWaveChunks = 1024;

}  // namespace

const char* MetricName(int index) {
  static const char* const kNames[kNumMetrics] = {"mse", "mae", "max_error",
                                                  "sqnr_db", "cosine"};
  return index >= 0 && index < kNumMetrics ? kNames[index] : nullptr;
}

Metrics Metrics::None() {
  Metrics m;
  std::fill(m.values, m.values + kNumMetrics,
            std::numeric_limits<double>::quiet_NaN());
  return m;
}

void ErrorSums::Add(const Context& context, uint64_t begin, uint64_t end,
                    const Side& a, const Side& b) {
  const uint64_t most =
      std::min<uint64_t>(kWaveChunks, DivCeil(end - begin, kChunk));
  std::vector<ErrorPartial> partials(most);
  std::vector<Weighted> weighted(weights_ ? most : 0);
  for (uint64_t wave = begin; wave < end; wave += kWaveChunks * kChunk) {
    const uint64_t wave_end = std::min(end, wave + kWaveChunks * kChunk);
    ForEachChunk(context, wave, wave_end,
                 [&](uint64_t chunk, uint64_t at, size_t n) {
                   float values_a[kChunk + kLanes], values_b[kChunk + kLanes];
                   a(at, n, values_a);
                   b(at, n, values_b);
                   partials[chunk] = CompareChunk(values_a, values_b, n);
                   if (weights_ == nullptr) return;
                   weighted[chunk] = WeightedChunk(values_a, values_b, at, n);
                 });
    const uint64_t chunks = DivCeil(wave_end - wave, kChunk);
    for (uint64_t c = 0; c < chunks; ++c) total_.Merge(partials[c]);
    for (uint64_t c = 0; c < (weights_ ? chunks : 0); ++c) {
      weighted_.error += weighted[c].error;
      weighted_.value += weighted[c].value;
    }
  }
  count_ += end - begin;
}

ErrorSums::Weighted ErrorSums::WeightedChunk(const float* a, const float* b,
                                             uint64_t at, size_t count) const {
  // Lanes, so that a compiler may take vectors without changing the order.
  constexpr size_t kSums = 8;
  double error[kSums] = {}, value[kSums] = {};
  size_t column = static_cast<size_t>(at % columns_);
  for (size_t begin = 0; begin < count;) {
    const size_t n =
        std::min(count - begin, static_cast<size_t>(columns_) - column);
    const float* const weights = weights_ + column;
    const float* const values = a + begin;
    const float* const others = b + begin;
    size_t i = 0;
    for (; i + kSums <= n; i += kSums) {
      for (size_t lane = 0; lane < kSums; ++lane) {
        const double w = weights[i + lane], x = values[i + lane];
        const double e = x - others[i + lane];
        error[lane] += w * (e * e);
        value[lane] += w * (x * x);
      }
    }
    for (size_t lane = 0; i < n; ++i, ++lane) {
      const double w = weights[i], x = values[i], e = x - others[i];
      error[lane] += w * (e * e);
      value[lane] += w * (x * x);
    }
    begin += n;
    column = 0;
  }
  Weighted sums;
  for (size_t lane = 0; lane < kSums; ++lane) {
    sums.error += error[lane];
    sums.value += value[lane];
  }
  return sums;
}

bool ErrorSums::finite() const {
  // Squares of finite floats do not overflow double.
  return std::isfinite(total_.sum_aa) && std::isfinite(total_.sum_bb);
}

Metrics ErrorSums::Result() const {
  if (count_ == 0) Fail(Status::kNoData, "there are no elements to compare");
  const ErrorPartial& t = total_;
  const double n = static_cast<double>(count_);
  const double infinity = std::numeric_limits<double>::infinity();
  Metrics m;
  m.values[static_cast<int>(Metric::kMse)] = t.sum_sq_error / n;
  m.values[static_cast<int>(Metric::kMae)] = t.sum_abs_error / n;
  m.values[static_cast<int>(Metric::kMaxError)] = t.max_error;
  m.values[static_cast<int>(Metric::kSqnrDb)] =
      t.sum_sq_error == 0.0 ? infinity
      : t.sum_aa == 0.0     ? -infinity
                            : 10.0 * std::log10(t.sum_aa / t.sum_sq_error);
  double cosine = 0.0;
  if (t.sum_aa == 0.0 && t.sum_bb == 0.0) {
    cosine = 1.0;
  } else if (t.sum_aa != 0.0 && t.sum_bb != 0.0) {
    cosine = t.sum_ab / (std::sqrt(t.sum_aa) * std::sqrt(t.sum_bb));
    cosine = std::min(1.0, std::max(-1.0, cosine));
  }
  m.values[static_cast<int>(Metric::kCosine)] = cosine;
  return m;
}

ErrorSums::Side ArraySide(const ArrayView& array) {
  const SourceView source = MakeSource(array, nullptr);
  return [source](uint64_t begin, size_t count, float* out) {
    LoadElements(source, begin, count, out);
  };
}

ErrorSums::Side TensorSide(const Dequantizer& dequantizer) {
  return [&dequantizer](uint64_t begin, size_t count, float* out) {
    dequantizer.Decode(begin, count, DType::kF32, false,
                       reinterpret_cast<uint8_t*>(out));
  };
}

void MetricsSink::Take(const QuantizedSlice& slice) {
  const uint64_t begin = slice.begin, end = slice.end;
  const uint64_t from = begin - begin % kChunk;
  const uint64_t to = slice.last ? end : end - end % kChunk;
  const auto decode = [&](uint64_t at, size_t n, float* out) {
    // The front of the first chunk was decoded with the slice before.
    const size_t kept =
        at < begin ? static_cast<size_t>(std::min<uint64_t>(begin - at, n)) : 0;
    std::copy_n(carry_.begin(), kept, out);
    if (kept < n) {
      slice.values.Decode(at + kept, n - kept, DType::kF32, false,
                          reinterpret_cast<uint8_t*>(out + kept));
    }
  };
  if (to > from) sums_.Add(context_, from, to, original_, decode);
  if (!slice.last && to < end) {
    const uint64_t fresh = std::max(to, begin);
    slice.values.Decode(fresh, end - fresh, DType::kF32, false,
                        reinterpret_cast<uint8_t*>(&carry_[fresh % kChunk]));
  }
}

void CheckComparable(const Shape& original, const Shape& other) {
  if (original != other) {
    Fail(Status::kInvalidArgument, "shape of other = ", other.ToString(),
         ", must be that of original, ", original.ToString());
  }
  if (original.elements() == 0) {
    Fail(Status::kNoData, "arrays of shape ", original.ToString(),
         " have no elements to compare");
  }
}

Metrics Compare(const Context& context, const ArrayView& original,
                const ArrayView& other) {
  CheckComparable(original.shape, other.shape);
  const ErrorSums::Side a = ArraySide(original), b = ArraySide(other);
  ErrorSums sums;
  sums.Add(context, 0, original.shape.elements(), a, b);
  if (!sums.finite()) {
    CheckFinite(original, 0, original.shape.elements(), "original");
    CheckFinite(other, 0, other.shape.elements(), "other");
  }
  return sums.Result();
}

Metrics Compare(const Context& context, const ArrayView& original,
                const QuantizedTensor& tensor) {
  CheckComparable(original.shape, tensor.shape());
  const Dequantizer dequantizer(context, tensor);
  ErrorSums sums;
  sums.Add(context, 0, original.shape.elements(), ArraySide(original),
           TensorSide(dequantizer));
  if (!sums.finite()) {
    CheckFinite(original, 0, original.shape.elements(), "original");
  }
  return sums.Result();
}

}  // namespace bnq
