#include "core/tensor/outliers.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/base/half.h"
#include "core/kernels/elements.h"
#include "core/kernels/reduce.h"
#include "core/parallel/runner.h"

namespace bnq {
namespace {

constexpr uint64_t kTaskElements = uint64_t{1} << 18;

// One element of a 16-bit type.
float Widen(DType dtype, const uint8_t* p) {
  uint16_t h;
  std::memcpy(&h, p, sizeof h);
  return dtype == DType::kF16 ? F32FromF16(h) : F32FromBF16(h);
}

void Narrow(DType dtype, float x, uint8_t* p) {
  const uint16_t h = dtype == DType::kF16 ? F16FromF32(x) : BF16FromF32(x);
  std::memcpy(p, &h, sizeof h);
}

// The greatest |x| whose bits reach the limit, of each place.
void KeepGreatest(const float* x, size_t n, uint32_t limit, float* most) {
  // Most rows have none.
  if (Reduce(x, n, n, Statistic::kAbsMax).abs_bits < limit) return;
  for (size_t i = 0; i < n; ++i) {
    const uint32_t bits = BitsOfF32(x[i]) & 0x7FFFFFFFu;
    const float a = std::fabs(x[i]);
    // NaN and infinity are errors, found later.
    const bool is = bits >= limit && bits < 0x7F800000u;
    most[i] = is && a > most[i] ? a : most[i];
  }
}

}  // namespace

OutlierColumns FindOutliers(const Context& context, const SourceView& source,
                            DType dtype, uint64_t elements, uint64_t features,
                            float threshold) {
  OutlierColumns found;
  if (elements == 0) return found;
  if (features > UINT32_MAX) {
    Fail(Status::kUnsupported, "outlier_threshold: the last dimension is ",
         features, ", must be below 2^32");
  }
  const uint64_t rows = elements / features;
  const uint64_t task_rows = std::max<uint64_t>(1, kTaskElements / features);
  const uint64_t tasks = DivCeil(rows, task_rows);
  // As many masks as tasks that may run at once; tasks share them in turn.
  const uint64_t masks =
      std::min<uint64_t>(tasks, context.runner ? context.runner->workers() : 1);
  std::vector<std::vector<float>> greatest(masks);
  const uint32_t limit = BitsOfF32(threshold);
  // Each of `masks` passes over its share of the tasks, in order.
  ParallelFor(context, masks, [&](uint64_t m) {
    // The greatest |x| of each feature that reaches the threshold, else 0.
    std::vector<float>& most = greatest[m];
    most.assign(features, 0.0f);
    float scratch[kChunk + kLanes];
    for (uint64_t task = m; task < tasks; task += masks) {
      context.Tick();
      const uint64_t last = std::min(rows, (task + 1) * task_rows);
      for (uint64_t row = task * task_rows; row < last; ++row) {
        for (uint64_t c = 0; c < features; c += kChunk) {
          const size_t n =
              static_cast<size_t>(std::min<uint64_t>(features - c, kChunk));
          const uint64_t at = row * features + c;
          const float* x = scratch;
          if (source.direct()) {
            x = reinterpret_cast<const float*>(source.data) + at;
          } else {
            LoadElements(source, at, n, scratch);
          }
          KeepGreatest(x, n, limit, most.data() + c);
        }
      }
    }
  });
  found.mask.assign(features, 0);
  float most = 0.0f;
  for (uint64_t c = 0; c < features; ++c) {
    float column = 0.0f;
    for (const auto& mask : greatest) column = std::max(column, mask[c]);
    if (column == 0.0f) continue;
    found.mask[c] = 1;
    found.columns.push_back(static_cast<uint32_t>(c));
    most = std::max(most, column);
  }
  if (found.columns.empty()) found.mask.clear();
  if (dtype == DType::kBF16 || most > kGreatestF16) found.dtype = DType::kBF16;
  return found;
}

void GatherOutliers(const SourceView& source, uint64_t features,
                    const OutlierColumns& found, uint64_t begin, uint64_t end,
                    uint8_t* values) {
  float x[1 + kLanes];
  for (uint64_t row = begin; row < end; ++row) {
    for (uint32_t column : found.columns) {
      LoadElements(source, row * features + column, 1, x);
      Narrow(found.dtype, x[0], values);
      values += 2;
    }
  }
}

bool ScatterOutliers(const Outliers& outliers, uint64_t features,
                     uint64_t begin, uint64_t count, DType dtype,
                     Overflow overflow, uint8_t* out) {
  if (outliers.count == 0) return true;
  const uint64_t end = begin + count;
  const uint32_t* const first = outliers.columns;
  const uint32_t* const last = first + outliers.count;
  for (uint64_t row = begin / features; row * features < end; ++row) {
    const uint64_t row_begin = row * features;
    const uint32_t* c = first;
    if (row_begin < begin) {
      c = std::lower_bound(first, last, begin - row_begin);
    }
    for (; c != last && row_begin + *c < end; ++c) {
      float x = Widen(outliers.dtype,
                      outliers.values + 2 * (row * outliers.count +
                                             static_cast<uint64_t>(c - first)));
      if (overflow != Overflow::kKeep && Overflows(dtype, x)) {
        if (overflow == Overflow::kError) return false;
        x = Saturated(dtype, x);
      }
      const uint64_t at = row_begin + *c - begin;
      if (dtype == DType::kF32) {
        std::memcpy(out + 4 * at, &x, sizeof x);
      } else {
        Narrow(dtype, x, out + 2 * at);
      }
    }
  }
  return true;
}

}  // namespace bnq
