#include "core/kernels/overflow.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "core/kernels/reduce.h"

namespace bnq {

namespace {

constexpr NamedValue kOverflows[] = {
    {"error", "refused, naming the index"},
    {"saturate", "the greatest number of the type"},
    {"keep", "infinity"}};
constexpr OptionInfo kOptions[] = {
    Choice(1, "overflow", kOverflows, Overflow::kError,
           "What becomes of values that the type does not hold")};
constexpr OptionTable kTable("dequantize", kOptions);

}  // namespace

NamedValue OverflowAt(int32_t id) { return ValueOf(kOptions[0], id); }

Overflow OverflowNamed(const std::string& text) {
  double value = 0.0;
  kTable.Parse(kOptions[0].name, text, &value);
  return static_cast<Overflow>(value);
}

float Saturated(DType dtype, float x) {
  const float greatest = dtype == DType::kF16    ? 65504.0f
                         : dtype == DType::kBF16 ? F32FromBF16(0x7F7F)
                                                 : FLT_MAX;
  return std::copysign(greatest, x);
}

bool FitsDType(DType dtype, Overflow overflow, float* x, size_t count) {
  if (overflow == Overflow::kKeep || dtype == DType::kF32) return true;
  for (size_t at = 0; at < count; at += kChunk) {
    const size_t n = std::min(count - at, kChunk);
    const Partial most = Reduce(x + at, n, n, Statistic::kAbsMax);
    if (most.abs_bits < OverflowBits(dtype)) continue;
    // Rare, so one by one.
    for (size_t i = at; i < at + n; ++i) {
      if (!Overflows(dtype, x[i])) continue;
      if (overflow == Overflow::kError) return false;
      x[i] = Saturated(dtype, x[i]);
    }
  }
  return true;
}

}  // namespace bnq
