#include "core/model/plain_array.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/base/error.h"
#include "core/kernels/elements.h"
#include "core/tensor/chunks.h"
#include "core/tensor/source.h"

namespace bnq {
namespace {

void CheckFits(float* x, size_t count, uint64_t at, DType dtype,
               Overflow overflow) {
  if (FitsDType(dtype, overflow, x, count)) return;
  const auto i = std::find_if(
      x, x + count, [&](float value) { return Overflows(dtype, value); });
  Fail(Status::kNonFinite, "element ", at + static_cast<uint64_t>(i - x),
       " is ", *i, ", which overflows ", Info(dtype).name,
       "; take F32 or BF16, or overflow = saturate or keep");
}

// float64 that no float32 holds has become infinity.
void CheckNarrowed(const uint8_t* data, uint64_t at, size_t count, DType dtype,
                   Overflow overflow, float* x) {
  for (size_t i = 0; i < count; ++i) {
    if (!std::isinf(x[i])) continue;
    double value;
    std::memcpy(&value, data + (at + i) * sizeof value, sizeof value);
    if (std::isinf(value) || overflow == Overflow::kKeep) continue;
    if (overflow == Overflow::kSaturate) {
      x[i] = value < 0 ? -FLT_MAX : FLT_MAX;
      continue;
    }
    Fail(Status::kNonFinite, "element ", at + i, " is ", value,
         ", which overflows ", Info(dtype).name,
         "; take overflow = saturate or keep");
  }
}

}  // namespace

void ConvertElements(const ArrayView& array, uint64_t begin, uint64_t count,
                     DType dtype, Overflow overflow, uint8_t* out) {
  const SourceView source = MakeSource(array, nullptr);
  const uint64_t size = Info(dtype).bits / 8;
  std::vector<float> x(kChunk + kLanes);
  for (uint64_t at = begin, end = begin + count; at < end;) {
    const size_t n = static_cast<size_t>(std::min<uint64_t>(kChunk, end - at));
    LoadElements(source, at, n, x.data());
    if (source.dtype == DType::kF64) {
      CheckNarrowed(source.data, at, n, dtype, overflow, x.data());
    }
    CheckFits(x.data(), n, at, dtype, overflow);
    StoreElements(x.data(), n, dtype, false, out + (at - begin) * size);
    at += n;
  }
}

}  // namespace bnq
